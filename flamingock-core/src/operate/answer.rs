use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Baseline, Examination, Only, Preview, Ruled, Ruling, Undo, UndoSelection, Validation};
use crate::audit::AuditEntry;
use crate::report::Report;
use crate::{Flamingock, RunError, RunErrorKind};

/// Something that only the application can do: it has the changes and their targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// [`Flamingock::apply_only`].
    Apply(Only),
    /// [`Flamingock::plan`].
    Plan,
    /// [`Flamingock::validate`].
    Validate,
    /// [`Flamingock::undoable`].
    Undoable {
        /// Which.
        selection: UndoSelection,
        /// Whether they are to be held.
        hold: bool,
    },
    /// [`Flamingock::undo_with`].
    Undo(Undo),
    /// [`Flamingock::examine`].
    Examine(String),
    /// [`Flamingock::rule`].
    Rule {
        /// What is ruled.
        ruling: Ruling,
        /// How long to wait for the lock.
        wait: Duration,
    },
    /// [`Flamingock::baseline`].
    Baseline(Baseline),
}

/// A [`Request`], and whose application is meant: asked for another's changes, one refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The service, where one was named.
    pub service: Option<String>,
    /// The tenant, where one was named.
    pub tenant: Option<String>,
    /// What is to be done.
    pub request: Request,
}

/// What came of a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was done.
    Done(Outcome),
    /// It was not, or not wholly.
    Failed(Box<Failure>),
}

/// What a [`Request`] gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Of `Apply` and `Undo`.
    Report(Box<Report>),
    /// Of `Plan`.
    Preview(Preview),
    /// Of `Validate`.
    Validation(Validation),
    /// Of `Undoable` and `Baseline`: entries of the changes.
    Entries(Vec<AuditEntry>),
    /// Of `Examine`.
    Examination(Box<Examination>),
    /// Of `Rule`.
    Ruled(Box<Ruled>),
}

/// Why a [`Request`] was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub kind: RunErrorKind,
    /// For a person, with the remedy.
    pub message: String,
    /// The causes, outermost first.
    pub causes: Vec<String>,
    /// What was done before.
    pub report: Option<Report>,
}

impl From<&RunError> for Failure {
    fn from(error: &RunError) -> Self {
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        Self {
            kind: error.kind(),
            message: error.to_string(),
            causes: causes.map(ToString::to_string).collect(),
            report: (!error.report().stages.is_empty()).then(|| error.report().clone()),
        }
    }
}

impl RunErrorKind {
    /// The exit code of a process that ends with this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pending => 3,
            Self::LockTimeout => 4,
            _ => 1,
        }
    }
}

impl Answer {
    /// The exit code of a process that ends with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Done(_) => 0,
            Self::Failed(failure) => failure.kind.exit_code(),
        }
    }
}

impl Flamingock {
    /// Does what the command line asks for, if this is the application that it means.
    pub async fn answer_asked(&self, asked: &Asked) -> Answer {
        let history = &self.settings.history;
        let is_meant = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|name| name == own);
        if is_meant(&asked.service, &history.service) && is_meant(&asked.tenant, &history.tenant) {
            return self.answer(&asked.request).await;
        }
        let wanted: Vec<&str> =
            [&asked.service, &asked.tenant].into_iter().flatten().map(String::as_str).collect();
        Answer::Failed(Box::new(Failure {
            kind: RunErrorKind::Refused,
            message: format!(
                "this application has the changes of `{history}`, not of `{}`: check --service and --tenant",
                wanted.join("/").escape_debug()
            ),
            causes: Vec::new(),
            report: None,
        }))
    }

    /// Does what another process, or the command line, asks for.
    pub async fn answer(&self, request: &Request) -> Answer {
        let done = match request {
            Request::Apply(only) => {
                self.apply_only(only).await.map(|report| Outcome::Report(Box::new(report)))
            }
            Request::Plan => self.plan().await.map(Outcome::Preview),
            Request::Validate => self.validate().await.map(Outcome::Validation),
            Request::Undoable { selection, hold } => {
                self.undoable(selection, *hold).await.map(Outcome::Entries)
            }
            Request::Undo(undo) => self.undo_with(undo).await.map(|report| Outcome::Report(Box::new(report))),
            Request::Rule { ruling, wait } => {
                self.rule(ruling, *wait).await.map(|ruled| Outcome::Ruled(Box::new(ruled)))
            }
            Request::Examine(id) => self.examine(id).await.map(|found| Outcome::Examination(Box::new(found))),
            Request::Baseline(baseline) => self.baseline(baseline).await.map(Outcome::Entries),
        };
        match done {
            Ok(outcome) => Answer::Done(outcome),
            Err(error) => Answer::Failed(Box::new(Failure::from(&error))),
        }
    }
}
