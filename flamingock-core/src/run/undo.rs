use std::time::Instant;

use super::acquire::Entry;
use super::context::Run;
use super::journal::Journal;
use super::lease::HeldLease;
use super::stage::change_report;
use super::step::{Direction, Step};
use crate::audit::AuditEntry;
use crate::builder::Flamingock;
use crate::change::Method;
use crate::error::{RunError, RunErrorKind, Stop};
use crate::event::Event;
use crate::pipeline::{PipelineChange, PipelineStage};
use crate::plan::{Attempt, Latest, is_applied, is_uncertain};
use crate::report::{AuditHead, ChangeOutcome, Report, RunStatus, StageReport, StageState};
use crate::target::Mode;

/// An applied change with what undoes it.
pub(super) struct Undoable<'a> {
    stage: &'a PipelineStage,
    change: &'a PipelineChange,
    rollback: &'a Method,
    applied_at: u64,
    attempt: Attempt,
}

impl Flamingock {
    /// Undoes applied changes through their `#[rollback]`, the one applied last first, and stops at
    /// the first that fails. Also runs the compensation of a change without a transaction that is an issue. In the target's transaction, where it has one.
    ///
    /// The next run applies them again, unless the code no longer has them.
    ///
    /// # Errors
    /// Before anything is undone, when one of them is not known, is not applied, or has no
    /// `#[rollback]`; and as [`run`](Self::run).
    pub async fn undo(&self, ids: &[&str]) -> Result<Report, RunError> {
        self.observed(async |run| {
            run.must_lead = true;
            match run.prepare().await? {
                // A run that undoes does not leave early.
                Entry::UpToDate(_) => Ok(RunStatus::NoChanges),
                Entry::Leading(lease) => {
                    let ended = run.undo(&lease, ids).await;
                    lease.release().await;
                    ended
                }
            }
        })
        .await
    }
}

impl Run<'_> {
    async fn undo(&mut self, lease: &HeldLease, ids: &[&str]) -> Result<RunStatus, Stop> {
        let office = self.take_office(lease).await?;
        let mut journal = Journal::new(self.app.store.as_ref(), &self.app.settings, office);
        let latest = self.read_latest().await?;
        let chosen = self.undoable(ids, &latest)?;
        let ended = self.undo_all(lease, &mut journal, chosen).await;
        if let Err(Stop { kind: RunErrorKind::LeaseLost | RunErrorKind::AuditStore, .. }) = ended {
            return ended;
        }
        let closed = journal.close(Vec::new(), None).await;
        self.head = Some(AuditHead { sequence: journal.sequence(), hash: journal.hash() });
        match closed {
            Ok(()) => ended,
            Err(error) => Err(self.append_stop(&journal, error)),
        }
    }

    async fn undo_all(
        &mut self,
        lease: &HeldLease,
        journal: &mut Journal<'_>,
        chosen: Vec<Undoable<'_>>,
    ) -> Result<RunStatus, Stop> {
        for Undoable { stage, change, rollback: method, attempt, .. } in chosen {
            if self.app.settings.cancel.is_cancelled() {
                return Err(Stop::cancelled());
            }
            let (began, direction) = (Instant::now(), Direction::Undo);
            let mut step = Step {
                run: self,
                journal,
                lease,
                stage: &stage.name,
                change,
                method,
                attempt,
                direction,
                began,
            };
            let started = step.start().await?;
            self.app.listeners.tell(&Event::ChangeStarted {
                change: &change.id,
                stage: &stage.name,
                target_system: &change.target_system,
                attempt: step.attempt.number,
            });
            let ended = step.run(started).await?;
            let good = ended.outcome == ChangeOutcome::Undone;
            let report = change_report(change, ended, began);
            self.app.listeners.tell(&Event::ChangeFinished { report: &report });
            let of = self.stage_report(stage);
            *(if good { &mut of.changes.applied } else { &mut of.changes.failed }) += 1;
            of.changes.total += 1;
            of.state = if good { StageState::Completed } else { StageState::Failed };
            of.details.push(report);
            if !good {
                return Err(Stop::new(RunErrorKind::ChangeFailed, ""));
            }
        }
        Ok(RunStatus::Success)
    }

    fn stage_report(&mut self, stage: &PipelineStage) -> &mut StageReport {
        let index = self.stages.iter().position(|report| report.name == stage.name).unwrap_or_else(|| {
            let mut report = StageReport::new(stage);
            report.changes.total = 0;
            self.stages.push(report);
            self.stages.len() - 1
        });
        &mut self.stages[index]
    }

    /// The changes to undo, the one applied last first; or everything that stands against it.
    pub(super) fn undoable<'p>(&self, ids: &[&str], latest: &Latest) -> Result<Vec<Undoable<'p>>, Stop>
    where
        Self: 'p,
    {
        let app = self.app;
        let mut refused = Vec::new();
        let mut chosen = Vec::new();
        for id in ids {
            let known = app.pipeline.changes().find(|(_, change)| change.id == *id);
            let Some((stage, change)) = known else {
                refused.push(format!("`{id}` is no change of this application"));
                continue;
            };
            let entry = latest.get(*id).filter(|entry| is_applied(entry) || has_a_part(change, entry));
            match (entry, &change.rollback) {
                (Some(entry), Some(rollback)) => {
                    let epoch = entry.refers_to.unwrap_or(0);
                    let attempt = Attempt { number: 1, epoch, outranks: epoch, ..Attempt::default() };
                    chosen.push(Undoable { stage, change, rollback, applied_at: entry.sequence, attempt });
                }
                (None, _) => refused.push(format!("`{id}` is not applied")),
                (_, None) => refused.push(format!("`{id}` has no #[rollback] ({})", change.source)),
            }
        }
        if !refused.is_empty() {
            let message = format!("nothing was undone: {}", refused.join("; "));
            return Err(Stop::new(RunErrorKind::Refused, message));
        }
        chosen.sort_by_key(|undoable| std::cmp::Reverse(undoable.applied_at));
        Ok(chosen)
    }
}

/// Whether the target may have a part of it that the change's compensation removes. Where there is a
/// transaction, its marker settles that instead.
fn has_a_part(change: &PipelineChange, entry: &AuditEntry) -> bool {
    change.mode == Mode::Plain && is_uncertain(entry)
}
