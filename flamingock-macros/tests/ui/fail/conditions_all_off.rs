use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[cfg(any())]
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
