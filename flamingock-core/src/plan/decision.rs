use std::fmt;

use crate::audit::{AuditEntry, AuditState, Evidence, Operation, TxStrategy};
use crate::change::{RecoveryStrategy, TargetState};
use crate::pipeline::PipelineChange;
use crate::target::{Marker, MarkerState, Mode};

/// What is to be found out about a change before it can be decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Question {
    /// Ask the target for its marker.
    pub marker: bool,
    /// Ask the change's `#[verify]`, unless the marker settles it.
    pub verify: bool,
}

/// What was found out about a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// The target's marker, where it was asked and has one.
    pub marker: Option<Marker>,
    /// Why the session that a half marker names could not be ended, where that was tried: what it runs
    /// may still take effect.
    pub unended: Option<String>,
    /// What `#[verify]` said, where it was asked.
    pub verified: Option<Verified>,
}

impl Observation {
    /// The marker, unless the undo or ruling recorded at this sequence outranks it.
    pub(crate) fn marker_since(&self, outranked: Option<u64>) -> Option<&Marker> {
        self.marker.as_ref().filter(|marker| marker.sequence > outranked.unwrap_or(0))
    }
}

/// What came of asking `#[verify]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// It answered.
    State(TargetState),
    /// It failed.
    Failed(String),
}

/// What is to be done with a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The target has it.
    Skip,
    /// Nothing: it was undone, and is held until it is released.
    Held {
        /// Sequence of the entry that holds it.
        since: u64,
    },
    /// Run it.
    Apply(Attempt),
    /// The outcome is known after all: record it, run nothing.
    Record {
        /// `Applied` or `RolledBack`.
        state: AuditState,
        /// What settled it.
        evidence: Evidence,
    },
    /// An operator must look.
    Issue(IssueReason),
}

impl Decision {
    /// Whether the change is held.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Whether there is nothing to do and nothing wrong.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Skip | Self::Held { .. })
    }
}

/// An attempt at a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// Sequence of the undo or ruling since which attempts are counted; 0: the beginning.
    pub epoch: u64,
    /// Markers that are not newer than this sequence do not count.
    pub outranks: u64,
    /// An earlier attempt may have left something in the target: that this one did nothing does not
    /// mean that nothing is there, or, at an undo, that all of it is.
    pub over_remains: bool,
}

/// Why an operator must look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueReason {
    /// Nobody knows how much of it the target has.
    Uncertain {
        /// State of the latest entry.
        state: AuditState,
        /// What `#[verify]` said, if there is one.
        verified: Option<Verified>,
    },
    /// Something in the transaction committed by itself: the target has a part of it.
    PartiallyApplied,
    /// An undo did not come to an end.
    UndoUncertain,
    /// An earlier attempt may still be at work in the target: its session could not be ended, for this
    /// reason.
    StillRunning(String),
    /// A ruling says that the target has it not, the target's marker says that it has.
    RulingDisagrees,
    /// The outcome is uncertain, and the code no longer has the change.
    Removed,
    /// The outcome is uncertain, and the code now gives it another target or transaction strategy.
    Moved,
}

impl fmt::Display for IssueReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncertain { state: AuditState::Started, verified } => {
                f.write_str("it was started and nobody recorded how it ended")?;
                verdict(f, verified.as_ref())
            }
            Self::Uncertain { state: AuditState::RollbackFailed, verified } => {
                f.write_str("it failed, and so did its compensation")?;
                verdict(f, verified.as_ref())
            }
            Self::Uncertain { verified, .. } => {
                f.write_str("it failed and was not compensated")?;
                verdict(f, verified.as_ref())
            }
            Self::PartiallyApplied => {
                f.write_str("something in its transaction committed by itself: it is partially applied")
            }
            Self::UndoUncertain => f.write_str("its undo did not come to an end"),
            Self::StillRunning(error) => write!(
                f,
                "its earlier attempt may still be at work in the target, where its session could not be ended: \
                 {error}"
            ),
            Self::RulingDisagrees => {
                f.write_str("it was ruled rolled back, but the target's marker says that it is applied")
            }
            Self::Removed => f.write_str("its outcome is uncertain, and the code no longer has it"),
            Self::Moved => f.write_str(
                "its outcome is uncertain, and the code now gives it another target or transaction strategy",
            ),
        }
    }
}

fn verdict(f: &mut fmt::Formatter<'_>, verified: Option<&Verified>) -> fmt::Result {
    match verified {
        None => Ok(()),
        Some(Verified::State(TargetState::PartiallyApplied)) => {
            f.write_str("; #[verify] says that it is partially applied")
        }
        Some(Verified::State(TargetState::Applied)) => f.write_str("; #[verify] says that it is applied"),
        Some(Verified::State(TargetState::NotApplied)) => {
            f.write_str("; #[verify] says that it is not applied")
        }
        Some(Verified::Failed(error)) => write!(f, "; #[verify] failed: {error}"),
    }
}

/// Whether nobody knows what the target has of it.
pub(crate) fn is_uncertain(latest: &AuditEntry) -> bool {
    matches!(latest.state, Some(AuditState::Started | AuditState::Failed | AuditState::RollbackFailed))
}

