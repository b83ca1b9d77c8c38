use std::io;

use flamingock_core::operate::Failure;
use flamingock_core::report::Report;
use flamingock_core::{BackendError, RunError};
use serde::Serialize;

use crate::secret::Secrets;

/// What is returned by everything that can go wrong.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// Why a command did not do what it was asked for. This is the `error` of the JSON answer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    /// One word in capitals: that of the run's error, or the command's own.
    pub(crate) kind: String,
    pub(crate) message: String,
    /// Outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<String>,
    /// The last lines that the application wrote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) output: Vec<String>,
    /// What was done before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Box<Report>>,
    #[serde(skip)]
    pub(crate) exit: u8,
}

impl Problem {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
            causes: Vec::new(),
            output: Vec::new(),
            report: None,
            exit: 1,
        }
    }

    /// What was typed, or is configured, cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: 2, ..Self::new("USAGE", message) }
    }

    pub(crate) fn exit(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    /// Without what nobody may see.
    pub(crate) fn redacted(mut self, secrets: &Secrets) -> Self {
        self.message = secrets.redact(&self.message);
        let texts = self.causes.iter_mut().chain(&mut self.output);
        let stages = self.report.iter_mut().flat_map(|report| &mut report.stages);
        let reported = stages.flat_map(|stage| &mut stage.details).flat_map(|change| {
            let error = change.error.iter_mut().flat_map(|error| [&mut error.message, &mut error.causes]);
            error.chain(&mut change.note)
        });
        texts.chain(reported).for_each(|text| *text = secrets.redact(text));
        self
    }

    /// Whoever read our output has gone: nothing is wrong.
    pub(crate) fn is_gone(&self) -> bool {
        self.kind == "OUTPUT_CLOSED"
    }
}

fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        cause = error.source();
    }
    causes
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        Failure::from(&error).into()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let Failure { kind, message, causes, report } = failure;
        // The message of a store's error carries its cause already.
        let causes = causes.into_iter().filter(|cause| !message.contains(cause.as_str())).collect();
        let exit = kind.exit_code();
        Self { causes, report: report.map(Box::new), exit, ..Self::new(kind.as_str(), message) }
    }
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        let message = format!("audit store: {error}");
        let causes = chain(&error).into_iter().filter(|cause| !message.contains(cause.as_str())).collect();
        Self { causes, ..Self::new("AUDIT_STORE", message) }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new("OUTPUT_CLOSED", "nobody reads the output any more").exit(0);
        }
        Self::new("IO", error.to_string())
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { io::Error::from(error).into() } else { Self::new("IO", error.to_string()) }
    }
}

impl From<csv::Error> for Problem {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Self::new("IO", format!("{other:?}")),
        }
    }
}
