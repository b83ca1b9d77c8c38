use std::time::Duration;

use tokio::time::Instant;

use super::context::Run;
use super::journal::{Journal, Line};
use super::lease::HeldLease;
use super::method::{Called, Early, Failure, Left, Limits, Surroundings, call};
use super::within::{retrying, within};
use crate::BackendError;
use crate::audit::{AuditEntry, AuditState, ErrorDetail, Evidence, Operation};
use crate::change::Method;
use crate::error::Stop;
use crate::pipeline::PipelineChange;
use crate::plan::Attempt;
use crate::report::ChangeOutcome;
use crate::target::{Begun, Fence, Marker, MarkerState, MarkerUpdate, Mode, Session, TargetSystem};

/// Which way a change is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Apply,
    Undo {
        /// It is not to run again until it is released.
        hold: bool,
    },
}

/// One change, run one way.
pub(super) struct Step<'a, 'j> {
    pub(super) run: &'a Run<'a>,
    pub(super) journal: &'a mut Journal<'j>,
    pub(super) lease: &'a HeldLease,
    pub(super) stage: &'a str,
    pub(super) change: &'a PipelineChange,
    /// What is called: apply, or rollback to undo.
    pub(super) method: &'a Method,
    pub(super) attempt: Attempt,
    pub(super) direction: Direction,
    pub(super) began: Instant,
}

/// Why the outcome is not known, where something may still come to the target.
const STILL_RUNS: &str = "what still runs could not be ended";

/// How a change ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: ChangeOutcome,
    pub(super) error: Option<ErrorDetail>,
    pub(super) note: Option<String>,
}

/// What the target has of the change after the attempt.
enum Found {
    All,
    Nothing,
    Part,
}

impl Step<'_, '_> {
    /// Records that it begins; nothing is run before that is durable. Returns the entry's sequence.
    pub(super) async fn start(&mut self) -> Result<u64, Stop> {
        self.lease.check().await?;
        self.append(AuditState::Started, self.operation(), None).await
    }

    /// Runs it. What is recorded is recorded; an error is a reason to end the whole run.
    pub(super) async fn run(self, started: u64) -> Result<Ended, Stop> {
        match self.change.mode {
            Mode::Transactional => self.transactional(started).await,
            Mode::Plain => self.plain().await,
        }
    }

    /// Fence, marker, method, marker, commit: one transaction of the target.
    async fn transactional(mut self, sequence: u64) -> Result<Ended, Stop> {
        let opened = within(self.limit(), "open session", self.target().open(Mode::Transactional)).await;
        let mut session = match opened {
            Ok(session) => session,
            Err(error) => return self.nothing_done(failure(&error).detail).await,
        };
        let fence = Fence {
            history: self.journal.history().clone(),
            token: self.journal.token(),
            execution: self.journal.execution().to_owned(),
        };
        let update = MarkerUpdate {
            change: self.change.id.clone(),
            state: match self.direction {
                Direction::Apply => MarkerState::Begun,
                Direction::Undo { .. } => MarkerState::Undoing,
            },
            sequence,
            outranks: self.attempt.outranks,
        };
        match within(self.limit(), "begin marker", session.begin_marker(&fence, &update)).await {
            Ok(Begun::Written) => {}
            Ok(Begun::Stands(_)) => {
                let _ = within(self.limit(), "roll back", session.rollback()).await;
                return Ok(self.recovered());
            }
            Ok(Begun::Fenced(token)) => {
                let _ = within(self.limit(), "roll back", session.rollback()).await;
                return Err(Stop::lease_lost(format_args!(
                    "a newer run (token {token}) is at work on the target"
                )));
            }
            Err(error) => return self.abort(session, failure(&error).detail).await,
        }

        let surroundings = self.surroundings();
        let mut held = Some(session);
        let called = call(self.method, &mut held, &surroundings, self.limits()).await;
        let Some(mut session) = held else {
            if let Called::StillRunning(Early::LeaseLost) = called {
                return Err(self.lost_and_running());
            }
            return Ok(unknown(still_running(&called), "the method cannot be stopped and still runs"));
        };
        match called {
            Called::Returned(Ok(())) => {}
            Called::Returned(Err(failure)) => return self.roll_back(session, failure.detail).await,
            Called::Dropped(Early::LeaseLost) | Called::StillRunning(_) => {
                let _ = within(self.limit(), "abort session", session.abort()).await;
                return Err(Stop::lease_lost(format_args!("change `{}` was stopped", self.change.id)));
            }
            Called::Dropped(early) => return self.abort(session, early.detail()).await,
        }
        let still_ours = match within(self.limit(), "finish marker", session.finish_marker(&update)).await {
            Ok(()) => self.lease.check().await,
            Err(error) if error.is_lease_lost() => {
                Err(Stop::lease_lost("a newer run is at work on the target"))
            }
            Err(error) => return self.roll_back(session, failure(&error).detail).await,
        };
        if let Err(stop) = still_ours {
            let _ = within(self.limit(), "abort session", session.abort()).await;
            return Err(stop);
        }
        match within(self.limit(), "commit", session.commit()).await {
            Ok(()) => Ok(self.done(Evidence::None)),
            Err(error) => self.look(failure(&error).detail).await,
        }
    }

