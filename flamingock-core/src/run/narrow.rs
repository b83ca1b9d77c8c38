use super::context::Run;
use crate::audit::Head;
use crate::builder::Flamingock;
use crate::error::{RunError, Stop};
use crate::operate::Only;
use crate::pipeline::{Pipeline, PipelineStage};
use crate::plan::{Plan, StagePlan};
use crate::report::Report;

impl Flamingock {
    /// Applies a part of what is pending, or exactly what was planned; [`run`](Self::run) when nothing
    /// is narrowed. Mode and `enabled` of the builder do not count: somebody has asked for it.
    ///
    /// # Errors
    /// `Refused` when a stage or change is not known, when [`until`](Only::until) is in a stage that is left
    /// out, or when audit or pipeline are no longer those of the plan and not everything is applied; and as
    /// [`run`](Self::run).
    pub async fn apply_only(&self, only: &Only) -> Result<Report, RunError> {
        self.asked_by(only.operator.as_deref(), None)
            .observed(async |run| {
                known(&self.pipeline, only)?;
                run.only = only.clone();
                run.apply().await
            })
            .await
    }
}

fn known(pipeline: &Pipeline, only: &Only) -> Result<(), Stop> {
    let refuse = |message: String| Err(Stop::refused(message));
    let quoted = |names: Vec<&str>| format!("`{}`", names.join("`, `"));
    for name in &only.stages {
        if !pipeline.stages.iter().any(|stage| stage.name == *name) {
            let known = quoted(pipeline.stages.iter().map(|stage| stage.name.as_str()).collect());
            return refuse(format!("there is no stage `{}`: there is {known}", name.escape_debug()));
        }
    }
    let Some(id) = &only.until else { return Ok(()) };
    match pipeline.changes().find(|(_, change)| change.id == *id) {
        None => refuse(pipeline.unknown(id)),
        Some((stage, _)) if !only.takes(stage) => refuse(format!(
            "change `{id}` is in stage `{}`, which is to be left out: only {} is to run. Name that stage, too",
            stage.name,
            quoted(only.stages.iter().map(String::as_str).collect())
        )),
        Some(_) => Ok(()),
    }
}

impl Only {
    fn takes(&self, stage: &PipelineStage) -> bool {
        self.stages.is_empty() || self.stages.contains(&stage.name)
    }
}

impl Run<'_> {
    /// Refuses to run another plan than the one that was looked at.
    pub(super) fn as_planned(&self, head: &Head) -> Result<(), Stop> {
        let Some(planned) = &self.only.plan else { return Ok(()) };
        let digest = &self.app.pipeline.digest;
        let what = match (head.sequence == planned.sequence, *digest == planned.digest) {
            (true, true) => return Ok(()),
            (false, _) => format!("the audit is at entry {}, not {}", head.sequence, planned.sequence),
            (true, false) => "the application's changes are not those of the plan".to_owned(),
        };
        let message = format!("the plan no longer holds: {what}. Nothing was applied; make a new plan");
        Err(Stop::refused(message))
    }

    /// What is to be run of the pipeline. Issues block their stage also where they are left out.
    pub(super) fn narrowed(&self, plan: &Plan) -> Vec<(PipelineStage, StagePlan)> {
        let only = &self.only;
        let mut reached = false;
        let mut chosen = Vec::new();
        for (stage, plan) in self.app.pipeline.stages.iter().zip(&plan.stages) {
            if reached || !only.takes(stage) {
                continue;
            }
            let (mut stage, mut plan) = (stage.clone(), plan.clone());
            let last = stage.changes.iter().position(|change| Some(&change.id) == only.until.as_ref());
            if let Some(last) = last {
                reached = true;
                stage.changes.truncate(last + 1);
                plan.steps.truncate(last + 1);
            }
            chosen.push((stage, plan));
        }
        chosen
    }
}
