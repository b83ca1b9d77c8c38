//! Events as a test names them, for [`then_events`](crate::Ran::then_events).
//!
//! ```
//! use flamingock_core::report::{ChangeOutcome, RunStatus, StageState};
//! use flamingock_testing::event;
//!
//! [
//!     event::pipeline_started(),
//!     event::stage_started("default"),
//!     event::change_started_of("add-tracking-code"),
//!     event::change_finished_of("add-tracking-code", ChangeOutcome::Applied),
//!     event::stage_finished("default", StageState::Completed),
//!     event::pipeline_finished(RunStatus::Success),
//! ];
//! ```

use flamingock_core::change::CodeChange;
use flamingock_core::event::Event;
use flamingock_core::report::{ChangeOutcome, RunStatus, StageState};

use super::diff::Expected;

/// An event without what changes from run to run, such as ids and durations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ExpectedEvent(String);

/// The run begins.
pub fn pipeline_started() -> ExpectedEvent {
    ExpectedEvent("pipeline started".to_owned())
}

/// Another instance holds the lock.
pub fn waiting() -> ExpectedEvent {
    ExpectedEvent("waiting for the lock".to_owned())
}

/// Code and audit have drifted apart over this change.
pub fn drifted(change: &str) -> ExpectedEvent {
    ExpectedEvent(format!("drifted: change `{change}`"))
}

/// A stage with something to do begins.
pub fn stage_started(stage: &str) -> ExpectedEvent {
    ExpectedEvent(format!("stage `{stage}` started"))
}

/// A change begins.
pub fn change_started<C: CodeChange>() -> ExpectedEvent {
    change_started_of(C::ID)
}

/// The change with this id begins.
pub fn change_started_of(change: &str) -> ExpectedEvent {
    ExpectedEvent(format!("change `{change}` started"))
}

/// A change says how far it is.
pub fn change_progress<C: CodeChange>(done: u64, total: u64) -> ExpectedEvent {
    change_progress_of(C::ID, done, total)
}

/// The change with this id says how far it is.
pub fn change_progress_of(change: &str, done: u64, total: u64) -> ExpectedEvent {
    ExpectedEvent(format!("change `{change}` is at {done} of {total}"))
}

/// A change has ended so.
pub fn change_finished<C: CodeChange>(outcome: ChangeOutcome) -> ExpectedEvent {
    change_finished_of(C::ID, outcome)
}

/// The change with this id has ended so.
pub fn change_finished_of(change: &str, outcome: ChangeOutcome) -> ExpectedEvent {
    ExpectedEvent(format!("change `{change}` finished: {outcome}"))
}

/// A stage has ended so.
pub fn stage_finished(stage: &str, state: StageState) -> ExpectedEvent {
    ExpectedEvent(format!("stage `{stage}` finished: {state}"))
}

/// The run has ended so.
pub fn pipeline_finished(status: RunStatus) -> ExpectedEvent {
    ExpectedEvent(format!("pipeline finished: {status}"))
}

/// What happened, in the same words.
pub(super) fn seen(event: &Event<'_>) -> ExpectedEvent {
    match event {
        Event::PipelineStarted { .. } => pipeline_started(),
        Event::Waiting { .. } => waiting(),
        Event::Drifted { drift } => drifted(&drift.change),
        Event::StageStarted { stage, .. } => stage_started(stage),
        Event::ChangeStarted { change, .. } => change_started_of(change),
        Event::ChangeProgress { change, done, total, .. } => change_progress_of(change, *done, *total),
        Event::ChangeFinished { report } => change_finished_of(&report.id, report.outcome),
        Event::StageFinished { report } => stage_finished(&report.name, report.state),
        Event::PipelineFinished { report } => pipeline_finished(report.status),
        other => ExpectedEvent(format!("{other:?}")),
    }
}

impl Expected for ExpectedEvent {
    type Actual = Self;

    fn key(&self, _: Option<&Self>) -> String {
        self.0.clone()
    }

    fn key_of(actual: &Self) -> String {
        actual.0.clone()
    }

    fn is_about(&self, actual: &Self) -> bool {
        self == actual
    }

    fn fits(&self, actual: &Self) -> bool {
        self == actual
    }

    fn line(&self) -> String {
        self.0.clone()
    }

    fn line_for(&self, actual: &Self) -> String {
        actual.0.clone()
    }

    fn line_of(actual: &Self) -> String {
        actual.0.clone()
    }
}
