use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    #[apply]
    #[rollback]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
