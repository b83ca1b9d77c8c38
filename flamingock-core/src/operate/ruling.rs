use serde::{Deserialize, Serialize};

use crate::audit::{AuditEntry, AuditState};
use crate::words::words;

words! {
    /// What an operator rules about a change.
    Resolution {
        /// The target has the change. It is not run.
        Applied = "APPLIED",
        /// The target has it not. The next start applies it.
        RolledBack = "ROLLED_BACK",
    }
}

impl Resolution {
    /// The state that it gives the change.
    pub fn state(self) -> AuditState {
        match self {
            Self::Applied => AuditState::ManualMarkedAsApplied,
            Self::RolledBack => AuditState::ManualMarkedAsRolledBack,
        }
    }
}

/// An operator's ruling, for [`Operator::rule`](super::Operator::rule).
///
/// ```
/// # use flamingock_core::operate::{Resolution, Ruling};
/// let ruling = Ruling::new("add-index", Resolution::Applied, "the index is there").by("jane");
/// # assert_eq!(ruling.operator, "jane");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ruling {
    /// Id of the change.
    pub change: String,
    /// What is ruled.
    pub resolution: Resolution,
    /// Why. Required.
    pub reason: String,
    /// Who rules.
    pub operator: String,
    /// Corrects a change that is settled.
    pub correct: bool,
    /// Rules although the next start may settle it by itself. What the target says still stands against it.
    pub force: bool,
    /// Rules although the target says otherwise: its marker, or `#[verify]`. Where the target is not asked,
    /// a second ruling of `RolledBack` outranks its marker.
    #[serde(default)]
    pub against_target: bool,
    /// Sequence of the change's newest entry when the operator looked at the target: once there is a newer
    /// one, the ruling is refused. Unless told, only what is recorded while it waits for the lock counts.
    #[serde(default)]
    pub seen: Option<u64>,
}

impl Ruling {
    /// A ruling about a change.
    pub fn new(change: impl Into<String>, resolution: Resolution, reason: impl Into<String>) -> Self {
        let (change, reason) = (change.into(), reason.into());
        Self {
            change,
            resolution,
            reason,
            operator: String::new(),
            correct: false,
            force: false,
            against_target: false,
            seen: None,
        }
    }

    /// Says who rules.
    #[must_use]
    pub fn by(mut self, operator: impl Into<String>) -> Self {
        self.operator = operator.into();
        self
    }

    /// Whether a settled change may be corrected.
    #[must_use]
    pub fn correct(mut self, correct: bool) -> Self {
        self.correct = correct;
        self
    }

    /// Says at which of the change's entries the operator looked at the target.
    #[must_use]
    pub fn seen(mut self, sequence: u64) -> Self {
        self.seen = Some(sequence);
        self
    }

    /// Whether to rule although the next start may settle it.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Whether to rule although the target says otherwise.
    #[must_use]
    pub fn against_target(mut self, against_target: bool) -> Self {
        self.against_target = against_target;
        self
    }
}

/// What came of a ruling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruled {
    /// The entry that it answers.
    pub before: AuditEntry,
    /// The entry that was written.
    pub entry: AuditEntry,
}

/// Adopts an existing system: marks changes as applied without running them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The last change that the system has; those before it are marked, too.
    pub to: String,
    /// Why.
    pub reason: Option<String>,
    /// Who says so.
    pub operator: Option<String>,
}
