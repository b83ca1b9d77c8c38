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
    /// Digests of pipelines found complete at this sequence, newest first, at most [`Head::DIGESTS`].
    pub digests: Vec<String>,
    /// How the last run ended, for those who waited for it.
    pub verdict: Option<Verdict>,
}

impl Head {
    /// How many digests are kept, so that old and new releases in a rolling deployment do not
    /// overwrite each other.
    pub const DIGESTS: usize = 8;
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

words! {
    /// How a run ended, when it did not end well.
    VerdictStatus {
        /// A change failed.
        Failed = "FAILED",
        /// A change needs an operator.
        Blocked = "BLOCKED",
    }
}
