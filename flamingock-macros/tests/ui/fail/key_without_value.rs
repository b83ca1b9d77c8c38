use flamingock::prelude::*;

struct Foo;

#[change("foo", id, order =, target_system = "t", transactional, 5 = 5)]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
