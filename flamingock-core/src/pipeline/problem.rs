use std::fmt;

use crate::change::{Change, Source};

/// Something that is wrong with how the application is wired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, if it is about a change.
    pub source: Option<Source>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem of the builder.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self { source: None, message: message.into() }
    }

    /// A problem of a change.
    pub(crate) fn of(change: &Change, message: impl fmt::Display) -> Self {
        Self {
            source: Some(change.source.clone()),
            message: format!("change `{}`: {message}", change.id.escape_debug()),
        }
    }

    /// The same, at a line of the change's file.
    pub(crate) fn at(mut self, line: u32) -> Self {
        if let (Some(source), true) = (&mut self.source, line > 0) {
            source.line = line;
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{source}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Everything that is wrong, at once. Nothing was read, written or run.
///
/// `{:?}` is the same text as `{}`, because that is what a `main` that returns it prints.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildError {
    /// At least one, in the order in which they stand in the source.
    pub problems: Vec<Problem>,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [problem] => write!(f, "Flamingock cannot start: {problem}"),
            problems => {
                write!(f, "Flamingock cannot start, {} problems:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BuildError {}
