use std::collections::{HashMap, HashSet};

use super::decision::{decide, is_uncertain};
use super::{Decision, Drift, DriftKind, IssueReason, Observation, Policies, Policy};
use crate::audit::{AuditEntry, AuditState, Operation};
use crate::change::{ChangeKind, Source};
use crate::pipeline::{Pipeline, PipelineChange, PipelineStage};

/// The newest entry of each change, by id.
pub(crate) type Latest = HashMap<String, AuditEntry>;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// One per stage of the pipeline, in the same order.
    pub stages: Vec<StagePlan>,
    /// Issues of changes that the code no longer has.
    pub removed: Vec<Issue>,
    /// Where code and audit have drifted apart, as far as the policies do not ignore it.
    pub drifts: Vec<Drift>,
}

/// What is to be done in a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StagePlan {
    /// One per change of the stage, in the same order.
    pub steps: Vec<Step>,
    /// Issues that block the stage: nothing in it runs.
    pub issues: Vec<Issue>,
}

/// What is to be done with a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Id of the change.
    pub change: String,
    /// What to do.
    pub decision: Decision,
}

/// A change that needs an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Id of the change.
    pub change: String,
    /// Where it is written.
    pub source: Source,
    /// Its newest entry.
    pub entry: AuditEntry,
    /// Why.
    pub reason: IssueReason,
}

impl Plan {
    /// Ids of the changes that would run, in order.
    pub fn pending(&self) -> impl Iterator<Item = &str> {
        let steps = self.stages.iter().flat_map(|stage| &stage.steps);
        steps.filter(|step| matches!(step.decision, Decision::Apply(_))).map(|step| step.change.as_str())
    }

    /// All issues.
    pub fn issues(&self) -> impl Iterator<Item = &Issue> {
        self.stages.iter().flat_map(|stage| &stage.issues).chain(&self.removed)
    }

    /// Whether every change is applied and recorded, or held.
    pub fn is_up_to_date(&self) -> bool {
        let mut steps = self.stages.iter().flat_map(|stage| &stage.steps);
        steps.all(|step| step.decision.is_nothing()) && self.issues().next().is_none()
    }

    /// How many changes of each stage are held.
    pub fn held(&self) -> Vec<usize> {
        let held = |stage: &StagePlan| stage.steps.iter().filter(|step| step.decision.is_held()).count();
        self.stages.iter().map(held).collect()
    }
}

/// Decides about every change of a pipeline.
///
/// `latest` is the newest entry of each change; `observations` is what was found out about those
/// that are uncertain.
pub fn plan<S: std::hash::BuildHasher>(
    pipeline: &Pipeline,
    latest: &HashMap<String, AuditEntry, S>,
    observations: &HashMap<String, Observation, S>,
    policies: &Policies,
) -> Plan {
    let nothing = Observation::default();
    let mut drifts = Vec::new();
    let mut stages: Vec<StagePlan> = Vec::with_capacity(pipeline.stages.len());
    for stage in &pipeline.stages {
        let mut issues = Vec::new();
        let mut steps = Vec::with_capacity(stage.changes.len());
        for change in &stage.changes {
            let entry = latest.get(&change.id);
            let seen = observations.get(&change.id).unwrap_or(&nothing);
            let decision = decide(change, entry, seen);
            if let (Decision::Issue(reason), Some(entry)) = (&decision, entry) {
                let (change, source) = (change.id.clone(), change.source.clone());
                issues.push(Issue { change, source, entry: entry.clone(), reason: reason.clone() });
            }
            drifts.extend(changed(change, entry, policies));
            steps.push(Step { change: change.id.clone(), decision });
        }
        drifts.extend(out_of_order(stage, &steps, latest, policies));
        stages.push(StagePlan { steps, issues });
    }

    let known: HashSet<&str> = pipeline
        .changes()
        .map(|(_, change)| change.id.as_str())
        .chain(pipeline.inactive.iter().map(String::as_str))
        .collect();
    let mut gone: Vec<&AuditEntry> =
        latest.values().filter(|entry| !known.contains(entry.change.as_str())).collect();
    gone.sort_unstable_by_key(|entry| entry.sequence);
    let mut removed = Vec::new();
    for entry in gone {
        if is_uncertain(entry) {
            let source = Source::new(entry.source.clone(), 0);
            let (change, reason) = (entry.change.clone(), IssueReason::Removed);
            let issue = Issue { change, source, entry: entry.clone(), reason };
            match pipeline.stages.iter().position(|stage| stage.name == entry.stage) {
                Some(index) => stages[index].issues.push(issue),
                None => removed.push(issue),
            }
        } else if is_applied(entry) {
            drifts.extend(drift(&entry.change, None, DriftKind::Missing, policies.missing));
        }
    }
    Plan { stages, removed, drifts }
}

pub(crate) fn is_applied(entry: &AuditEntry) -> bool {
    matches!(entry.state, Some(AuditState::Applied | AuditState::ManualMarkedAsApplied))
}

fn drift(change: &str, source: Option<&Source>, kind: DriftKind, policy: Policy) -> Option<Drift> {
    let drift = || Drift { change: change.to_owned(), source: source.cloned(), kind, policy };
    (policy != Policy::Ignore).then(drift)
}

fn changed(change: &PipelineChange, entry: Option<&AuditEntry>, policies: &Policies) -> Option<Drift> {
    let entry = entry.filter(|entry| is_applied(entry) && !entry.checksum.is_empty())?;
    let policy = match change.kind {
        ChangeKind::Template => policies.changed_template,
        ChangeKind::Code | ChangeKind::Imported => policies.changed_code,
    };
    if entry.checksum == change.checksum {
        return None;
    }
    drift(&change.id, Some(&change.source), DriftKind::Changed, policy)
}

/// Pending changes that stand before the last applied one of their stage. What is tried again, or again
/// after it was taken back, had its turn; what was held missed it, if others went on.
fn out_of_order<S: std::hash::BuildHasher>(
    stage: &PipelineStage,
    steps: &[Step],
    latest: &HashMap<String, AuditEntry, S>,
    policies: &Policies,
) -> Vec<Drift> {
    let last = steps.iter().rposition(|step| step.decision == Decision::Skip).unwrap_or(0);
    let before = stage.changes.iter().zip(steps).take(last);
    let pending = before.filter(|(_, step)| matches!(step.decision, Decision::Apply(_)));
    let late = pending.filter(|(change, _)| {
        latest.get(&change.id).is_none_or(|entry| entry.operation == Operation::Release)
    });
    late.filter_map(|(change, _)| {
        drift(&change.id, Some(&change.source), DriftKind::OutOfOrder, policies.out_of_order)
    })
    .collect()
}
