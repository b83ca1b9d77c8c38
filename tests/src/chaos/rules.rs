use std::collections::BTreeSet;

use flamingock::audit::{AuditEntry, AuditState, ChainHash, Evidence as By, Operation, verify_chain};
use flamingock::change::TargetState;

use super::evidence::Evidence;
use crate::changes::mixed::{Kind, Mark, Settled, Spec, Trace, content};

/// What must hold whenever nobody is at work. In the words of `docs/src/reliability.md` where it has them.
pub(super) struct Rules<'a> {
    pub(super) specs: &'a [Spec],
    pub(super) evidence: &'a Evidence,
    /// Whether `CREATE TABLE` commits what was done before it.
    pub(super) ddl_commits: bool,
}

/// What somebody outside was told, and must find again.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    /// Heads that were read.
    pub(super) heads: Vec<(u64, ChainHash)>,
    /// Attempts that replicas said were recorded: run, change, number.
    pub(super) attempts: BTreeSet<(String, String, u32)>,
}

impl Rules<'_> {
    /// All that is broken.
    pub(super) fn broken(&self, acknowledged: &Acknowledged) -> Vec<String> {
        let mut broken = self.log(acknowledged);
        for spec in self.specs {
            let change = self.change(spec);
            let found = [change.effects(), change.states(), change.reruns()].concat();
            broken.extend(found.into_iter().map(|what| format!("{} ({spec:?}): {what}", spec.id)));
        }
        broken
    }

    /// The changes about which somebody must be asked: the decision table knows no other way out.
    pub(super) fn ambiguous(&self) -> BTreeSet<&str> {
        let ambiguous = |spec: &&Spec| self.change(spec).is_ambiguous();
        self.specs.iter().filter(ambiguous).map(|spec| spec.id.as_str()).collect()
    }

    /// The changes that are not recorded as applied.
    pub(super) fn open(&self) -> impl Iterator<Item = &Spec> {
        let done = [Some(AuditState::Applied), Some(AuditState::ManualMarkedAsApplied)];
        self.specs.iter().filter(move |spec| !done.contains(&self.change(spec).latest()))
    }

    fn log(&self, acknowledged: &Acknowledged) -> Vec<String> {
        let mut broken = Vec::new();
        let Evidence { entries, head, .. } = self.evidence;
        match verify_chain((0, ChainHash::GENESIS), entries) {
            Err(error) => broken.push(format!("the audit's chain is broken: {error}")),
            Ok(stands) => {
                let head = head.as_ref().map_or((0, ChainHash::GENESIS), |head| (head.sequence, head.hash));
                if head != stands {
                    broken.push("the head does not fit the last entry".to_owned());
                }
            }
        }
        if entries.windows(2).any(|pair| pair[0].token > pair[1].token) {
            broken.push("a stale runner recorded".to_owned());
        }
        for (sequence, hash) in acknowledged.heads.iter().filter(|(sequence, _)| *sequence > 0) {
            if !entries.iter().any(|entry| entry.sequence == *sequence && entry.hash == *hash) {
                broken.push(format!("acknowledged entry {sequence} is lost"));
            }
        }
        for (execution, change, attempt) in &acknowledged.attempts {
            let is_it = |entry: &AuditEntry| {
                entry.execution == *execution && entry.change == *change && entry.attempt == *attempt
            };
            if !entries.iter().any(|entry| is_it(entry) && entry.state == Some(AuditState::Started)) {
                broken.push(format!("acknowledged STARTED of {change} in run {execution} is lost"));
            }
        }
        broken
    }

    fn change<'a>(&'a self, spec: &'a Spec) -> OfChange<'a> {
        let Evidence { traces, looks, .. } = self.evidence;
        OfChange {
            spec,
            atomic: spec.kind == Kind::Rows || spec.kind == Kind::Table && !self.ddl_commits,
            entries: self.evidence.of(&spec.id).collect(),
            traces: traces.iter().filter(|trace| trace.change == spec.id).collect(),
            looks: looks.iter().filter(|trace| trace.change == spec.id).collect(),
        }
    }
}

/// One change.
struct OfChange<'a> {
    spec: &'a Spec,
    /// Both parts are there, or none.
    atomic: bool,
    entries: Vec<&'a AuditEntry>,
    traces: Vec<&'a Trace>,
    looks: Vec<&'a Trace>,
}

