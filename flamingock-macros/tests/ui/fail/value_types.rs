use flamingock::prelude::*;

struct Foo;

#[change(
    id = 5,
    order = 1.5,
    target_system = ORDERS,
    author = concat!("a", "b"),
    description = true,
    transactional = "yes",
    recovery = "always_retry",
    stage = first,
    profiles = "prod",
    timeout = 30,
    crate = "flamingock",
)]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
