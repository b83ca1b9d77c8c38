use tokio::time::Instant;
use tracing::Instrument;

use super::context::Run;
use super::journal::{Journal, Line};
use super::lease::HeldLease;
use super::step::{Direction, Ended, Step, stopped};
use crate::History;
use crate::audit::{AuditState, Evidence, Operation};
use crate::error::Stop;
use crate::event::Event;
use crate::operate::proposed;
use crate::pipeline::{PipelineChange, PipelineStage};
use crate::plan::{Attempt, Decision, Issue, Latest, StagePlan, attempt_after};
use crate::report::{ChangeOutcome, ChangeReport, StageReport, StageState, millis};

impl Run<'_> {
    /// Runs a stage as planned. The first failure ends it; an `Err` ends the whole run.
    pub(super) async fn stage(
        &mut self,
        journal: &mut Journal<'_>,
        lease: &HeldLease,
        (stage, plan): (&PipelineStage, &StagePlan),
        latest: &Latest,
    ) -> Result<(), Stop> {
        let began = Instant::now();
        let mut report = StageReport::new(stage);
        if plan.issues.is_empty() {
            let pending = plan.steps.iter().filter(|step| !step.decision.is_nothing()).count();
            if pending > 0 {
                self.app.listeners.tell(&Event::StageStarted { stage: &stage.name, pending });
            }
            let result = self.steps(journal, lease, (stage, plan), latest, &mut report).await;
            report.close(&self.app.settings.history, stage, plan, began);
            self.stage_ended(report);
            return result;
        }
        report.state = StageState::Blocked;
        report.details = plan.issues.iter().map(|issue| self.blocked(stage, issue)).collect();
        report.changes.failed = plan.issues.iter().filter(|issue| stage.has(&issue.change)).count();
        report.close(&self.app.settings.history, stage, plan, began);
        self.stage_ended(report);
        Ok(())
    }

    async fn steps(
        &mut self,
        journal: &mut Journal<'_>,
        lease: &HeldLease,
        (stage, plan): (&PipelineStage, &StagePlan),
        latest: &Latest,
        report: &mut StageReport,
    ) -> Result<(), Stop> {
        for (change, step) in stage.changes.iter().zip(&plan.steps) {
            let attempt = match &step.decision {
                Decision::Skip | Decision::Held { .. } | Decision::Issue(_) => continue,
                Decision::Apply(attempt) => attempt.clone(),
                Decision::Record { state, evidence } => {
                    match self.record(journal, stage, change, latest, (*state, *evidence)).await? {
                        Recorded::Settled(settled) => {
                            let held = settled.outcome == ChangeOutcome::Held;
                            *(if held { &mut report.changes.held } else { &mut report.changes.applied }) += 1;
                            self.change_ended(report, *settled);
                            continue;
                        }
                        Recorded::ToApply(attempt) => attempt,
                    }
                }
            };
            if self.app.settings.cancel.is_cancelled() {
                return Err(Stop::cancelled());
            }
            let began = Instant::now();
            let ended = match self.attempt(journal, lease, stage, change, attempt, began).await {
                Ok(Ok(ended)) => ended,
                Err(stop) => {
                    report.state = StageState::Failed;
                    return Err(stop);
                }
                Ok(Err(stop)) => {
                    let (ended, stop) = stopped(change, stop);
                    report.changes.failed += 1;
                    report.state = StageState::Failed;
                    self.change_ended(report, change_report(change, ended, began));
                    return Err(stop);
                }
            };
            let good = matches!(ended.outcome, ChangeOutcome::Applied | ChangeOutcome::Recovered);
            *(if good { &mut report.changes.applied } else { &mut report.changes.failed }) += 1;
            self.change_ended(report, change_report(change, ended, began));
            if !good {
                report.state = StageState::Failed;
                // Whoever waits for a run that was told to stop is to try for itself.
                return if self.app.settings.cancel.is_cancelled() { Err(Stop::cancelled()) } else { Ok(()) };
            }
        }
        Ok(())
    }

    /// The outer error: it was not even started.
    async fn attempt(
        &self,
        journal: &mut Journal<'_>,
        lease: &HeldLease,
        stage: &PipelineStage,
        change: &PipelineChange,
        attempt: Attempt,
        began: Instant,
    ) -> Result<Result<Ended, Stop>, Stop> {
        let span = tracing::info_span!(
            "flamingock.change",
            change.id = change.id,
            change.order = change.order_text(),
            change.attempt = attempt.number,
            stage = stage.name,
            target_system = change.target_system,
            outcome = tracing::field::Empty,
        );
        let (direction, method) = (Direction::Apply, &change.apply);
        let mut step =
            Step { run: self, journal, lease, stage: &stage.name, change, method, attempt, direction, began };
        let run = async {
            let started = step.start().await?;
            self.app.listeners.tell(&Event::ChangeStarted {
                change: &change.id,
                stage: &stage.name,
                target_system: &change.target_system,
                attempt: step.attempt.number,
            });
            let ended = step.run(started).await;
            tracing::Span::current()
                .record("outcome", ended.as_ref().map_or("STOPPED", |ended| ended.outcome.as_str()));
            Ok(ended)
        };
        run.instrument(span).await
    }

    /// Records what evidence settled. An undo that is settled leaves the change to be applied, unless it
    /// was to hold it.
    async fn record(
        &self,
        journal: &mut Journal<'_>,
        stage: &PipelineStage,
        change: &PipelineChange,
        latest: &Latest,
        (state, evidence): (AuditState, Evidence),
    ) -> Result<Recorded, Stop> {
        let before = latest.get(&change.id);
        let line = Line {
            operation: before.map_or(Operation::Apply, |entry| entry.operation),
            state,
            attempt: before.map_or(1, |entry| entry.attempt),
            refers_to: before.and_then(|entry| entry.refers_to),
            evidence,
            duration: None,
            error: None,
        };
        let mut entry = journal.entry(&stage.name, change, self.target(change), line);
        if state == AuditState::Applied {
            journal.note(entry);
            let note = format!("an earlier attempt applied it; recorded now (evidence: {evidence})");
            let ended = Ended { outcome: ChangeOutcome::Recovered, error: None, note: Some(note) };
            return Ok(Recorded::Settled(Box::new(change_report(change, ended, Instant::now()))));
        }
        match journal.append(entry.clone()).await {
            Ok(sequence) => {
                entry.sequence = sequence;
                Ok(match entry.operation {
                    Operation::Hold => {
                        Recorded::Settled(Box::new(held(&self.app.settings.history, change, sequence)))
                    }
                    _ => Recorded::ToApply(attempt_after(Some(&entry))),
                })
            }
            Err(error) => Err(self.append_stop(journal, error)),
        }
    }

    fn blocked(&self, stage: &PipelineStage, issue: &Issue) -> ChangeReport {
        let change = stage.changes.iter().find(|change| change.id == issue.change);
        let report = ChangeReport {
            id: issue.change.clone(),
            outcome: ChangeOutcome::Issue,
            author: change.and_then(|change| change.author.clone()),
            target_system: issue.entry.target_system.clone(),
            source: issue.source.clone(),
            duration_ms: 0,
            error: None,
            note: Some(issue.reason.to_string()),
            remedy: Some(issue.remedy()),
        };
        self.app.listeners.tell(&Event::ChangeFinished { report: &report });
        report
    }

    fn change_ended(&self, stage: &mut StageReport, report: ChangeReport) {
        match &report.error {
            None if report.outcome != ChangeOutcome::Unknown => {
                tracing::info!(change.id = report.id, outcome = %report.outcome, "change ended");
            }
            error => {
                let error = error.as_ref().map(|error| error.message.as_str());
                tracing::error!(change.id = report.id, outcome = %report.outcome, error, "change ended badly");
            }
        }
        self.app.listeners.tell(&Event::ChangeFinished { report: &report });
        stage.details.push(report);
    }

    fn stage_ended(&mut self, report: StageReport) {
        if report.state != StageState::UpToDate {
            self.app.listeners.tell(&Event::StageFinished { report: &report });
        }
        self.stages.push(report);
    }
}

