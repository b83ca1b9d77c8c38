//! A change without a transaction that can look for itself.

use flamingock::prelude::*;

use super::Hold;
use crate::place::Folder;

flamingock::change_set!(pub CHANGES);

/// A change without a transaction that can look for itself.
#[derive(Debug)]
pub struct Effect;

#[change(id = "effect", order = 1, target_system = "folder")]
impl Effect {
    #[apply]
    fn apply(folder: &Folder, hold: &Hold) -> ChangeResult {
        hold.at("effect:before");
        folder.add_line("effect")?;
        hold.at("effect:after");
        Ok(())
    }

    #[verify]
    fn verify(folder: &Folder) -> Result<TargetState, std::convert::Infallible> {
        Ok(if folder.lines("effect") > 0 { TargetState::Applied } else { TargetState::NotApplied })
    }
}
