use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", target_system = "t")]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