impl PipelineStage {
    fn has(&self, id: &str) -> bool {
        self.changes.iter().any(|change| change.id == id)
    }
}

impl StageReport {
    /// Nothing done in it yet.
    pub(super) fn new(stage: &PipelineStage) -> Self {
        let mut report = Self {
            name: stage.name.clone(),
            state: StageState::NotReached,
            duration_ms: 0,
            changes: crate::report::Counters::default(),
            details: Vec::new(),
        };
        report.changes.total = stage.changes.len();
        report
    }

    /// Adds up what is left.
    fn close(&mut self, history: &History, stage: &PipelineStage, plan: &StagePlan, began: Instant) {
        for (change, step) in stage.changes.iter().zip(&plan.steps) {
            if let Decision::Held { since } = step.decision {
                self.changes.held += 1;
                self.details.push(held(history, change, since));
            }
        }
        let counters = &mut self.changes;
        counters.already_applied = plan.steps.iter().filter(|step| step.decision == Decision::Skip).count();
        let settled = counters.already_applied + counters.held + counters.applied + counters.failed;
        counters.not_reached = counters.total - settled;
        self.duration_ms = millis(began.elapsed());
        if self.state == StageState::NotReached && counters.not_reached == 0 {
            self.state = if counters.applied == 0 { StageState::UpToDate } else { StageState::Completed };
        }
    }
}

/// What became of a change whose undo evidence has settled.
enum Recorded {
    Settled(Box<ChangeReport>),
    ToApply(Attempt),
}

fn held(history: &History, change: &PipelineChange, since: u64) -> ChangeReport {
    let release = proposed::release(history, &change.id);
    let note = format!("held since entry {since}: {release} lets it run again");
    let ended = Ended { outcome: ChangeOutcome::Held, error: None, note: Some(note) };
    change_report(change, ended, Instant::now())
}

pub(super) fn change_report(change: &PipelineChange, ended: Ended, began: Instant) -> ChangeReport {
    ChangeReport {
        id: change.id.clone(),
        outcome: ended.outcome,
        author: change.author.clone(),
        target_system: change.target_system.clone(),
        source: change.source.clone(),
        duration_ms: millis(began.elapsed()),
        error: ended.error,
        note: ended.note,
        remedy: None,
    }
}
