use std::ops::Deref;

use crate::change::Change;
use crate::operate::did_you_mean;
use crate::target::Mode;

/// A stage, as the builder declares it: a name, and the modules whose changes it takes.
///
/// A change names its stage (`stage = ".."`) or belongs to the stage with the most specific module
/// at or above its own. Stages run in the order in which they are declared and do not depend on
/// each other: one that fails does not stop the next.
///
/// ```
/// # use flamingock_core::pipeline::Stage;
/// let schema = Stage::new("schema").module("orders_changes::schema");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub(crate) name: String,
    pub(crate) modules: Vec<String>,
}

impl Stage {
    /// The stage that takes everything when none is declared.
    pub const DEFAULT: &'static str = "default";

    /// A stage that takes the changes that name it.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), modules: Vec::new() }
    }

    /// Takes the changes at or below this module, too. May be called several times.
    #[must_use]
    pub fn module(mut self, path: impl Into<String>) -> Self {
        self.modules.push(path.into());
        self
    }
}

/// What is to be run: stages in order, each with its changes in order.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// In the order in which they were declared; none is empty.
    pub stages: Vec<PipelineStage>,
    /// Ids of changes that the code has, but not for the active profiles.
    pub inactive: Vec<String>,
    /// Identifies the pipeline in the head: `v1:` and SHA-256 in hexadecimal.
    pub digest: String,
}

impl Pipeline {
    /// All changes, in the order in which they run.
    pub fn changes(&self) -> impl Iterator<Item = (&PipelineStage, &PipelineChange)> {
        self.stages.iter().flat_map(|stage| stage.changes.iter().map(move |change| (stage, change)))
    }

    /// What to say about a change that it does not have.
    pub(crate) fn unknown(&self, id: &str) -> String {
        let near = did_you_mean(id, self.changes().map(|(_, change)| change.id.as_str()));
        format!("`{}` is no change of this application{near}", id.escape_debug())
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.stages.iter().map(|stage| stage.changes.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A stage of a [`Pipeline`].
#[derive(Debug, Clone)]
pub struct PipelineStage {
    /// Its name.
    pub name: String,
    /// Its changes, in order.
    pub changes: Vec<PipelineChange>,
}

/// A change with what its target says about it.
#[derive(Debug, Clone)]
pub struct PipelineChange {
    /// The change.
    pub change: Change,
    /// How it runs.
    pub mode: Mode,
}

impl Deref for PipelineChange {
    type Target = Change;

    fn deref(&self) -> &Change {
        &self.change
    }
}
