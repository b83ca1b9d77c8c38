use flamingock_core::audit::{AuditEntry, AuditState, Head, Operation};

use super::ChangeSpec;

/// Whether the newest entry of a change holds it.
pub(super) fn is_held(latest: Option<&AuditEntry>) -> bool {
    latest.is_some_and(|entry| {
        entry.operation == Operation::Hold && entry.state == Some(AuditState::RolledBack)
    })
}

/// The first entry by which a change ran although it was to be held: from the STARTED of the hold on, unless
/// that left it applied, until it is released, ruled about, or undone without holding it.
pub(super) fn ran_while_held(entries: &[AuditEntry], id: &str) -> Option<u64> {
    let mut held = false;
    for entry in entries.iter().filter(|entry| entry.change == id) {
        if held && entry.operation == Operation::Apply {
            return Some(entry.sequence);
        }
        held = match entry.operation {
            Operation::Hold => entry.state != Some(AuditState::Applied),
            // How an undo ended is no word of a hold that went before.
            Operation::Undo if entry.state != Some(AuditState::Started) => held,
            _ => false,
        };
    }
    None
}

/// How many changes of each stage the head says are held; [`None`]: it calls nothing complete.
pub(super) fn claimed(head: &Head) -> Option<Vec<usize>> {
    let noted = head.digests.first()?;
    let digest = noted.split_once('+').map_or(noted.as_str(), |(digest, _)| digest);
    head.completed(digest)
}

/// Whether these are the counts of changes that are held, stage by stage.
pub(super) fn counts_are_right(
    claimed: &[usize],
    changes: &[ChangeSpec],
    is_held: impl Fn(&ChangeSpec) -> bool,
) -> bool {
    let mut stages: Vec<_> = changes.iter().map(|spec| spec.stage).collect();
    stages.dedup();
    let held = |stage| changes.iter().filter(|spec| spec.stage == stage && is_held(spec)).count();
    let claimed = claimed.iter().copied().chain(std::iter::repeat(0));
    stages.iter().zip(claimed).all(|(stage, claimed)| held(*stage) == claimed)
}
