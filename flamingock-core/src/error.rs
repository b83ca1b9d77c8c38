use std::error::Error;
use std::fmt;

use crate::audit::ErrorDetail;
use crate::report::Report;
use crate::target::TargetSystem;
use crate::words::words;
use crate::{BackendError, BackendErrorKind};

/// Why a run did not end well, with the report of what it did before.
///
/// `{:?}` is the same text as `{}`, because that is what a `main` that returns it prints; `{:#?}`
/// shows everything.
pub struct RunError {
    stop: Box<Stop>,
    report: Box<Report>,
}

words! {
    /// Why a run did not end well.
    #[non_exhaustive]
    RunErrorKind {
        /// A change failed, or it is not known how it ended.
        ChangeFailed = "CHANGE_FAILED",
        /// A change needs an operator.
        Issue = "ISSUE",
        /// Mode `check`: changes are pending.
        Pending = "PENDING",
        /// Mode `wait`: the changes were not applied in time.
        WaitTimeout = "WAIT_TIMEOUT",
        /// Another instance held the lock for too long.
        LockTimeout = "LOCK_TIMEOUT",
        /// The instance that was waited for ended badly.
        AnotherRunFailed = "ANOTHER_RUN_FAILED",
        /// The lease was lost: another runner may be at work. Nothing more was recorded.
        LeaseLost = "LEASE_LOST",
        /// The run was cancelled.
        Cancelled = "CANCELLED",
        /// The audit store or the lock failed.
        AuditStore = "AUDIT_STORE",
        /// A target system failed outside a change.
        Target = "TARGET",
        /// Code and audit have drifted apart, and the policy is to fail.
        Drift = "DRIFT",
        /// The audit store is older than its targets: it was restored from a backup.
        AuditWentBack = "AUDIT_WENT_BACK",
        /// A target is older than the audit says: it was restored from a backup.
        TargetWentBack = "TARGET_WENT_BACK",
        /// The targets know these changes under another service.
        ServiceRenamed = "SERVICE_RENAMED",
        /// What was asked for cannot be done.
        Refused = "REFUSED",
    }
}

impl RunError {
    pub(crate) fn new(stop: Stop, report: Report) -> Self {
        Self { stop: Box::new(stop), report: Box::new(report) }
    }

    /// Why.
    pub fn kind(&self) -> RunErrorKind {
        self.stop.kind
    }

    /// What was done before.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stop.message)
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("RunError").field("stop", &self.stop).field("report", &self.report).finish()
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.stop.source.as_ref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Ends a run.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) kind: RunErrorKind,
    pub(crate) message: String,
    pub(crate) source: Option<BackendError>,
    /// What had gone wrong in the change at hand before this ended the run.
    pub(crate) failure: Option<ErrorDetail>,
}

impl Stop {
    pub(crate) fn new(kind: RunErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, failure: None }
    }

    pub(crate) fn lease_lost(what: impl fmt::Display) -> Self {
        Self::new(
            RunErrorKind::LeaseLost,
            format!(
                "the lease was lost: {what}. Nothing more was recorded; another instance goes on from here"
            ),
        )
    }

    /// What an operator asks for is not done.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(RunErrorKind::Refused, message)
    }

    /// The run was told to stop.
    pub(crate) fn cancelled() -> Self {
        let message = "the run was cancelled; what was applied is recorded, the next start goes on from here";
        Self::new(RunErrorKind::Cancelled, message)
    }

    /// From an error of the audit store, or of the lock that it keeps.
    pub(crate) fn store(address: &str, source: BackendError) -> Self {
        Self::kept("audit store", address, source)
    }

    /// From an error of a lock that is kept elsewhere.
    pub(crate) fn lock(source: BackendError) -> Self {
        Self::kept("lock store", "", source)
    }

    fn kept(what: &str, address: &str, source: BackendError) -> Self {
        if source.is_lease_lost() {
            return Self { source: Some(source), ..Self::lease_lost("another run is in office") };
        }
        Self::backend(RunErrorKind::AuditStore, what, address, source)
    }

    /// From an error of a target system outside a change.
    pub(crate) fn target(target: &dyn TargetSystem, source: BackendError) -> Self {
        let what = format!("target system `{}`", target.id());
        Self::backend(RunErrorKind::Target, &what, &target.address(), source)
    }

    fn backend(kind: RunErrorKind, what: &str, address: &str, source: BackendError) -> Self {
        let (said, next) = (source.to_string(), remedy(source.kind()));
        let address = if address.is_empty() || said.contains(address) {
            String::new()
        } else {
            format!(" at {address}")
        };
        let message = format!("{what}{address}: {said}. {next}");
        Self { source: Some(source), ..Self::new(kind, message) }
    }

    /// Adds a sentence.
    pub(crate) fn with(mut self, sentence: impl fmt::Display) -> Self {
        self.message.push_str(&format!(". {sentence}"));
        self
    }
}

/// What to do next.
fn remedy(kind: BackendErrorKind) -> &'static str {
    match kind {
        BackendErrorKind::Unavailable => "Check that it is up and reachable from here, then start again",
        BackendErrorKind::Busy => {
            "Another process keeps it locked: end that process, or wait, then start again"
        }
        BackendErrorKind::LeaseLost => "Another instance goes on from here",
        BackendErrorKind::InvalidData => "It refused what was to be stored",
        BackendErrorKind::Corrupt => "What is stored there was damaged: restore it, or have it looked at",
        BackendErrorKind::Schema => {
            "Its tables are not the ones this release expects: correct the names, or let it create them"
        }
        BackendErrorKind::NewerFormat => {
            "It was written by a newer release: run that release, or a newer one"
        }
        BackendErrorKind::ReadOnly => {
            "Give this user or this file write access, or run in mode `wait` or `check`"
        }
        BackendErrorKind::StorageFull => "Free some space, then start again",
        BackendErrorKind::Denied => "Check user, password and permissions",
        BackendErrorKind::Misconfigured => "Correct the configuration, then start again",
        BackendErrorKind::Other => "See the cause above",
    }
}