    async fn roll_back(self, session: Box<dyn Session>, error: ErrorDetail) -> Result<Ended, Stop> {
        // Whether it worked is the marker's to say: a body that ran COMMIT itself makes it fail.
        let _ = within(self.limit(), "roll back", session.rollback()).await;
        self.look(error).await
    }

    /// Ends what may still run in the server; only then may anything be concluded.
    async fn abort(self, session: Box<dyn Session>, error: ErrorDetail) -> Result<Ended, Stop> {
        match within(self.limit(), "abort session", session.abort()).await {
            Ok(()) => self.look(error).await,
            Err(abort) => Ok(unknown(error, format_args!("what still runs could not be ended: {abort}"))),
        }
    }

    /// The marker decides, seen through a new connection.
    async fn look(mut self, error: ErrorDetail) -> Result<Ended, Stop> {
        let Some(markers) = self.target().markers() else {
            return Ok(unknown(error, "the target keeps no markers"));
        };
        let look = || markers.marker(self.journal.history(), &self.change.id);
        let marker = match retrying(self.limit(), "read marker", look).await {
            Ok(marker) => marker,
            Err(look) => {
                return Ok(unknown(error, format_args!("the target could not be asked: {look}")));
            }
        };
        match (self.found(marker.as_ref()), self.direction) {
            (Found::All, _) => Ok(self.done(Evidence::Marker)),
            (Found::Nothing, _) => self.nothing_done(error).await,
            (Found::Part, Direction::Apply) => {
                self.settle(AuditState::Failed, Operation::Apply, Some(&error), &error).await?;
                Ok(self.partly(error))
            }
            (Found::Part, Direction::Undo { .. }) => {
                self.settle(AuditState::RollbackFailed, self.operation(), Some(&error), &error).await?;
                Ok(self.partly(error))
            }
        }
    }

    /// What this attempt left in the target. Markers of other runs are not of this attempt.
    fn found(&self, marker: Option<&Marker>) -> Found {
        let own = marker.filter(|marker| marker.execution == self.journal.execution());
        match (own.map(|marker| marker.state), self.direction) {
            (Some(MarkerState::Done), Direction::Apply)
            | (Some(MarkerState::Undone), Direction::Undo { .. }) => Found::All,
            (Some(MarkerState::Begun), Direction::Apply)
            | (Some(MarkerState::Undoing), Direction::Undo { .. }) => Found::Part,
            _ => Found::Nothing,
        }
    }

    /// Statement by statement; compensated when it fails.
    async fn plain(mut self) -> Result<Ended, Stop> {
        self.lease.check_at_store().await?;
        let called = match self.call_plain(self.method).await {
            Ok(called) => called,
            Err(error) => return self.nothing_done(error).await,
        };
        let error = match called {
            Called::Returned(Ok(())) => return Ok(self.done(Evidence::None)),
            Called::Returned(Err(failure)) => match failure.left {
                Left::Nothing => return self.nothing_done(failure.detail).await,
                Left::Something => failure.detail,
                Left::Running => return Ok(unknown(failure.detail, STILL_RUNS)),
            },
            Called::Dropped(Early::LeaseLost) => {
                return Err(Stop::lease_lost(format_args!(
                    "change `{}` was stopped half-way",
                    self.change.id
                )));
            }
            Called::StillRunning(Early::LeaseLost) => return Err(self.lost_and_running()),
            Called::Dropped(early) => early.detail(),
            Called::StillRunning(early) => return Ok(unknown(early.detail(), STILL_RUNS)),
        };
        match self.direction {
            Direction::Apply => self.compensate(error).await,
            Direction::Undo { .. } => {
                self.settle(AuditState::RollbackFailed, self.operation(), Some(&error), &error).await?;
                Ok(self.partly(error))
            }
        }
    }

