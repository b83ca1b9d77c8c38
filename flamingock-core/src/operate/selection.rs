use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEntry;

/// Narrows a run. One that is narrowed never says that everything is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Only {
    /// Only these stages; empty: all.
    pub stages: Vec<String>,
    /// Only up to this change, and with it.
    pub until: Option<String>,
    /// Only if the plan is still this one.
    pub plan: Option<SavedPlan>,
    /// Who asked for it.
    pub operator: Option<String>,
}

impl Only {
    /// Whether it leaves out a part of the pipeline.
    pub(crate) fn narrows(&self) -> bool {
        !self.stages.is_empty() || self.until.is_some()
    }
}

/// What to undo, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Undo {
    /// Ids of the changes.
    pub changes: Vec<String>,
    /// Whether they are not to run again until they are [released](super::Operator::release). Those that
    /// are rolled back already are then held, too.
    pub hold: bool,
    /// Who asked for it.
    pub operator: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// What a plan was made from: with the same of both, a run does the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Sequence of the head; 0 before the first run.
    pub sequence: u64,
    /// Digest of the pipeline.
    pub digest: String,
}

/// Which applied changes to undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoSelection {
    /// These; also one that failed half-way, whose compensation is run.
    Changes(Vec<String>),
    /// The last so many.
    Last(usize),
    /// All that were applied after this one.
    To(String),
    /// All that were applied at or after this time.
    Since(Timestamp),
    /// All that were applied after this point was named.
    Tag(String),
}

impl UndoSelection {
    /// The changes it means, the one applied last first. `applied` are the entries by which all that are
    /// applied became so, `tagged` is the sequence of its tag.
    pub(crate) fn changes(
        &self,
        mut applied: Vec<AuditEntry>,
        tagged: Option<u64>,
    ) -> Result<Vec<String>, String> {
        applied.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.sequence));
        match self {
            Self::Changes(ids) => return Ok(ids.clone()),
            Self::Last(count) => applied.truncate(*count),
            Self::To(id) => {
                let of = applied.iter().find(|entry| entry.change == *id).map(|entry| entry.sequence);
                let after = of.ok_or_else(|| format!("`{}` is not applied", id.escape_debug()))?;
                applied.retain(|entry| entry.sequence > after);
            }
            Self::Since(time) => applied.retain(|entry| entry.recorded_at >= *time),
            Self::Tag(name) => {
                let after = tagged.ok_or_else(|| format!("there is no tag `{}`", name.escape_debug()))?;
                applied.retain(|entry| entry.sequence > after);
            }
        }
        Ok(applied.into_iter().map(|entry| entry.change).collect())
    }
}
