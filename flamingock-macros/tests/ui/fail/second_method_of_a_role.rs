use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    fn first() -> ChangeResult {
        Ok(())
    }

    #[apply]
    fn second() -> ChangeResult {
        Ok(())
    }

    #[cfg(all())]
    #[rollback]
    fn third() -> ChangeResult {
        Ok(())
    }

    #[rollback]
    fn fourth() -> ChangeResult {
        Ok(())
    }

    #[verify]
    fn fifth() -> Result<TargetState, BoxError> {
        Ok(TargetState::Applied)
    }

    #[verify]
    fn sixth() -> Result<TargetState, BoxError> {
        Ok(TargetState::Applied)
    }
}

fn main() {}
