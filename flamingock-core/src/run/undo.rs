use tokio::time::Instant;

use super::acquire::Entry;
use super::context::Run;
use super::journal::{Journal, Line};
use super::lease::HeldLease;
use super::stage::change_report;
use super::step::{Direction, Ended, Step, stopped};
use crate::audit::{AuditEntry, AuditState, EntryFilter, Evidence, Operation, TxStrategy};
use crate::builder::Flamingock;
use crate::change::Method;
use crate::error::{RunError, RunErrorKind, Stop};
use crate::event::Event;
use crate::operate::{Resolution, Undo, proposed};
use crate::pipeline::{PipelineChange, PipelineStage};
use crate::plan::{Attempt, Decision, Latest, Observation, decide, is_applied, is_uncertain, question};
use crate::report::{AuditHead, ChangeOutcome, Report, RunStatus, StageReport, StageState};
use crate::target::Mode;

/// A change that is to be undone, or only to be held.
pub(super) struct Undoable<'a> {
    stage: &'a PipelineStage,
    change: &'a PipelineChange,
    /// [`None`]: it is rolled back already.
    rollback: Option<&'a Method>,
    latest: AuditEntry,
    /// Sequence of the entry by which it was applied.
    applied_by: u64,
}

impl Undoable<'_> {
    pub(super) fn id(&self) -> &str {
        &self.change.id
    }
}

impl Flamingock {
    /// Undoes applied changes through their `#[rollback]`, the one applied last first, and stops at
    /// the first that fails. Also runs the compensation of a change without a transaction that is an
    /// issue. In the target's transaction, where it has one.
    ///
    /// The next run applies them again, unless the code no longer has them.
    ///
    /// # Errors
    /// Before anything is undone, when one of them is not known, is not applied, has no `#[rollback]`, or is on
    /// another target than the one that the code now gives it; and as [`run`](Self::run).
    pub async fn undo(&self, ids: &[&str]) -> Result<Report, RunError> {
        let changes = ids.iter().map(|id| (*id).to_owned()).collect();
        self.undo_with(&Undo { changes, ..Undo::default() }).await
    }

    /// The same for a person, and perhaps to [hold](Undo::hold) them: no run applies them until they are
    /// released.
    ///
    /// # Errors
    /// As [`undo`](Self::undo).
    pub async fn undo_with(&self, undo: &Undo) -> Result<Report, RunError> {
        self.asked_by(undo.operator.as_deref(), undo.reason.as_deref())
            .observed(async |run| {
                run.must_lead = true;
                match run.prepare().await? {
                    // A run that undoes does not leave early.
                    Entry::UpToDate(_) => Ok(RunStatus::NoChanges),
                    Entry::Leading(lease) => {
                        let ended = run.undo(&lease, undo).await;
                        lease.release().await;
                        ended
                    }
                }
            })
            .await
    }
}

