use flamingock::prelude::*;

struct Foo;

#[change(author = "me")]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

struct Bar;

#[change]
impl Bar {
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
