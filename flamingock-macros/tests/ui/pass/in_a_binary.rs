use flamingock::prelude::*;

change_set!(CHANGES);

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {
    assert_eq!(CHANGES.changes().len(), 1);
}
