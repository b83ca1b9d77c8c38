//! What a run did: as data and as text.

mod text;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{ChainHash, ErrorDetail};
use crate::change::Source;
use crate::plan::Drift;
use crate::words::words;

words! {
    /// How a run ended.
    RunStatus {
        /// Everything pending was applied.
        Success = "SUCCESS",
        /// There was nothing to do.
        NoChanges = "NO_CHANGES",
        /// Something failed, is blocked, or is not known.
        Failed = "FAILED",
        /// Nothing was looked at: `enabled(false)`.
        Disabled = "DISABLED",
    }
}

words! {
    /// How a stage ended.
    StageState {
        /// Everything pending in it was applied.
        Completed = "COMPLETED",
        /// There was nothing to do in it.
        UpToDate = "UP_TO_DATE",
        /// A change in it failed; those after it were not reached.
        Failed = "FAILED",
        /// A change in it needs an operator; nothing in it ran.
        Blocked = "BLOCKED",
        /// The run stopped before it.
        NotReached = "NOT_REACHED",
    }
}

words! {
    /// What became of a change.
    ChangeOutcome {
        /// It ran and the target has it.
        Applied = "APPLIED",
        /// An earlier attempt had applied it; this run found and recorded that.
        Recovered = "RECOVERED",
        /// It was undone.
        Undone = "UNDONE",
        /// It was undone and is held: it does not run until it is released.
        Held = "HELD",
        /// It failed, and the target has nothing of it.
        RolledBack = "ROLLED_BACK",
        /// It failed, and the target may have a part of it.
        Failed = "FAILED",
        /// It is not known how it ended; the next start finds out, or asks.
        Unknown = "UNKNOWN",
        /// It needs an operator.
        Issue = "ISSUE",
    }
}

/// How many changes ended how. The parts add up to the total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// All changes.
    pub total: usize,
    /// Applied, or found applied, by this run.
    pub applied: usize,
    /// Undone by this run.
    #[serde(default)]
    pub undone: usize,
    /// Applied before.
    pub already_applied: usize,
    /// Held: they do not run until they are released.
    #[serde(default)]
    pub held: usize,
    /// Failed, rolled back, or not known.
    pub failed: usize,
    /// Not run: after a failure, in a blocked stage, or because the run stopped.
    pub not_reached: usize,
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.applied += other.applied;
        self.undone += other.undone;
        self.already_applied += other.already_applied;
        self.held += other.held;
        self.failed += other.failed;
        self.not_reached += other.not_reached;
    }
}

/// What a run did.
///
/// [`Display`](std::fmt::Display) gives the text, serde the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// How it ended.
    pub status: RunStatus,
    /// Whose changes.
    pub service: String,
    /// See [`History::tenant`](crate::History::tenant).
    pub tenant: String,
    /// Id of the run (UUIDv7).
    pub execution: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// One per stage, in order.
    pub stages: Vec<StageReport>,
    /// All changes together.
    pub changes: Counters,
    /// Where code and audit have drifted apart.
    pub drifts: Vec<Drift>,
    /// Where the audit stands: note it elsewhere, and a rewritten audit shows.
    pub head: Option<AuditHead>,
}

/// Sequence and hash of the last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Sequence of the last entry; 0 before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: ChainHash,
}

/// What a run did in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageReport {
    /// Name of the stage.
    pub name: String,
    /// How it ended.
    pub state: StageState,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Its changes.
    pub changes: Counters,
    /// Those that this run did something with, or that stand in its way. Those applied before and
    /// those not reached are only counted.
    pub details: Vec<ChangeReport>,
}

/// What a run did with a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangeReport {
    /// Id of the change.
    pub id: String,
    /// What became of it.
    pub outcome: ChangeOutcome,
    /// Who wrote it.
    pub author: Option<String>,
    /// Its target system.
    pub target_system: String,
    /// Where it is written.
    pub source: Source,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What went wrong.
    pub error: Option<ErrorDetail>,
    /// More for a person: why it is an issue, what could not be recorded.
    pub note: Option<String>,
    /// What to do next, where it needs an operator.
    #[serde(default)]
    pub remedy: Option<String>,
}

impl Report {
    /// The changes that failed, are not known, or need an operator, in order.
    pub fn failing(&self) -> impl Iterator<Item = &ChangeReport> {
        let bad =
            [ChangeOutcome::RolledBack, ChangeOutcome::Failed, ChangeOutcome::Unknown, ChangeOutcome::Issue];
        self.stages
            .iter()
            .flat_map(|stage| &stage.details)
            .filter(move |change| bad.contains(&change.outcome))
    }

    /// One line: how it ended and how much was done.
    pub fn summary(&self) -> String {
        text::summary(self)
    }

    /// The summary, and for each failing change what happened, where, and what to do next.
    pub(crate) fn explanation(&self) -> String {
        text::explanation(self)
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
