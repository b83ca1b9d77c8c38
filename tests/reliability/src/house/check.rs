use std::collections::BTreeMap;

use flamingock_core::audit::{AuditEntry, AuditState, ChainHash, Operation, verify_chain};
use flamingock_core::report::{ChangeOutcome, Report};
use flamingock_core::{RunError, RunErrorKind};

use super::held::{claimed, counts_are_right, is_held, ran_while_held};
use super::{ChangeSpec, House, Kind, Offices, PARTS};

/// Judges by what the targets contain and what the audit says.
pub(crate) struct Checker<'a> {
    changes: &'a [ChangeSpec],
    /// A run that had stood still is at work besides another.
    pub(crate) stale: bool,
    pub(crate) violations: Vec<String>,
}

/// What a target has of one change.
#[derive(Debug)]
pub(crate) struct Content {
    on: [bool; 2],
    /// How often each part was done.
    times: [u64; 2],
    undone: [u64; 2],
}

impl Content {
    /// What the target has of a change.
    pub(crate) fn seen(house: &House, spec: &ChangeSpec) -> Self {
        let keys = if spec.kind == Kind::Plain { house.flags.snapshot() } else { house.db.snapshot() };
        Self::of(&keys, spec.id)
    }

    fn of(keys: &BTreeMap<String, String>, id: &str) -> Self {
        let number = |key: String| keys.get(&key).and_then(|text| text.parse().ok()).unwrap_or(0);
        Self {
            on: PARTS.map(|part| keys.contains_key(&format!("{id}.{part}"))),
            times: PARTS.map(|part| number(format!("{id}.{part}.times"))),
            undone: PARTS.map(|part| number(format!("{id}.{part}.undone"))),
        }
    }

    pub(crate) fn all(&self) -> bool {
        self.on.iter().all(|on| *on)
    }

    pub(crate) fn nothing(&self) -> bool {
        self.on.iter().all(|on| !*on)
    }

    fn half(&self) -> bool {
        !self.all() && !self.nothing()
    }
}

impl<'a> Checker<'a> {
    pub(crate) fn new(changes: &'a [ChangeSpec], stale: bool) -> Self {
        Self { changes, stale, violations: Vec::new() }
    }

    pub(crate) fn violated(&mut self, when: &str, what: impl Into<String>) {
        self.violations.push(format!("{} ({when})", what.into()));
    }

    /// Nothing fences a target without transactions: what a stale run still does there under a strategy
    /// that lets others go on is outside the promise, and the docs say so.
    fn beyond_control(&self, spec: &ChangeSpec, entries: &[AuditEntry]) -> bool {
        let reopened = |entry: &AuditEntry| {
            let again = entry.operation.is_undo() || entry.operation == Operation::Ruling;
            entry.change == spec.id && again
        };
        self.stale
            && !spec.kind.is_transactional()
            && (spec.may_repeat() || spec.verify || entries.iter().any(reopened))
    }

    /// What must hold whenever no process is at work.
    pub(crate) async fn always(&mut self, house: &House, when: &str) {
        let entries = house.entries().await;
        self.log(house, &entries, when).await;
        for spec in self.changes {
            let content = Content::seen(house, spec);
            self.times(spec, &content, &entries, when);
            if !self.beyond_control(spec, &entries) {
                self.agrees(spec, &content, latest(&entries, spec), when);
            }
        }
        if let Some(claimed) = house.head().await.as_ref().and_then(claimed) {
            self.complete(house, &entries, &claimed, when);
        }
    }

    /// The head says that everything is applied but for so many changes that are held.
    fn complete(&mut self, house: &House, entries: &[AuditEntry], claimed: &[usize], when: &str) {
        let held = |spec: &ChangeSpec| is_held(latest(entries, spec));
        for spec in self.changes.iter().filter(|spec| !held(spec)) {
            let recorded = is_applied(latest(entries, spec));
            let there = Content::seen(house, spec).all() || self.beyond_control(spec, entries);
            if !recorded || !there {
                self.violated(when, format!("the digest is in the head, and `{}` is not there", spec.id));
            }
        }
        if !counts_are_right(claimed, self.changes, held) {
            self.violated(when, format!("the head says that {claimed:?} are held, and others are"));
        }
    }

    /// What is held has been released, and a start has applied it: nothing is left to do.
    pub(crate) async fn released(&mut self, house: &House, when: &str) {
        let entries = house.entries().await;
        for spec in self.changes {
            if !is_applied(latest(&entries, spec)) {
                self.violated(when, format!("`{}` was held and released, and is not applied", spec.id));
            }
        }
    }

