//! Changes in the library of another crate, of edition 2021.

use flamingock::prelude::*;

flamingock::change_set!(pub CHANGES);

/// A change.
#[derive(Debug)]
pub struct InLibrary;

#[change(id = "in-library", order = "0001", target_system = "files")]
impl InLibrary {
    #[apply]
    async fn apply(text: &mut String, root: &std::path::Path, name: Option<&str>) -> ChangeResult {
        text.push_str(&format!("{} {name:?}", root.display()));
        Ok(())
    }

    #[rollback]
    fn rollback(text: &mut String) -> Result<(), String> {
        Err(text.clone())
    }

    #[verify]
    async fn verify() -> Result<TargetState, BoxError> {
        Ok(TargetState::Applied)
    }
}
