use flamingock::prelude::*;

struct Foo;

#[change(
    id = "",
    order = "",
    target_system = " t",
    author = "a\0b",
    stage = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    profiles = ["", "a\0"],
    description = "\0",
)]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