impl OfChange<'_> {
    fn latest(&self) -> Option<AuditState> {
        self.entries.last().and_then(|entry| entry.state)
    }

    fn count(&self, mark: Mark) -> usize {
        self.traces.iter().filter(|trace| trace.mark == mark).count()
    }

    /// How often one attempt did something.
    fn count_in(&self, mark: Mark, execution: &str, attempt: u32) -> usize {
        let is_it =
            |trace: &&&Trace| trace.mark == mark && trace.execution == execution && trace.attempt == attempt;
        self.traces.iter().filter(is_it).count()
    }

    fn saw(&self, execution: &str, state: TargetState) -> bool {
        self.looks.iter().any(|look| look.execution == execution && look.mark == Mark::Saw(state))
    }

    fn is_recorded(&self, state: AuditState, trace: &Trace) -> bool {
        self.entries.iter().any(|entry| {
            entry.state == Some(state) && entry.execution == trace.execution && entry.attempt == trace.attempt
        })
    }

    /// Effects happen in recorded attempts, at most once in each; in a transaction at most once at all.
    fn effects(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for trace in &self.traces {
            let reason = if trace.mark == Mark::Undone { AuditState::Failed } else { AuditState::Started };
            if !self.is_recorded(reason, trace) {
                broken.push(format!("`{trace}` happened, and no {reason} is recorded"));
            }
            if self.count_in(trace.mark, &trace.execution, trace.attempt) > 1 {
                broken.push(format!("`{trace}` happened twice in one attempt"));
            }
        }
        let (first, second) = (self.count(Mark::First), self.count(Mark::Second));
        if self.atomic && (first > 1 || first != second) {
            broken.push(format!("in one transaction, its parts happened {first} and {second} times"));
        }
        if self.spec.kind == Kind::Table && second > 1 {
            broken.push(format!("its second part, which commits with the marker, happened {second} times"));
        }
        if self.spec.kind == Kind::Table && self.spec.settled != Settled::ByRetry && first > 1 {
            broken.push("half applied was taken for rolled back".to_owned());
        }
        broken
    }

    /// Log and target agree.
    fn states(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for entry in &self.entries {
            let parts =
                [Mark::First, Mark::Second].map(|mark| self.count_in(mark, &entry.execution, entry.attempt));
            let good = match (entry.state, entry.operation, entry.evidence) {
                (Some(AuditState::Applied), Operation::Apply, By::None) => parts == [1, 1],
                (Some(AuditState::Applied), Operation::Apply, By::Verify) => {
                    self.saw(&entry.execution, TargetState::Applied)
                }
                (Some(AuditState::RolledBack), Operation::Apply, _) => parts == [0, 0],
                (Some(AuditState::RolledBack), Operation::Rollback, _) => {
                    self.count_in(Mark::Undone, &entry.execution, entry.attempt) == 1
                }
                _ => true,
            };
            if !good {
                broken.push(format!("entry {} does not fit the target: {parts:?}", entry.sequence));
            }
        }
        let parts = (self.count(Mark::First), self.count(Mark::Second));
        let good = match self.latest() {
            Some(AuditState::Applied) if self.atomic => parts == (1, 1),
            Some(AuditState::Applied) => parts.0 > 0 && parts.1 > 0,
            Some(AuditState::RolledBack) if self.spec.kind.is_transactional() => parts == (0, 0),
            None => parts == (0, 0),
            _ => true,
        };
        if !good {
            broken.push(format!("at last it is {:?}, and its parts happened {parts:?} times", self.latest()));
        }
        broken
    }

    /// After an attempt whose outcome nobody knows, it runs again only when that was settled.
    fn reruns(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut before = None;
        for entry in &self.entries {
            let starts = entry.state == Some(AuditState::Started);
            if starts && self.saw(&entry.execution, TargetState::Applied) {
                broken.push(format!(
                    "`verify` saw that it is applied, and entry {} runs it again",
                    entry.sequence
                ));
            }
            let settled = match self.spec.settled {
                _ if self.spec.kind.is_transactional() => true,
                Settled::ByRetry => true,
                Settled::ByVerify => self.saw(&entry.execution, TargetState::NotApplied),
                Settled::ByOperator => false,
            };
            if starts && before.is_some_and(is_uncertain) && !settled {
                broken.push(format!("entry {} runs it again, silently", entry.sequence));
            }
            before = entry.state;
        }
        broken
    }

    fn is_ambiguous(&self) -> bool {
        let traces: Vec<Trace> = self.traces.iter().map(|trace| (*trace).clone()).collect();
        let half = content(&traces, &self.spec.id) == TargetState::PartiallyApplied;
        self.latest().is_some_and(is_uncertain)
            && !self.atomic
            && match self.spec.settled {
                Settled::ByRetry => false,
                Settled::ByVerify => half,
                Settled::ByOperator => half || !self.spec.kind.is_transactional(),
            }
    }
}

/// Whether nobody recorded how it ended.
fn is_uncertain(state: AuditState) -> bool {
    matches!(state, AuditState::Started | AuditState::Failed | AuditState::RollbackFailed)
}

#[cfg(test)]
mod tests;
