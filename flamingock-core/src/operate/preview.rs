use serde::{Deserialize, Serialize};

use super::SavedPlan;
use crate::audit::AuditEntry;
use crate::change::TargetState;
use crate::pipeline::Pipeline;
use crate::plan::{Decision, Drift, Plan, Verified};
use crate::target::MarkerState;
use crate::words::words;

words! {
    /// What a run would do with a change.
    Action {
        /// Run it.
        Apply = "APPLY",
        /// Nothing: the target has it.
        Skip = "SKIP",
        /// Nothing: it was undone, and is held until it is released.
        Held = "HELD",
        /// Record what evidence has settled.
        Record = "RECORD",
        /// Nothing: it needs an operator, and blocks its stage.
        Issue = "ISSUE",
    }
}

/// What a run would do. Nothing was changed to find it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Whose changes.
    pub service: String,
    /// See [`History::tenant`](crate::History::tenant).
    pub tenant: String,
    /// What it was made from: a run can be told to accept no other.
    pub made_from: SavedPlan,
    /// Whether there is nothing to do.
    pub up_to_date: bool,
    /// One per stage, in order.
    pub stages: Vec<PreviewStage>,
    /// Issues of changes that the code no longer has, and why.
    pub removed: Vec<(String, String)>,
    /// Where code and audit have drifted apart.
    pub drifts: Vec<Drift>,
}

/// What a run would do in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewStage {
    /// Its name.
    pub name: String,
    /// Whether an issue keeps everything in it from running.
    pub blocked: bool,
    /// Its changes, in order.
    pub changes: Vec<PreviewChange>,
}

/// What a run would do with a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewChange {
    /// Its id.
    pub id: String,
    /// Its order.
    pub order: String,
    /// What would be done.
    pub action: Action,
    /// Why, where that is not plain.
    pub reason: Option<String>,
    /// 1 for the first attempt, where it would run.
    pub attempt: Option<u32>,
    /// Who wrote it.
    pub author: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its target system.
    pub target_system: String,
    /// Where it is written.
    pub source: String,
    /// Whether it has a `#[rollback]`.
    pub has_rollback: bool,
}

impl Preview {
    /// The changes with this action.
    pub fn with(&self, action: Action) -> impl Iterator<Item = &PreviewChange> {
        self.stages.iter().flat_map(|stage| &stage.changes).filter(move |change| change.action == action)
    }

    /// Whether something needs an operator.
    pub fn has_issues(&self) -> bool {
        self.with(Action::Issue).next().is_some() || !self.removed.is_empty()
    }

    pub(crate) fn stages_of(pipeline: &Pipeline, plan: &Plan) -> Vec<PreviewStage> {
        let pairs = pipeline.stages.iter().zip(&plan.stages);
        let stage =
            |(stage, plan): (&crate::pipeline::PipelineStage, &crate::plan::StagePlan)| PreviewStage {
                name: stage.name.clone(),
                blocked: !plan.issues.is_empty(),
                changes: stage
                    .changes
                    .iter()
                    .zip(&plan.steps)
                    .map(|(change, step)| {
                        let (action, reason, attempt) = decision_for_people(&step.decision);
                        PreviewChange {
                            id: change.id.clone(),
                            order: change.order_text().to_owned(),
                            action,
                            reason,
                            attempt,
                            author: change.author.clone(),
                            description: change.description.clone(),
                            target_system: change.target_system.clone(),
                            source: change.source.to_string(),
                            has_rollback: change.rollback.is_some(),
                        }
                    })
                    .collect(),
            };
        pairs.map(stage).collect()
    }
}

/// A decision, for people.
pub(crate) fn decision_for_people(decision: &Decision) -> (Action, Option<String>, Option<u32>) {
    match decision {
        Decision::Skip => (Action::Skip, None, None),
        Decision::Held { since } => {
            (Action::Held, Some(format!("held since entry {since}, until `flamingock release`")), None)
        }
        Decision::Apply(attempt) => (Action::Apply, None, Some(attempt.number)),
        Decision::Record { state, evidence } => {
            (Action::Record, Some(format!("it is {state} (evidence: {evidence})")), None)
        }
        Decision::Issue(reason) => (Action::Issue, Some(reason.to_string()), None),
    }
}

/// What marker and `#[verify]` of one change say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// Id of the change.
    pub change: String,
    /// Its newest entry, if it was ever tried.
    pub entry: Option<AuditEntry>,
    /// Whether the change runs in a transaction with a marker.
    pub transactional: bool,
    /// The target's marker, if there is one.
    pub marker: Option<MarkerSeen>,
    /// What `#[verify]` said; [`None`] when the change has none.
    pub verify: Option<Verdict>,
    /// What the next start would do.
    pub next: Action,
    /// Why, where that is not plain.
    pub reason: Option<String>,
}

/// A target's marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkerSeen {
    /// How far the change got.
    pub state: MarkerState,
    /// The run that wrote it.
    pub execution: String,
    /// Sequence of the entry that it answers.
    pub sequence: u64,
}

/// What `#[verify]` said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What the target has.
    State(TargetState),
    /// It failed.
    Failed(String),
}

impl From<&Verified> for Verdict {
    fn from(verified: &Verified) -> Self {
        match verified {
            Verified::State(state) => Self::State(*state),
            Verified::Failed(error) => Self::Failed(error.clone()),
        }
    }
}

/// Whether a start could work: targets, audit store and checksums were looked at, nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// How many changes there are.
    pub changes: usize,
    /// The target systems that the changes use.
    pub targets: Vec<TargetCheck>,
    /// What is wrong with the audit store, if anything.
    pub audit_store: Option<String>,
    /// Where code and audit have drifted apart.
    pub drifts: Vec<Drift>,
}

/// Whether a target system is reached and is what was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCheck {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Where it is, without secrets.
    pub address: String,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

impl Validation {
    /// Whether a start would not be stopped by any of it.
    pub fn is_good(&self) -> bool {
        let drifts = self.drifts.iter().all(|drift| drift.policy != crate::plan::Policy::Fail);
        drifts && self.audit_store.is_none() && self.targets.iter().all(|target| target.problem.is_none())
    }
}
