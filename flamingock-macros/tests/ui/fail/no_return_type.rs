use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    async fn apply() {}

    #[rollback]
    fn rollback() -> () {}

    #[verify]
    fn verify() {}
}

fn main() {}