    /// The audit as a whole.
    pub(crate) async fn log(&mut self, house: &House, entries: &[AuditEntry], when: &str) {
        match verify_chain((0, ChainHash::GENESIS), entries) {
            Err(error) => self.violated(when, format!("the chain is broken: {error}")),
            Ok(stands) => {
                let head =
                    house.head().await.map_or((0, ChainHash::GENESIS), |head| (head.sequence, head.hash));
                if head != stands {
                    self.violated(when, "the head does not fit the last entry");
                }
            }
        }
        if entries.windows(2).any(|pair| pair[0].token > pair[1].token) || is_stale(&house.offices(), entries)
        {
            self.violated(when, "a stale runner recorded");
        }
        for (sequence, hash) in house.acknowledged() {
            let there = usize::try_from(sequence - 1).ok().and_then(|index| entries.get(index));
            if there.is_none_or(|entry| entry.hash != hash) {
                self.violated(when, format!("acknowledged entry {sequence} is lost"));
            }
        }
    }

    /// How often it was done.
    fn times(&mut self, spec: &ChangeSpec, content: &Content, entries: &[AuditEntry], when: &str) {
        let surplus = [0, 1].map(|part| content.times[part].saturating_sub(content.undone[part]));
        let limit = match spec.kind {
            Kind::Tx => [1, 1],
            // What committed by itself is repeated with the rest.
            Kind::Ddl if spec.may_repeat() => [u64::MAX, 1],
            Kind::Ddl => [1, 1],
            Kind::Plain | Kind::PlainOnDb if spec.may_repeat() || self.beyond_control(spec, entries) => {
                [u64::MAX; 2]
            }
            Kind::Plain | Kind::PlainOnDb => [1, 1],
        };
        if surplus.iter().zip(limit).any(|(surplus, limit)| *surplus > limit) {
            let what = format!("the effect of `{}` is there twice without an undo in between", spec.id);
            self.violated(when, what);
        }
        let reasons = entries.iter().filter(|entry| {
            let failed = entry.state == Some(AuditState::Failed);
            let undone = entry.state == Some(AuditState::Started) && entry.operation.is_undo();
            entry.change == spec.id && (failed || undone)
        });
        let reasons = reasons.count() as u64;
        if content.undone.iter().any(|undone| *undone > reasons) {
            self.violated(when, format!("`{}` was taken back, and no FAILED or undo is recorded", spec.id));
        }
        if let Some(sequence) = ran_while_held(entries, spec.id) {
            let what =
                format!("`{}` is held, and was run before it was released (entry {sequence})", spec.id);
            self.violated(when, what);
        }
        if spec.kind.is_transactional() || spec.may_repeat() || spec.verify {
            return;
        }
        let mut before = None;
        let mut started = 0;
        for entry in entries.iter().filter(|entry| entry.change == spec.id) {
            if entry.state == Some(AuditState::Started) && entry.operation == Operation::Apply {
                started += 1;
                let free = [AuditState::RolledBack, AuditState::ManualMarkedAsRolledBack];
                if before.is_some_and(|before| !free.contains(&before)) {
                    self.violated(when, format!("`{}` was run again, silently", spec.id));
                }
            }
            before = entry.state;
        }
        if content.times.iter().any(|times| *times > started) {
            self.violated(when, format!("`{}` ran more often than the audit says", spec.id));
        }
    }

    /// Whether the target has what the latest entry says.
    fn agrees(&mut self, spec: &ChangeSpec, content: &Content, latest: Option<&AuditEntry>, when: &str) {
        match state(latest) {
            Some(AuditState::Applied | AuditState::ManualMarkedAsApplied) if !content.all() => {
                self.violated(when, format!("`{}` is APPLIED, and the target has {content:?}", spec.id));
            }
            Some(AuditState::RolledBack) if content.half() => {
                self.violated(when, format!("half of `{}` is there, and it is ROLLED_BACK", spec.id));
            }
            Some(AuditState::RolledBack | AuditState::ManualMarkedAsRolledBack) | None
                if !content.nothing() =>
            {
                let said = latest.map_or("not in the audit", |_| "ROLLED_BACK");
                self.violated(when, format!("`{}` is {said}, and the target has {content:?}", spec.id));
            }
            _ => {}
        }
    }