/// What must be found out about a change whose latest entry is this.
pub(crate) fn question(change: &PipelineChange, latest: Option<&AuditEntry>) -> Question {
    let Some(latest) = latest else { return Question::default() };
    if is_uncertain(latest) {
        let here = stays(change, latest);
        Question {
            marker: here && change.mode == Mode::Transactional,
            verify: here && change.verify.is_some(),
        }
    } else {
        let ruled_back = latest.state == Some(AuditState::ManualMarkedAsRolledBack);
        Question { marker: ruled_back && change.mode == Mode::Transactional, verify: false }
    }
}

/// Whether the code still gives the change the target and the transaction strategy of its entry.
pub(crate) fn stays(change: &PipelineChange, entry: &AuditEntry) -> bool {
    let strategy = match change.mode {
        Mode::Transactional => TxStrategy::TxWithMarker,
        Mode::Plain => TxStrategy::NonTx,
    };
    entry.target_system == change.target_system && entry.tx_strategy == strategy
}

/// The decision table. The first row that fits.
pub(crate) fn decide(change: &PipelineChange, latest: Option<&AuditEntry>, seen: &Observation) -> Decision {
    let applied = |evidence| Decision::Record { state: AuditState::Applied, evidence };
    let verified = match &seen.verified {
        Some(Verified::State(state)) => Some(*state),
        Some(Verified::Failed(_)) | None => None,
    };
    let marker = seen.marker.as_ref().map(|marker| marker.state);

    let Some(latest) = latest else {
        return match (marker, verified) {
            (Some(MarkerState::Done), _) => applied(Evidence::Marker),
            (_, Some(TargetState::Applied)) => applied(Evidence::Verify),
            _ => Decision::Apply(attempt_after(None)),
        };
    };
    let apply = || Decision::Apply(attempt_after(Some(latest)));

    match latest.state {
        Some(AuditState::Applied | AuditState::ManualMarkedAsApplied) | None => return Decision::Skip,
        Some(AuditState::RolledBack) if latest.operation == Operation::Hold => {
            return Decision::Held { since: latest.sequence };
        }
        Some(AuditState::RolledBack) => return apply(),
        Some(AuditState::ManualMarkedAsRolledBack) => {
            let done = seen.marker.as_ref().filter(|marker| marker.state == MarkerState::Done);
            let disagrees = done.is_some_and(|marker| marker.sequence <= latest.sequence);
            return if disagrees && latest.evidence != Evidence::Overruled {
                Decision::Issue(IssueReason::RulingDisagrees)
            } else {
                apply()
            };
        }
        Some(AuditState::Started | AuditState::Failed | AuditState::RollbackFailed) => {}
    }

    if !stays(change, latest) {
        return Decision::Issue(IssueReason::Moved);
    }
    if let Some(error) = &seen.unended {
        return Decision::Issue(IssueReason::StillRunning(error.clone()));
    }
    if latest.operation.is_undo() {
        let undone = |evidence| Decision::Record { state: AuditState::RolledBack, evidence };
        // One that a ruling outranks is of an earlier undo.
        let of_this = seen.marker_since(latest.refers_to).is_some();
        return match (marker, verified) {
            (Some(MarkerState::Undone), _) if of_this => undone(Evidence::Marker),
            (Some(MarkerState::Done), _) => applied(Evidence::Marker),
            (_, Some(TargetState::NotApplied)) => undone(Evidence::Verify),
            (_, Some(TargetState::Applied)) => applied(Evidence::Verify),
            _ => Decision::Issue(IssueReason::UndoUncertain),
        };
    }

    // A marker that a ruling or an undo outranks counts as none.
    let marker_state = seen.marker_since(latest.refers_to).map(|marker| marker.state);
    if marker_state == Some(MarkerState::Done) {
        return applied(Evidence::Marker);
    }
    if verified == Some(TargetState::Applied) {
        return applied(Evidence::Verify);
    }
    let half = marker_state.is_some_and(MarkerState::is_half);
    let transactional = latest.tx_strategy == TxStrategy::TxWithMarker;
    if (transactional && !half) || verified == Some(TargetState::NotApplied) {
        return apply();
    }
    match (change.recovery, transactional) {
        (RecoveryStrategy::AlwaysRetry, _) => {
            Decision::Apply(Attempt { over_remains: true, ..attempt_after(Some(latest)) })
        }
        (RecoveryStrategy::ManualIntervention, true) => Decision::Issue(IssueReason::PartiallyApplied),
        (RecoveryStrategy::ManualIntervention, false) => Decision::Issue(IssueReason::Uncertain {
            state: latest.state.unwrap_or(AuditState::Started),
            verified: seen.verified.clone(),
        }),
    }
}

/// The attempt that follows an entry. An undo, a release and a ruling begin a new count.
pub(crate) fn attempt_after(latest: Option<&AuditEntry>) -> Attempt {
    let Some(latest) = latest else { return Attempt { number: 1, ..Attempt::default() } };
    let taken_back = latest.operation.is_undo() || latest.operation == Operation::Release;
    let begins_anew = latest.state == Some(AuditState::ManualMarkedAsRolledBack)
        || (latest.state == Some(AuditState::RolledBack) && taken_back);
    if begins_anew {
        return Attempt {
            number: 1,
            epoch: latest.sequence,
            outranks: latest.sequence,
            ..Attempt::default()
        };
    }
    let epoch = latest.refers_to.unwrap_or(0);
    let outranks = if latest.state == Some(AuditState::RolledBack) { latest.sequence } else { epoch };
    Attempt { number: latest.attempt.saturating_add(1), epoch, outranks, ..Attempt::default() }
}
