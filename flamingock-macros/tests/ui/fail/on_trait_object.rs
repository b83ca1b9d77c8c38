use flamingock::prelude::*;

trait Foo {}

#[change(id = "foo", order = 1, target_system = "t")]
impl dyn Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
