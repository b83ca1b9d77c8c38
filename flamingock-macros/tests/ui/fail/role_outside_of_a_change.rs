use flamingock::prelude::*;

#[apply]
fn apply() {}

struct Foo;

impl Foo {
    #[rollback]
    fn rollback() -> ChangeResult {
        Ok(())
    }
}

#[verify]
struct Bar;

fn main() {}