    /// What a run said about its changes.
    pub(crate) fn reported(&mut self, house: &House, report: &Report, when: &str) {
        if self.stale {
            return;
        }
        let details: Vec<_> = report.stages.iter().flat_map(|stage| &stage.details).cloned().collect();
        for change in details {
            let Some(spec) = self.changes.iter().find(|spec| spec.id == change.id) else { continue };
            let content = Content::seen(house, spec);
            let wrong = match change.outcome {
                ChangeOutcome::Applied | ChangeOutcome::Recovered => !content.all(),
                ChangeOutcome::Undone | ChangeOutcome::Held => !content.nothing(),
                ChangeOutcome::RolledBack => content.half() && !spec.may_repeat(),
                _ => false,
            };
            if wrong {
                let what = format!(
                    "`{}` was reported as {}, and the target has {content:?}",
                    spec.id, change.outcome
                );
                self.violated(when, what);
            }
        }
    }

    /// After everything came to rest and one undisturbed run: up to date, or an issue that the decision
    /// table allows.
    pub(crate) async fn last(&mut self, house: &House, result: &Result<Report, RunError>) {
        const WHEN: &str = "after the undisturbed run";
        let entries = house.entries().await;
        let mut open: BTreeMap<&str, bool> = BTreeMap::new();
        for spec in self.changes {
            let latest = latest(&entries, spec);
            if !is_applied(latest) && !is_held(latest) {
                let allowed = may_be_an_issue(spec, &Content::seen(house, spec), latest);
                *open.entry(spec.stage.unwrap_or_default()).or_default() |= allowed;
            }
        }
        match result {
            Ok(_) if !open.is_empty() => self.violated(WHEN, "it succeeded, and not everything is applied"),
            Ok(_) if house.head().await.is_none_or(|head| head.digests.is_empty()) => {
                self.violated(WHEN, "it succeeded, and its digest is not in the head");
            }
            Err(error) if error.kind() != RunErrorKind::Issue => {
                self.violated(WHEN, format!("it ended with {:?}", error.kind()));
            }
            Err(_) if open.is_empty() => self.violated(WHEN, "everything is applied, and it failed"),
            Err(_) if open.values().any(|allowed| !allowed) => {
                self.violated(WHEN, "a stage is blocked by something that should have been settled");
            }
            Ok(_) | Err(_) => {}
        }
        let report = result.as_ref().unwrap_or_else(RunError::report).clone();
        let held = self.changes.iter().filter(|spec| is_held(latest(&entries, spec))).count();
        if result.is_ok() && report.changes.held != held {
            self.violated(WHEN, format!("it says that {} are held, and {held} are", report.changes.held));
        }
        for change in report.failing().filter(|change| change.outcome == ChangeOutcome::Issue) {
            let Some(spec) = self.changes.iter().find(|spec| spec.id == change.id) else { continue };
            if !may_be_an_issue(spec, &Content::seen(house, spec), latest(&entries, spec)) {
                self.violated(WHEN, format!("`{}` is an issue without need", spec.id));
            }
        }
    }
}

/// Whether a run recorded something after a newer one, in office, had read what it acts on.
fn is_stale(offices: &Offices, entries: &[AuditEntry]) -> bool {
    let since = |entry: &AuditEntry| {
        let taken = offices.taken.iter().rposition(|execution| *execution == entry.execution);
        taken.map_or(0, |place| place + 1)
    };
    entries.iter().any(|entry| {
        let since = since(entry);
        offices.looks.iter().any(|(taken, length)| entry.sequence > *length && since < *taken)
    })
}

/// Whether the decision table knows no other way out. The marker is not looked at: what the target has
/// tells the same.
fn may_be_an_issue(spec: &ChangeSpec, content: &Content, latest: Option<&AuditEntry>) -> bool {
    let Some(entry) = latest else { return false };
    let uncertain = [AuditState::Started, AuditState::Failed, AuditState::RollbackFailed];
    if !entry.state.is_some_and(|state| uncertain.contains(&state)) {
        return false;
    }
    let undoing = entry.operation.is_undo();
    let unsettled = if spec.verify { content.half() } else { undoing || !content.nothing() };
    match spec.kind {
        Kind::Tx => false,
        Kind::Ddl => unsettled && (undoing || !spec.may_repeat()),
        Kind::Plain | Kind::PlainOnDb if spec.verify => content.half() && (undoing || !spec.may_repeat()),
        Kind::Plain | Kind::PlainOnDb => undoing || !spec.may_repeat(),
    }
}

fn latest<'e>(entries: &'e [AuditEntry], spec: &ChangeSpec) -> Option<&'e AuditEntry> {
    entries.iter().rev().find(|entry| entry.change == spec.id)
}

fn is_applied(latest: Option<&AuditEntry>) -> bool {
    matches!(state(latest), Some(AuditState::Applied | AuditState::ManualMarkedAsApplied))
}

fn state(latest: Option<&AuditEntry>) -> Option<AuditState> {
    latest.and_then(|entry| entry.state)
}
