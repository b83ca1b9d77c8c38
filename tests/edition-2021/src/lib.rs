//! Changes in the library of another crate, of edition 2021.

use flamingock::prelude::*;

flamingock::change_set!(pub CHANGES);

/// What changes write to.
#[derive(Debug)]
pub struct Log(String);

/// A change.
#[derive(Debug)]
pub struct InLibrary;

#[change(id = "in-library", order = "0001", target_system = "files")]
impl InLibrary {
    #[apply]
    async fn apply(log: &mut Log, root: &std::path::Path, name: Option<&str>) -> ChangeResult {
        log.0.push_str(&format!("{} {name:?}", root.display()));
        Ok(())
    }

    #[rollback]
    fn rollback(log: &mut Log) -> Result<(), String> {
        Err(log.0.clone())
    }

    #[verify]
    async fn verify() -> Result<TargetState, BoxError> {
        Ok(TargetState::Applied)
    }
}