impl Run<'_> {
    async fn undo(&mut self, lease: &HeldLease, undo: &Undo) -> Result<RunStatus, Stop> {
        let office = self.take_office(lease).await?;
        let mut journal = Journal::new(self.app.store.as_ref(), &self.app.settings, office);
        let latest = self.read_latest().await?;
        let ids: Vec<&str> = undo.changes.iter().map(String::as_str).collect();
        let chosen = self.undoable(&ids, undo.hold, &latest).await?;
        let ended = self.undo_all(lease, &mut journal, chosen, undo.hold).await;
        if let Err(Stop { kind: RunErrorKind::LeaseLost | RunErrorKind::AuditStore, .. }) = ended {
            return ended;
        }
        let details = self.stages.iter().flat_map(|stage| &stage.details);
        let settled = details.filter(|it| matches!(it.outcome, ChangeOutcome::Undone | ChangeOutcome::Held));
        let settled: Vec<&str> = settled.map(|it| it.id.as_str()).collect();
        let closed = journal.close(Vec::new(), journal.handed_on(&settled)).await;
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
        hold: bool,
    ) -> Result<RunStatus, Stop> {
        for undoable in chosen {
            if self.app.settings.cancel.is_cancelled() {
                return Err(Stop::cancelled());
            }
            let (stage, began) = (undoable.stage, Instant::now());
            let ended = match undoable.rollback {
                Some(method) => self.undo_one(lease, journal, &undoable, method, hold, began).await?,
                None => Ok(self.only_hold(journal, &undoable).await?),
            };
            let (ended, stop) = match ended {
                Ok(ended) => (ended, None),
                Err(stop) => {
                    let (ended, stop) = stopped(undoable.change, stop);
                    (ended, Some(stop))
                }
            };
            let good = matches!(ended.outcome, ChangeOutcome::Undone | ChangeOutcome::Held);
            let report = change_report(undoable.change, ended, began);
            self.app.listeners.tell(&Event::ChangeFinished { report: &report });
            let of = self.stage_report(stage);
            *match report.outcome {
                ChangeOutcome::Undone => &mut of.changes.undone,
                ChangeOutcome::Held => &mut of.changes.held,
                _ => &mut of.changes.failed,
            } += 1;
            of.changes.total += 1;
            of.state = if good { StageState::Completed } else { StageState::Failed };
            of.details.push(report);
            if !good {
                return Err(stop.unwrap_or_else(|| Stop::new(RunErrorKind::ChangeFailed, "")));
            }
        }
        Ok(RunStatus::Success)
    }

    /// The outer error: it was not even started.
    async fn undo_one(
        &self,
        lease: &HeldLease,
        journal: &mut Journal<'_>,
        undoable: &Undoable<'_>,
        method: &Method,
        hold: bool,
        began: Instant,
    ) -> Result<Result<Ended, Stop>, Stop> {
        let Undoable { stage, change, .. } = *undoable;
        let epoch = undoable.latest.refers_to.unwrap_or(0);
        let over_remains = !is_applied(&undoable.latest);
        let attempt = Attempt { number: 1, epoch, over_remains, ..Attempt::default() };
        let direction = Direction::Undo { hold };
        let stage = stage.name.as_str();
        let mut step = Step { run: self, journal, lease, stage, change, method, attempt, direction, began };
        let started = step.start().await?;
        self.app.listeners.tell(&Event::ChangeStarted {
            change: &change.id,
            stage,
            target_system: &change.target_system,
            attempt: step.attempt.number,
        });
        Ok(step.run(started).await)
    }

    /// The target has nothing of it: there is only something to record.
    async fn only_hold(
        &self,
        journal: &mut Journal<'_>,
        Undoable { stage, change, latest, .. }: &Undoable<'_>,
    ) -> Result<Ended, Stop> {
        let line = Line {
            operation: Operation::Hold,
            state: AuditState::RolledBack,
            attempt: latest.attempt,
            refers_to: Some(latest.sequence),
            evidence: Evidence::None,
            duration: None,
            error: None,
        };
        let entry = journal.entry(&stage.name, change, self.target(change), line);
        let held = journal.append(entry).await;
        held.map_err(|error| self.append_stop(journal, error))?;
        let note = Some("it was rolled back already".to_owned());
        Ok(Ended { outcome: ChangeOutcome::Held, error: None, note })
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

    /// The changes to undo, or to hold, the one applied last first; or everything that stands against it.
    pub(super) async fn undoable<'p>(
        &self,
        ids: &[&str],
        hold: bool,
        latest: &Latest,
    ) -> Result<Vec<Undoable<'p>>, Stop>
    where
        Self: 'p,
    {
        let app = self.app;
        let mut refused = Vec::new();
        let mut chosen: Vec<Undoable<'_>> = Vec::new();
        for id in ids {
            let known = app.pipeline.changes().find(|(_, change)| change.id == *id);
            let Some((stage, change)) = known else {
                refused.push(app.pipeline.unknown(id));
                continue;
            };
            let Some(latest) = latest.get(*id).cloned() else {
                refused.push(format!("`{id}` is not applied"));
                continue;
            };
            if chosen.iter().any(|chosen| chosen.change.id == change.id) {
                continue;
            }
            let rollback = change.rollback.as_ref();
            let applied_by = self.applied_by(&latest).await?.sequence;
            let has_it = is_applied(&latest) || has_a_part(change, &latest);
            if has_it && let Some(elsewhere) = self.elsewhere(change, &latest) {
                refused.push(elsewhere);
                continue;
            }
            match (has_it, rollback) {
                (true, Some(_)) => {
                    chosen.push(Undoable { stage, change, rollback, latest, applied_by });
                }
                (true, None) => refused.push(format!("`{id}` has no #[rollback] ({})", change.source)),
                (false, _) => match self.decided(change, &latest).await? {
                    Decision::Held { since } => refused.push(format!("`{id}` is held, since entry {since}")),
                    Decision::Apply(_) if hold && !is_uncertain(&latest) => {
                        chosen.push(Undoable { stage, change, rollback: None, latest, applied_by });
                    }
                    _ => refused.push(format!("`{id}` is not applied")),
                },
            }
        }
        if !refused.is_empty() {
            let message = format!("nothing was undone: {}", refused.join("; "));
            return Err(Stop::refused(message));
        }
        chosen.sort_by_key(|undoable| std::cmp::Reverse(undoable.applied_by));
        Ok(chosen)
    }

    /// Why a change is not undone where the code has it now: by its entry it is on another target. One that
    /// was only renamed is still the same.
    fn elsewhere(&self, change: &PipelineChange, entry: &AuditEntry) -> Option<String> {
        let (id, now, was) = (&change.id, self.target(change), &entry.target_system);
        let same_place = !entry.target_address.is_empty()
            && (entry.target_kind.as_str(), &entry.target_address) == (now.kind(), &now.address());
        if was == now.id() || (same_place && !self.app.targets.contains_key(was)) {
            return None;
        }
        Some(format!(
            "`{id}` is on target system `{was}` ({}), but the code now has it on `{}` ({}): give it back `{was}` \
             and undo it there, or take it back by hand and say so with {}",
            place(&entry.target_kind, &entry.target_address),
            now.id(),
            place(now.kind(), &now.address()),
            proposed::ruling(entry, Resolution::RolledBack, false),
        ))
    }

    /// The entry by which a change became applied; its newest one, where it is not. An undo that failed
    /// records APPLIED again, and so may a ruling about it: the change is no newer for that.
    pub(super) async fn applied_by(&self, latest: &AuditEntry) -> Result<AuditEntry, Stop> {
        let mut applied = None;
        if latest.operation.is_undo() || latest.operation == Operation::Ruling {
            let mut filter = EntryFilter { change: Some(latest.change.clone()), ..EntryFilter::default() };
            loop {
                let page = self.entries(&filter).await?;
                let Some(last) = page.last() else { break };
                filter.after = last.sequence;
                for entry in page {
                    if is_applied(&entry) {
                        applied.get_or_insert(entry);
                    } else if is_rolled_back(&entry) {
                        applied = None;
                    }
                }
            }
        }
        Ok(applied.unwrap_or_else(|| latest.clone()))
    }

    /// What a run would do with a change that is settled: one that its target's marker contradicts is not.
    async fn decided(&self, change: &PipelineChange, latest: &AuditEntry) -> Result<Decision, Stop> {
        let mut seen = Observation::default();
        if question(change, Some(latest)).marker {
            seen.marker = self.marker_of(change).await?;
        }
        Ok(decide(change, Some(latest), &seen))
    }
}

fn place(kind: &str, address: &str) -> String {
    if address.is_empty() { kind.to_owned() } else { format!("{kind}, {address}") }
}

fn is_rolled_back(entry: &AuditEntry) -> bool {
    matches!(entry.state, Some(AuditState::RolledBack | AuditState::ManualMarkedAsRolledBack))
}

/// Whether the target may have a part of it that the change's compensation removes. Where there is a
/// transaction, its marker settles that instead.
fn has_a_part(change: &PipelineChange, entry: &AuditEntry) -> bool {
    change.mode == Mode::Plain && entry.tx_strategy == TxStrategy::NonTx && is_uncertain(entry)
}
