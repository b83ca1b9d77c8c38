//! Whether an operator may rule so. No I/O.

use crate::audit::{AuditEntry, AuditState, Evidence, TxStrategy};
use crate::change::TargetState;
use crate::error::Stop;
use crate::lock::Holder;
use crate::operate::{Resolution, Ruling, Standing, proposed, standing};
use crate::plan::{Observation, Verified};
use crate::target::MarkerState;

/// What a target says about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Applied(Evidence),
    NotApplied(Evidence),
    /// It has a part of it, or cannot tell.
    Nothing,
}

/// What the target says about a change with this newest entry. A marker that was overruled counts as
/// none.
pub(super) fn said(latest: &AuditEntry, seen: &Observation) -> Said {
    let outranked = match latest.state {
        Some(AuditState::ManualMarkedAsApplied | AuditState::ManualMarkedAsRolledBack) => {
            (latest.evidence == Evidence::Overruled).then_some(latest.sequence)
        }
        _ => latest.refers_to,
    };
    let marker = seen.marker_since(outranked);
    let transactional = latest.tx_strategy == TxStrategy::TxWithMarker;
    match (marker.map(|marker| marker.state), &seen.verified) {
        (Some(MarkerState::Done), _) => Said::Applied(Evidence::Marker),
        (Some(MarkerState::Undone), _) => Said::NotApplied(Evidence::Marker),
        (_, Some(Verified::State(TargetState::Applied))) => Said::Applied(Evidence::Verify),
        (_, Some(Verified::State(TargetState::NotApplied))) => Said::NotApplied(Evidence::Verify),
        (None, None) if transactional => Said::NotApplied(Evidence::Marker),
        _ => Said::Nothing,
    }
}

/// Whether an operator may rule so, while `holder` has the lock; `said` by the target, where it was
/// asked. Returns the evidence to record.
pub(super) fn permitted(
    ruling: &Ruling,
    entry: &AuditEntry,
    holder: Option<&Holder>,
    said: Option<Said>,
) -> Result<Evidence, Stop> {
    by_standing(ruling, entry, holder, said)?;
    let id = ruling.change.escape_debug();
    let contradiction = match (said, ruling.resolution) {
        (Some(Said::Applied(by)), Resolution::RolledBack) => Some((by, "has it")),
        (Some(Said::NotApplied(by)), Resolution::Applied) => Some((by, "has it not")),
        _ => None,
    };
    // Said twice, and the second time against the target: it outranks the target's own marker.
    let again = entry.state == Some(AuditState::ManualMarkedAsRolledBack)
        && ruling.resolution == Resolution::RolledBack;
    match contradiction {
        Some((by, what)) if !ruling.against_target => Err(Stop::refused(format!(
            "the target does not agree that change `{id}` is {}: by its {by} it {what}. Look again, or bring \
             the target to what you rule. To rule all the same, do so with --against-target",
            ruling.resolution
        ))),
        Some(_) => Ok(Evidence::Overruled),
        None if again => Ok(Evidence::Overruled),
        None => Ok(Evidence::None),
    }
}

fn by_standing(
    ruling: &Ruling,
    entry: &AuditEntry,
    holder: Option<&Holder>,
    said: Option<Said>,
) -> Result<(), Stop> {
    let id = ruling.change.escape_debug();
    let state = entry.state.map_or("IMPORTED", AuditState::as_str);
    let stands = standing(entry, holder);
    let clean = entry.state == Some(AuditState::RolledBack);
    let again = entry.state == Some(ruling.resolution.state());
    let agrees = match said {
        Some(Said::Applied(_)) => ruling.resolution == Resolution::Applied,
        Some(Said::NotApplied(_)) => ruling.resolution == Resolution::RolledBack,
        Some(Said::Nothing) | None => false,
    };
    match stands {
        Standing::Issue => Ok(()),
        // Whoever is at it has the lock: waiting for it tells.
        Standing::Running => Ok(()),
        Standing::RolledBack if again && ruling.against_target => Ok(()),
        Standing::RolledBack if again => Err(Stop::refused(format!(
            "change `{id}` was ruled rolled back already (entry {}). If a start still calls it an issue, the \
             target's marker says that it is applied: rule again with --against-target to overrule the marker, \
             or rule that it is applied with --override",
            entry.sequence
        ))),
        Standing::Applied if ruling.resolution == Resolution::Applied => Err(Stop::refused(format!(
            "change `{id}` is applied already: {state} (entry {})",
            entry.sequence
        ))),
        Standing::Held if ruling.resolution == Resolution::RolledBack => Err(Stop::refused(format!(
            "change `{id}` is rolled back and held (entry {}): {} lets it run again",
            entry.sequence,
            proposed::release(&entry.history(), &ruling.change)
        ))),
        Standing::Applied | Standing::RolledBack | Standing::Held if ruling.correct => Ok(()),
        Standing::Failing if clean && ruling.correct => Ok(()),
        Standing::Applied | Standing::RolledBack | Standing::Held => Err(Stop::refused(format!(
            "change `{id}` is settled: {state} (entry {}). To correct that, rule with --override",
            entry.sequence
        ))),
        Standing::Failing if clean => Err(Stop::refused(format!(
            "change `{id}` is no issue: the target has nothing of it ({state}, entry {}), and the next start \
             tries it again. To rule all the same, do so with --override",
            entry.sequence
        ))),
        Standing::Uncertain | Standing::Failing if ruling.force || agrees => Ok(()),
        Standing::Failing => Err(Stop::refused(format!(
            "change `{id}` may be retried (ALWAYS_RETRY): the next start applies it again and settles it, if the \
             code still has it as it was. To rule all the same, do so with --force"
        ))),
        // The target was asked, and whether it agrees is the next question.
        Standing::Uncertain if said.is_some() => Ok(()),
        Standing::Uncertain => Err(Stop::refused(format!(
            "change `{id}` is merely uncertain: the next start asks the target's marker and settles it, if the code \
             still has it as it was. Start the application, or ask with `flamingock issue check`. Where that does \
             not settle it, look at the target and rule with --force"
        ))),
    }
}