    /// Nothing is compensated that is not recorded as failed.
    async fn compensate(&mut self, error: ErrorDetail) -> Result<Ended, Stop> {
        self.settle(AuditState::Failed, Operation::Apply, Some(&error), &error).await?;
        let Some(rollback) = &self.change.change.rollback else {
            return Ok(self.partly(error));
        };
        self.lease.check_at_store().await?;
        self.began = Instant::now();
        let compensation = match self.call_plain(rollback).await {
            Ok(Called::Returned(Ok(()))) => Ok(()),
            Ok(Called::Returned(Err(failure))) => Err(failure.detail),
            Ok(Called::StillRunning(Early::LeaseLost)) => return Err(self.lost_and_running()),
            Ok(Called::Dropped(Early::LeaseLost)) => {
                return Err(Stop::lease_lost(format_args!(
                    "the compensation of `{}` was stopped",
                    self.change.id
                )));
            }
            Ok(Called::Dropped(early) | Called::StillRunning(early)) => Err(early.detail()),
            Err(detail) => Err(detail),
        };
        let failed = compensation.err();
        let (state, outcome, note) = match &failed {
            None => {
                let note = "#[rollback] compensated it".to_owned();
                (AuditState::RolledBack, ChangeOutcome::RolledBack, note)
            }
            Some(failed) => {
                let note = format!("#[rollback] failed, too: {failed}");
                (AuditState::RollbackFailed, ChangeOutcome::Failed, note)
            }
        };
        let recorded = self.settle(state, Operation::Rollback, failed.as_ref(), &error).await;
        recorded.map_err(|stop| stop.with(format_args!("Not recorded: {note}")))?;
        Ok(Ended { outcome, error: Some(error), note: Some(note) })
    }

    /// Calls a method on a target without transactions. `Err`: the session could not even be opened.
    async fn call_plain(&self, method: &Method) -> Result<Called<()>, ErrorDetail> {
        let mut session = None;
        // Where there are no handles, opening it only asks whether the target is reached.
        let handles = self.target().session_types(Mode::Plain).unwrap_or_default();
        if method.session().is_some() || handles.is_empty() {
            let opened = within(self.limit(), "open session", self.target().open(Mode::Plain)).await;
            session = Some(opened.map_err(|error| failure(&error).detail)?);
        }
        let called = call(method, &mut session, &self.surroundings(), self.limits()).await;
        let Some(session) = session else { return Ok(called) };
        match called {
            Called::Dropped(early) => match within(self.limit(), "abort session", session.abort()).await {
                Ok(()) => Ok(Called::Dropped(early)),
                Err(_) => Ok(Called::StillRunning(early)),
            },
            Called::Returned(Ok(())) => match within(self.limit(), "close session", session.commit()).await {
                Err(error) if !error.is_temporary() => Ok(Called::Returned(Err(failure(&error)))),
                Err(error) => {
                    tracing::warn!(%error, "a session could not be closed");
                    Ok(called)
                }
                Ok(()) => Ok(called),
            },
            Called::Returned(Err(mut failure)) => {
                let ended = within(self.limit(), "roll back session", session.rollback()).await;
                if let Err(error) = ended {
                    tracing::warn!(%error, "what a change gave up on may still take effect");
                    failure.left = Left::Running;
                }
                Ok(Called::Returned(Err(failure)))
            }
            Called::StillRunning(_) => Ok(called),
        }
    }

    /// It is recorded with the next append: if that never comes, the marker tells.
    fn done(&mut self, evidence: Evidence) -> Ended {
        let (state, outcome) = match self.direction {
            Direction::Apply => (AuditState::Applied, ChangeOutcome::Applied),
            Direction::Undo { .. } => (AuditState::RolledBack, ChangeOutcome::Undone),
        };
        let entry = self.line(state, self.operation(), evidence, None);
        self.journal.note(entry);
        Ended { outcome, error: None, note: None }
    }

    /// An earlier attempt had applied it.
    fn recovered(&mut self) -> Ended {
        let ended = self.done(Evidence::Marker);
        let note = "the target's marker says that it was applied before".to_owned();
        Ended { outcome: ChangeOutcome::Recovered, note: Some(note), ..ended }
    }

    /// The attempt failed and the target is as it was before.
    async fn nothing_done(&mut self, error: ErrorDetail) -> Result<Ended, Stop> {
        let note = match self.direction {
            Direction::Apply if self.attempt.over_remains => {
                // As before is not as if it had never been tried.
                self.settle(AuditState::Failed, Operation::Apply, Some(&error), &error).await?;
                let note = "this attempt did nothing, but the target may have a part from an earlier one";
                let (outcome, note) = (ChangeOutcome::Failed, Some(note.to_owned()));
                return Ok(Ended { outcome, error: Some(error), note });
            }
            Direction::Apply => {
                let failed = self.line(AuditState::Failed, Operation::Apply, Evidence::None, Some(&error));
                self.journal.note(failed);
                self.settle(AuditState::RolledBack, Operation::Apply, None, &error).await?;
                "nothing of it is left in the target; the next start tries it again"
            }
            Direction::Undo { .. } if self.attempt.over_remains => {
                // It was not known to be applied before, and still is not.
                self.settle(AuditState::RollbackFailed, self.operation(), Some(&error), &error).await?;
                let note = "this attempt did nothing, but the target may have a part from before";
                let (outcome, note) = (ChangeOutcome::Failed, Some(note.to_owned()));
                return Ok(Ended { outcome, error: Some(error), note });
            }
            Direction::Undo { .. } => {
                self.settle(AuditState::Applied, self.operation(), Some(&error), &error).await?;
                "it is still applied"
            }
        };
        Ok(Ended { outcome: ChangeOutcome::RolledBack, error: Some(error), note: Some(note.to_owned()) })
    }

