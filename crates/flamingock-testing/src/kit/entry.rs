use std::fmt::Display;

use flamingock_core::audit::{AuditEntry, AuditState, ErrorDetail, Evidence, Operation, TxStrategy};
use flamingock_core::change::{CodeChange, RecoveryStrategy};
use flamingock_core::target::MarkerState;

use super::diff::Expected;

/// An audit entry as a test names it: of which change, in which state, and as much more as matters.
///
/// Only what it says is compared. [`entry`] and [`entry_of`] begin one:
///
/// ```
/// use flamingock_core::audit::{Evidence, Operation};
/// use flamingock_testing::entry_of;
///
/// entry_of("add-tracking-code").applied();
/// entry_of("add-tracking-code").applied().attempt(2).evidence(Evidence::Marker);
/// entry_of("add-tracking-code").rollback_failed().operation(Operation::Undo).error_contains("no such column");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Entry {
    pub(super) change: String,
    pub(super) state: Option<AuditState>,
    pub(super) details: Vec<Detail>,
    pub(super) marker: Option<MarkerState>,
}

/// An entry of the change of this type: `entry::<AddTrackingCode>().applied()`.
pub fn entry<C: CodeChange>() -> Entry {
    entry_of(C::ID)
}

/// An entry of the change with this id; of none (a tag, a broken lock) when it is empty.
pub fn entry_of(change: impl Into<String>) -> Entry {
    Entry { change: change.into(), state: None, details: Vec::new(), marker: None }
}

/// A detail that an expectation names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detail {
    Operation(Operation),
    Attempt(u32),
    Evidence(Evidence),
    Strategy(TxStrategy),
    Recovery(RecoveryStrategy),
    Stage(String),
    Target(String),
    Author(String),
    Operator(String),
    Reason(String),
    Error(String),
    NoError,
}

impl Entry {
    /// `STARTED`: an attempt began.
    pub fn started(self) -> Self {
        self.state(AuditState::Started)
    }

    /// `APPLIED`: the target has the change.
    pub fn applied(self) -> Self {
        self.state(AuditState::Applied)
    }

    /// `FAILED`: the attempt failed.
    pub fn failed(self) -> Self {
        self.state(AuditState::Failed)
    }

    /// `ROLLED_BACK`: the target has nothing of it.
    pub fn rolled_back(self) -> Self {
        self.state(AuditState::RolledBack)
    }

    /// `ROLLBACK_FAILED`: the compensation or the undo failed.
    pub fn rollback_failed(self) -> Self {
        self.state(AuditState::RollbackFailed)
    }

    /// `MANUAL_MARKED_AS_APPLIED`: an operator ruled that the target has it.
    pub fn marked_as_applied(self) -> Self {
        self.state(AuditState::ManualMarkedAsApplied)
    }

    /// `MANUAL_MARKED_AS_ROLLED_BACK`: an operator ruled that the target has it not.
    pub fn marked_as_rolled_back(self) -> Self {
        self.state(AuditState::ManualMarkedAsRolledBack)
    }

    /// This state.
    pub fn state(mut self, state: AuditState) -> Self {
        self.state = Some(state);
        self
    }

    /// What was being done: apply, undo, ruling, ..
    pub fn operation(self, operation: Operation) -> Self {
        self.with(Detail::Operation(operation))
    }

    /// Which attempt it was, from 1.
    pub fn attempt(self, attempt: u32) -> Self {
        self.with(Detail::Attempt(attempt))
    }

    /// What settled the outcome.
    pub fn evidence(self, evidence: Evidence) -> Self {
        self.with(Detail::Evidence(evidence))
    }

    /// Whether it ran in a transaction with a marker.
    pub fn tx_strategy(self, strategy: TxStrategy) -> Self {
        self.with(Detail::Strategy(strategy))
    }

    /// The change's recovery strategy at the time.
    pub fn recovery(self, recovery: RecoveryStrategy) -> Self {
        self.with(Detail::Recovery(recovery))
    }

