use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[rollback]
    fn rollback() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
