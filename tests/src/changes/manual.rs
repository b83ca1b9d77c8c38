//! A change without a transaction that nothing settles after a crash.

use flamingock::prelude::*;

use super::Hold;
use crate::place::Folder;

flamingock::change_set!(pub CHANGES);

/// A change without a transaction that nothing settles after a crash.
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
}