    fn lost_and_running(&self) -> Stop {
        Stop::lease_lost(format_args!("change `{}` cannot be stopped and still runs", self.change.id))
    }

    fn partly(&self, error: ErrorDetail) -> Ended {
        let note = match self.change.mode {
            Mode::Transactional => "something in it committed by itself: the target may have a part of it",
            Mode::Plain => "the target may have a part of it",
        };
        Ended { outcome: ChangeOutcome::Failed, error: Some(error), note: Some(note.to_owned()) }
    }

    /// Records how an attempt ended that failed, with what the entry is to tell. Where that cannot be
    /// recorded, the attempt's own error is not lost with it.
    async fn settle(
        &mut self,
        state: AuditState,
        operation: Operation,
        told: Option<&ErrorDetail>,
        error: &ErrorDetail,
    ) -> Result<(), Stop> {
        match self.append(state, operation, told).await {
            Ok(_) => Ok(()),
            Err(stop) => Err(Stop { failure: Some(error.clone()), ..stop }),
        }
    }

    async fn append(
        &mut self,
        state: AuditState,
        operation: Operation,
        error: Option<&ErrorDetail>,
    ) -> Result<u64, Stop> {
        let entry = self.line(state, operation, Evidence::None, error);
        match self.journal.append(entry).await {
            Ok(sequence) => Ok(sequence),
            Err(error) => Err(self.run.append_stop(self.journal, error)),
        }
    }

    fn line(
        &self,
        state: AuditState,
        operation: Operation,
        evidence: Evidence,
        error: Option<&ErrorDetail>,
    ) -> AuditEntry {
        let line = Line {
            operation,
            state,
            attempt: self.attempt.number,
            refers_to: (self.attempt.epoch > 0).then_some(self.attempt.epoch),
            evidence,
            duration: (state != AuditState::Started).then(|| self.began.elapsed()),
            error: error.cloned(),
        };
        self.journal.entry(self.stage, self.change, self.target(), line)
    }

    fn operation(&self) -> Operation {
        match self.direction {
            Direction::Apply => Operation::Apply,
            Direction::Undo { hold: false } => Operation::Undo,
            Direction::Undo { hold: true } => Operation::Hold,
        }
    }

    fn target(&self) -> &'_ dyn TargetSystem {
        self.run.target(self.change)
    }

    fn limit(&self) -> Duration {
        self.run.app.settings.operation_timeout
    }

    fn limits(&self) -> Limits<'_> {
        self.run.limits(self.change, Some(self.lease))
    }

    fn surroundings(&self) -> Surroundings {
        self.run.surroundings(self.change, &self.attempt, self.journal.token())
    }
}

fn failure(error: &BackendError) -> Failure {
    let mut chain = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    let detail = ErrorDetail::new(format!("{:?}", error.kind()), chain);
    Failure { detail, left: Left::Something }
}

fn still_running(called: &Called<()>) -> ErrorDetail {
    match called {
        Called::Dropped(early) | Called::StillRunning(early) => early.detail(),
        Called::Returned(_) => Early::Cancelled.detail(),
    }
}

/// How a change ended in which the run was stopped, and the stop that tells what had gone wrong before.
pub(super) fn stopped(change: &PipelineChange, stop: Stop) -> (Ended, Stop) {
    let note = format!("the run stopped: {}", stop.message);
    let error = stop.failure.clone();
    let stop = match &error {
        Some(error) => {
            stop.with(format_args!("In change `{}` this had gone wrong before: {error}", change.id))
        }
        None => stop,
    };
    (Ended { outcome: ChangeOutcome::Unknown, error, note: Some(note) }, stop)
}

/// STARTED stays: the next start finds out, or asks.
fn unknown(error: ErrorDetail, why: impl std::fmt::Display) -> Ended {
    let note = format!("the outcome is not known: {why}; the next start finds out, or asks");
    Ended { outcome: ChangeOutcome::Unknown, error: Some(error), note: Some(note) }
}
