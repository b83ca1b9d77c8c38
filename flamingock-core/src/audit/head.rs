use serde::{Deserialize, Serialize};

use super::ChainHash;
use crate::lock::FencingToken;
use crate::words::words;

/// The small record that says where a history stands. A start with nothing to do reads only this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Format of the record.
    pub format: u32,
    /// Token of the run in office.
    pub token: FencingToken,
    /// Who took office last: `service@host#uuid`.
    pub owner: String,
    /// The run that took office last.
    pub execution: String,
    /// Sequence of the last entry; 0 before the first.
    pub sequence: u64,
    /// Hash of the last entry.
    pub hash: ChainHash,
    /// Pipelines found complete at this sequence ([`Head::complete`]), newest first, at most
    /// [`Head::DIGESTS`].
    pub digests: Vec<String>,
    /// How the last run ended, for those who waited for it, and for operators: what they record keeps it, as
    /// long as it names a change that they have not settled.
    pub verdict: Option<Verdict>,
}

impl Head {
    /// How many digests are kept, so that old and new releases in a rolling deployment do not
    /// overwrite each other.
    pub const DIGESTS: usize = 8;

    /// What stands in [`digests`](Self::digests) for a complete pipeline: its digest, and how many
    /// changes of each stage are held.
    ///
    /// ```
    /// # use flamingock_core::audit::Head;
    /// assert_eq!(Head::complete("v1:ab", &[0, 0]), "v1:ab");
    /// assert_eq!(Head::complete("v1:ab", &[0, 2]), "v1:ab+0.2");
    /// ```
    pub fn complete(digest: &str, held: &[usize]) -> String {
        if held.iter().all(|count| *count == 0) {
            return digest.to_owned();
        }
        let counts: Vec<String> = held.iter().map(ToString::to_string).collect();
        format!("{digest}+{}", counts.join("."))
    }

    /// Whether the pipeline with this digest was found complete: how many changes of each stage are
    /// held; stages that are not among them have none.
    pub fn completed(&self, digest: &str) -> Option<Vec<usize>> {
        self.digests.iter().find_map(|noted| match noted.strip_prefix(digest)? {
            "" => Some(Vec::new()),
            counts => counts.strip_prefix('+')?.split('.').map(|count| count.parse().ok()).collect(),
        })
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The run.
    pub execution: String,
    /// Digest of the pipeline it ran.
    pub digest: String,
    /// How it ended.
    pub status: VerdictStatus,
    /// One line for those who waited for it.
    pub message: String,
}

impl Verdict {
    /// What stands in a message before the ids of the changes that need an operator.
    pub(crate) const NEEDS_OPERATOR: &str = "manual intervention required for: ";

    /// Whether the run found that this change needs an operator. Only a start asks the targets: for it
    /// that may be an issue which the audit alone calls settled or uncertain.
    pub fn needs_operator_for(&self, change: &str) -> bool {
        self.named().is_some_and(|(_, mut ids)| ids.any(|id| id == change))
    }

    /// What the message says before the ids of the changes that need an operator, and those.
    fn named(&self) -> Option<(&str, impl Iterator<Item = &str>)> {
        let (before, ids) = self.message.rsplit_once(Self::NEEDS_OPERATOR)?;
        Some((before, ids.split(", ")))
    }

    /// Names this change, too, unless it does so already.
    pub(crate) fn name(&mut self, change: &str) {
        if self.needs_operator_for(change) {
            return;
        }
        let before = match self.named() {
            Some(_) => ", ".to_owned(),
            None => format!("; {}", Self::NEEDS_OPERATOR),
        };
        self.message.push_str(&before);
        self.message.push_str(change);
    }

    /// What it still says when an operator has settled these changes; [`None`] when that was all that
    /// needed one.
    pub(crate) fn without(&self, settled: &[&str]) -> Option<Self> {
        if settled.is_empty() {
            return Some(self.clone());
        }
        let (before, ids) = self.named()?;
        let left: Vec<&str> = ids.filter(|id| !settled.contains(id)).collect();
        let message = format!("{before}{}{}", Self::NEEDS_OPERATOR, left.join(", "));
        (!left.is_empty()).then(|| Self { message, ..self.clone() })
    }
}

words! {
    /// How a run ended, when it did not end well.
    VerdictStatus {
        /// A change failed.
        Failed = "FAILED",
        /// A change needs an operator.
        Blocked = "BLOCKED",
    }
}
