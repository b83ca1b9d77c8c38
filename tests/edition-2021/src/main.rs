//! A change in a binary, beside those of its library.

use flamingock::prelude::*;

flamingock::change_set!(CHANGES);

struct InBinary;

#[change(id = "in-binary", order = 2, target_system = "files")]
impl InBinary {
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

/// Prints the ids, one per line.
fn main() {
    let mut changes = CHANGES.changes();
    changes.extend(flamingock_edition_2021::CHANGES.changes());
    changes.sort_by(|a, b| a.id.cmp(&b.id));
    // The binary's module path is that of its library, so that each set has both.
    changes.dedup_by(|a, b| a.id == b.id);
    changes.iter().for_each(|change| println!("{}", change.id));
}
