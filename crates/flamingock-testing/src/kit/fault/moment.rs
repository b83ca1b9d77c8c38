use std::fmt;

use flamingock_core::audit::AuditState;
use flamingock_core::change::CodeChange;

/// A moment in the life of a change: something that passes between the run and a system.
///
/// A transactional change that goes well has them in this order: `Started`, `Marker`, `Apply`, `Finish`,
/// `Commit`, `Applied`. Without a transaction: `Started`, `Apply`, `Applied`. `APPLIED` is recorded by the
/// same append as the next change's `STARTED`, or by the last one of the run.
///
/// ```
/// use flamingock_testing::{Moment, after, before};
///
/// before(Moment::Commit.of_id("add-tracking-code"));
/// after(Moment::Started.of_id("add-tracking-code"));
/// before(Moment::ApplyStep(2).of_id("add-tracking-code"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moment {
    /// `STARTED` is recorded: nothing of the change is run before.
    Started,
    /// The change's transaction locks the fence and writes its first marker.
    Marker,
    /// `#[apply]` is called.
    Apply,
    /// `#[apply]` tells its progress for the so-manieth time, from 1.
    ApplyStep(u32),
    /// `#[apply]` waits for something for the so-manieth time, from 1; only where it is `async`.
    ApplyWait(u32),
    /// The change's transaction writes its last marker.
    Finish,
    /// The change's transaction is committed.
    Commit,
    /// `APPLIED` is recorded.
    Applied,
    /// The change's transaction is rolled back, after `#[apply]` or an undo failed.
    TransactionRollback,
    /// `FAILED` is recorded.
    Failed,
    /// `#[rollback]` is called: to compensate, or to undo.
    Rollback,
    /// `#[rollback]` tells its progress for the so-manieth time, from 1.
    RollbackStep(u32),
    /// `#[rollback]` waits for something for the so-manieth time, from 1; only where it is `async`.
    RollbackWait(u32),
    /// `ROLLED_BACK` is recorded.
    RolledBack,
    /// `ROLLBACK_FAILED` is recorded.
    RollbackFailed,
    /// `#[verify]` is called.
    Verify,
}

impl Moment {
    /// This moment of the change of this type.
    pub fn of<C: CodeChange>(self) -> At {
        self.of_id(C::ID)
    }

    /// This moment of the change with this id.
    pub fn of_id(self, change: impl Into<String>) -> At {
        At { moment: self, change: change.into() }
    }

    pub(super) fn of_state(state: AuditState) -> Option<Self> {
        Some(match state {
            AuditState::Started => Self::Started,
            AuditState::Applied => Self::Applied,
            AuditState::Failed => Self::Failed,
            AuditState::RolledBack => Self::RolledBack,
            AuditState::RollbackFailed => Self::RollbackFailed,
            AuditState::ManualMarkedAsApplied | AuditState::ManualMarkedAsRolledBack => return None,
        })
    }

    /// Whether it is within a method: there is no answer that could be lost.
    pub(super) fn is_within(self) -> bool {
        matches!(
            self,
            Self::ApplyStep(_) | Self::ApplyWait(_) | Self::RollbackStep(_) | Self::RollbackWait(_)
        )
    }
}

/// A moment of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    pub(super) moment: Moment,
    pub(super) change: String,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{:?}` of change `{}`", self.moment, self.change)
    }
}

/// Where a process dies: made by [`before`] and [`after`]. An [`At`] alone means before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashAt {
    pub(super) at: At,
    pub(super) after: bool,
}

/// The process dies before this has happened.
pub fn before(at: At) -> CrashAt {
    CrashAt { at, after: false }
}

/// The process dies when this has happened, before it hears of it.
pub fn after(at: At) -> CrashAt {
    CrashAt { at, after: true }
}

impl From<At> for CrashAt {
    fn from(at: At) -> Self {
        before(at)
    }
}
