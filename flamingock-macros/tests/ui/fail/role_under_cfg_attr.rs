use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }

    #[cfg_attr(unix, rollback)]
    fn rollback() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
