use flamingock::change;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    fn apply() -> flamingock::prelude::ChangeResult {
        Ok(())
    }
}

fn main() {}
