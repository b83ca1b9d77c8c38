use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[cfg(all())]
    #[apply]
    fn first() -> ChangeResult {
        Ok(())
    }

    #[cfg(not(any()))]
    #[apply]
    fn second() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
