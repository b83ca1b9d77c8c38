//! The strictest crate there is can hold changes.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    rust_2018_idioms,
    single_use_lifetimes,
    unused_lifetimes,
    clippy::all
)]

use flamingock::prelude::{ChangeResult, TargetState, apply, change, rollback, verify};

/// Everything linked.
pub mod changes {
    flamingock::change_set!(pub CHANGES);
}

flamingock::change_set!(
    /// These changes.
    CHANGES
);

/// A transaction.
#[derive(Debug)]
pub struct Transaction<'c>(&'c str);

/// A change.
#[derive(Debug)]
pub struct Strict;

/// Does nothing, strictly.
#[change(id = "strict", order = 1, target_system = "t")]
impl Strict {
    #[apply]
    async fn apply(tx: &mut Transaction<'_>, name: Option<&str>, text: &String) -> ChangeResult {
        println!("{} {name:?} {text}", tx.0);
        Ok(())
    }

    /// Documented and public.
    #[rollback]
    pub fn rollback(tx: &mut Transaction<'_>) -> ChangeResult {
        println!("{}", tx.0);
        Ok(())
    }

    #[verify]
    async fn verify(name: &str) -> Result<TargetState, String> {
        Err(name.to_owned())
    }
}

// Never constructed, and still no dead code.
struct Private;

#[change(id = "private", order = 2, target_system = "t")]
impl Private {
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

#[test]
fn strict_crates_can_hold_changes() {
    assert_eq!(CHANGES.changes().len(), 2);
    assert_eq!(changes::CHANGES.changes().len(), 0);
}
