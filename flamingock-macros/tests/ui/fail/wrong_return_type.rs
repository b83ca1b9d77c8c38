use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    async fn apply() -> bool {
        true
    }

    #[rollback]
    fn rollback() -> Result<u8, String> {
        Ok(5)
    }

    #[verify]
    fn verify() -> ChangeResult {
        Ok(())
    }
}

struct NoError;

struct Bar;

#[change(id = "bar", order = 2, target_system = "t")]
impl Bar {
    #[apply]
    async fn apply() -> Result<(), NoError> {
        Ok(())
    }
}

fn main() {}
