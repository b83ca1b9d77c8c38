use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

#[change(id = "bar", order = 2, target_system = "t")]
impl Foo {
    #[apply]
    async fn other() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
