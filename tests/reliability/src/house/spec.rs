use flamingock_core::change::RecoveryStrategy;

/// What is done with a change, and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeSpec {
    pub(crate) id: &'static str,
    pub(crate) kind: Kind,
    pub(crate) recovery: RecoveryStrategy,
    pub(crate) stage: Option<&'static str>,
    pub(crate) rollback: bool,
    pub(crate) verify: bool,
    pub(crate) fails: Fails,
    pub(crate) rollback_fails: Fails,
    /// The first process in which neither fails any more.
    pub(crate) mended_in: usize,
}

/// How a change and its target are kept together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One transaction.
    Tx,
    /// One transaction, which the first part commits by itself.
    Ddl,
    /// On the target without transactions.
    Plain,
    /// On the transactional target, with `transactional = false`.
    PlainOnDb,
}

impl Kind {
    pub(crate) fn is_transactional(self) -> bool {
        matches!(self, Self::Tx | Self::Ddl)
    }
}

/// Where a method fails by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fails {
    Never,
    /// Before anything, and it says so.
    NothingDone,
    Before,
    Half,
    AtTheEnd,
}

/// The process that comes last, and has no fault.
pub(crate) const LAST: usize = 9;

impl ChangeSpec {
    pub(crate) fn new(id: &'static str, kind: Kind) -> Self {
        Self {
            id,
            kind,
            recovery: RecoveryStrategy::ManualIntervention,
            stage: None,
            rollback: false,
            verify: false,
            fails: Fails::Never,
            rollback_fails: Fails::Never,
            mended_in: LAST,
        }
    }

    /// An idempotent change may be done again by itself.
    pub(crate) fn may_repeat(&self) -> bool {
        self.recovery == RecoveryStrategy::AlwaysRetry
    }

    pub(crate) fn retried(self) -> Self {
        Self { recovery: RecoveryStrategy::AlwaysRetry, ..self }
    }

    pub(crate) fn with_rollback(self) -> Self {
        Self { rollback: true, ..self }
    }

    pub(crate) fn with_verify(self) -> Self {
        Self { verify: true, ..self }
    }

    pub(crate) fn failing(self, fails: Fails) -> Self {
        Self { fails, ..self }
    }

    pub(crate) fn rollback_failing(self, rollback_fails: Fails) -> Self {
        Self { rollback: true, rollback_fails, ..self }
    }

    pub(crate) fn in_stage(self, stage: &'static str) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// Works again from the second process with faults on.
    pub(crate) fn mended_soon(self) -> Self {
        Self { mended_in: 2, ..self }
    }
}