    /// The change's stage.
    pub fn stage(self, stage: impl Into<String>) -> Self {
        self.with(Detail::Stage(stage.into()))
    }

    /// Id of the target system.
    pub fn target(self, id: impl Into<String>) -> Self {
        self.with(Detail::Target(id.into()))
    }

    /// Who wrote the change.
    pub fn author(self, author: impl Into<String>) -> Self {
        self.with(Detail::Author(author.into()))
    }

    /// Who ruled.
    pub fn operator(self, operator: impl Into<String>) -> Self {
        self.with(Detail::Operator(operator.into()))
    }

    /// Why, in the operator's words.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.with(Detail::Reason(reason.into()))
    }

    /// Type, message or causes of the error contain this.
    pub fn error_contains(self, text: impl Into<String>) -> Self {
        self.with(Detail::Error(text.into()))
    }

    /// It has no error.
    pub fn without_error(self) -> Self {
        self.with(Detail::NoError)
    }

    /// For [`existing_audit`](super::FlamingockTest::existing_audit): what the target's marker says. A
    /// transactional change that is `APPLIED` leaves `done` without being told, one that is undone `undone`.
    ///
    /// A `STARTED` with `done` is a run that died after its commit; with `begun`, one whose change
    /// committed a part by itself, as DDL does on MySQL.
    pub fn marker(mut self, state: MarkerState) -> Self {
        self.marker = Some(state);
        self
    }

    fn with(mut self, detail: Detail) -> Self {
        self.details.retain(|other| std::mem::discriminant(other) != std::mem::discriminant(&detail));
        self.details.push(detail);
        self
    }

    fn with_details(head: String, details: impl Iterator<Item = String>) -> String {
        details.fold(head, |line, detail| format!("{line}, {detail}"))
    }
}

impl Detail {
    fn fits(&self, entry: &AuditEntry) -> bool {
        match self {
            Self::Operation(operation) => *operation == entry.operation,
            Self::Attempt(attempt) => *attempt == entry.attempt,
            Self::Evidence(evidence) => *evidence == entry.evidence,
            Self::Strategy(strategy) => *strategy == entry.tx_strategy,
            Self::Recovery(recovery) => *recovery == entry.recovery,
            Self::Stage(stage) => *stage == entry.stage,
            Self::Target(target) => *target == entry.target_system,
            Self::Author(author) => Some(author) == entry.author.as_ref(),
            Self::Operator(operator) => Some(operator) == entry.operator.as_ref(),
            Self::Reason(reason) => Some(reason) == entry.reason.as_ref(),
            Self::Error(text) => entry.error.as_ref().is_some_and(|error| full(error).contains(text)),
            Self::NoError => entry.error.is_none(),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Operation(operation) => format!("operation {operation}"),
            Self::Attempt(attempt) => format!("attempt {attempt}"),
            Self::Evidence(evidence) => format!("evidence {evidence}"),
            Self::Strategy(strategy) => format!("strategy {strategy}"),
            Self::Recovery(recovery) => format!("recovery {recovery}"),
            Self::Stage(stage) => format!("stage `{stage}`"),
            Self::Target(target) => format!("target `{target}`"),
            Self::Author(author) => format!("author `{author}`"),
            Self::Operator(operator) => format!("operator `{operator}`"),
            Self::Reason(reason) => format!("reason `{reason}`"),
            Self::Error(text) => format!("error contains `{text}`"),
            Self::NoError => "no error".to_owned(),
        }
    }

