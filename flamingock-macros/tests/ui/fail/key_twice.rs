use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t", id = "bar")]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
