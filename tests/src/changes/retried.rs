//! A change without a transaction that may be applied again.

use flamingock::prelude::*;

use super::Hold;
use crate::place::Folder;

flamingock::change_set!(pub CHANGES);

/// A change without a transaction that may be applied again.
#[derive(Debug)]
pub struct Effect;

#[change(id = "effect", order = 1, target_system = "folder", recovery = always_retry)]
impl Effect {
    #[apply]
    fn apply(folder: &Folder, hold: &Hold) -> ChangeResult {
        hold.at("effect:before");
        folder.add_line("effect")?;
        hold.at("effect:after");
        Ok(())
    }
}