    /// What the entry says of the same.
    fn line_for(&self, entry: &AuditEntry) -> String {
        let text = |name: &str, value: Option<&String>| match value {
            Some(value) => format!("{name} `{value}`"),
            None => format!("no {name}"),
        };
        match self {
            Self::Operation(_) => Self::Operation(entry.operation).line(),
            Self::Attempt(_) => Self::Attempt(entry.attempt).line(),
            Self::Evidence(_) => Self::Evidence(entry.evidence).line(),
            Self::Strategy(_) => Self::Strategy(entry.tx_strategy).line(),
            Self::Recovery(_) => Self::Recovery(entry.recovery).line(),
            Self::Stage(_) => text("stage", Some(&entry.stage)),
            Self::Target(_) => text("target", Some(&entry.target_system)),
            Self::Author(_) => text("author", entry.author.as_ref()),
            Self::Operator(_) => text("operator", entry.operator.as_ref()),
            Self::Reason(_) => text("reason", entry.reason.as_ref()),
            Self::Error(_) | Self::NoError => text("error", entry.error.as_ref().map(full).as_ref()),
        }
    }

    /// Makes an entry say it.
    pub(super) fn set(&self, entry: &mut AuditEntry) {
        match self {
            Self::Operation(operation) => entry.operation = *operation,
            Self::Attempt(attempt) => entry.attempt = *attempt,
            Self::Evidence(evidence) => entry.evidence = *evidence,
            Self::Strategy(strategy) => entry.tx_strategy = *strategy,
            Self::Recovery(recovery) => entry.recovery = *recovery,
            Self::Stage(stage) => entry.stage.clone_from(stage),
            Self::Target(target) => entry.target_system.clone_from(target),
            Self::Author(author) => entry.author = Some(author.clone()),
            Self::Operator(operator) => entry.operator = Some(operator.clone()),
            Self::Reason(reason) => entry.reason = Some(reason.clone()),
            Self::Error(text) => entry.error = Some(ErrorDetail::new("", [text.clone()])),
            Self::NoError => entry.error = None,
        }
    }
}

fn full(error: &ErrorDetail) -> String {
    if error.causes.is_empty() { error.to_string() } else { format!("{error}: {}", error.causes) }
}

fn head(change: &str, state: impl Display) -> String {
    if change.is_empty() { state.to_string() } else { format!("{change} {state}") }
}

fn state_of(entry: &AuditEntry) -> String {
    entry.state.map_or_else(|| entry.operation.to_string(), |state| state.to_string())
}

impl Expected for Entry {
    type Actual = AuditEntry;

    fn key(&self, occurrence: Option<&AuditEntry>) -> String {
        match (self.state, occurrence) {
            (Some(state), _) => head(&self.change, state),
            (None, Some(entry)) => Self::key_of(entry),
            (None, None) => self.change.clone(),
        }
    }

    fn key_of(actual: &AuditEntry) -> String {
        head(&actual.change, state_of(actual))
    }

    fn is_about(&self, actual: &AuditEntry) -> bool {
        self.change == actual.change
    }

    fn fits(&self, actual: &AuditEntry) -> bool {
        self.is_about(actual)
            && (self.state.is_none() || self.state == actual.state)
            && self.details.iter().all(|detail| detail.fits(actual))
    }

    fn line(&self) -> String {
        let state = self.state.map_or("in any state", AuditState::as_str);
        Self::with_details(head(&self.change, state), self.details.iter().map(Detail::line))
    }

    fn line_for(&self, actual: &AuditEntry) -> String {
        let details = self.details.iter().map(|detail| detail.line_for(actual));
        Self::with_details(Self::key_of(actual), details)
    }

    fn line_of(actual: &AuditEntry) -> String {
        let usual = [Operation::Apply, Operation::Rollback, Operation::Ruling];
        let mut details = Vec::new();
        if actual.state.is_some() && !usual.contains(&actual.operation) {
            details.push(Detail::Operation(actual.operation).line());
        }
        if actual.attempt > 1 {
            details.push(Detail::Attempt(actual.attempt).line());
        }
        if actual.evidence != Evidence::None {
            details.push(Detail::Evidence(actual.evidence).line());
        }
        if actual.error.is_some() {
            details.push(Detail::NoError.line_for(actual));
        }
        Self::with_details(Self::key_of(actual), details.into_iter())
    }
}
