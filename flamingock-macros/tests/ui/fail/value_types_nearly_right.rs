use flamingock::prelude::*;

struct Foo;

#[change(
    id = "foo" "bar",
    order = -1,
    target_system = "t",
    transactional = maybe,
    recovery = retry_always,
    profiles = [prod, "test"],
    timeout = "30",
)]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

struct Bar;

#[change(id = "bar", order = 1u8, target_system = "t", profiles = ["!"], timeout = "0s")]
impl Bar {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
