use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply(now)]
    fn apply() -> ChangeResult {
        Ok(())
    }

    #[rollback = "later"]
    fn rollback() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
