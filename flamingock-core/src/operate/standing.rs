use crate::audit::{AuditEntry, AuditState, Operation, TxStrategy};
use crate::change::RecoveryStrategy;
use crate::lock::Holder;
use crate::operate::Resolution;
use crate::words::words;

words! {
    /// Where a change stands, as far as the audit and the lock alone can tell.
    Standing {
        /// The target has it.
        Applied = "APPLIED",
        /// The target has it not; the next start applies it.
        RolledBack = "ROLLED_BACK",
        /// It was undone and is held: no start runs it until it is released.
        Held = "HELD",
        /// A live run is at it.
        Running = "RUNNING",
        /// It failed, and the next start tries it again.
        Failing = "FAILING",
        /// Nobody recorded how it ended; the next start may settle it by marker or `#[verify]`.
        Uncertain = "UNCERTAIN",
        /// It needs an operator: by the audit, or since the last start said so.
        Issue = "ISSUE",
    }
}

/// The flag without which `flamingock audit fix` refuses a ruling on a change with this newest entry; empty
/// where it needs none. Whether the target agrees is asked besides.
pub fn consent(entry: &AuditEntry, resolution: Resolution) -> &'static str {
    match (standing(entry, None), resolution) {
        (Standing::Issue | Standing::Running, _) => "",
        (Standing::RolledBack, Resolution::RolledBack) => " --against-target",
        (Standing::Applied | Standing::RolledBack | Standing::Held, _) => " --override",
        (Standing::Failing, _) if entry.state == Some(AuditState::RolledBack) => " --override",
        (Standing::Failing | Standing::Uncertain, _) => " --force",
    }
}

/// Where a change stands whose newest entry is this, while `holder` has the lock.
///
/// Only the application has markers and `#[verify]`: they can still settle an issue, too.
pub fn standing(entry: &AuditEntry, holder: Option<&Holder>) -> Standing {
    let state = match entry.state {
        None | Some(AuditState::Applied | AuditState::ManualMarkedAsApplied) => return Standing::Applied,
        Some(AuditState::ManualMarkedAsRolledBack) => return Standing::RolledBack,
        Some(AuditState::RolledBack) => {
            return match entry.operation {
                Operation::Hold => Standing::Held,
                Operation::Undo | Operation::Release => Standing::RolledBack,
                _ => Standing::Failing,
            };
        }
        Some(state) => state,
    };
    if holder.is_some_and(|holder| holder.execution == entry.execution) {
        return Standing::Running;
    }
    let transactional = entry.tx_strategy == TxStrategy::TxWithMarker;
    match (state, transactional) {
        // Its transaction's end was not recorded: the marker knows it.
        (AuditState::Started, true) => Standing::Uncertain,
        _ if entry.operation.is_undo() => Standing::Issue,
        _ if entry.recovery == RecoveryStrategy::AlwaysRetry => Standing::Failing,
        _ => Standing::Issue,
    }
}
