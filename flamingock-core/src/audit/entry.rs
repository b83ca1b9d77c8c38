use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ChainHash;
use crate::History;
use crate::change::{ChangeKind, RecoveryStrategy};
use crate::lock::FencingToken;
use crate::words::words;

words! {
    /// The state of a change after an entry.
    AuditState {
        /// An attempt began; the outcome is not known yet.
        Started = "STARTED",
        /// The target has the change.
        Applied = "APPLIED",
        /// The attempt failed.
        Failed = "FAILED",
        /// The target has nothing of it: rolled back by its transaction, compensated, or undone.
        RolledBack = "ROLLED_BACK",
        /// The compensation or the undo failed.
        RollbackFailed = "ROLLBACK_FAILED",
        /// An operator ruled that the target has it.
        ManualMarkedAsApplied = "MANUAL_MARKED_AS_APPLIED",
        /// An operator ruled that the target has it not.
        ManualMarkedAsRolledBack = "MANUAL_MARKED_AS_ROLLED_BACK",
    }
}

words! {
    /// What was being done.
    Operation {
        /// A change was applied.
        Apply = "apply",
        /// A failed change was compensated.
        Rollback = "rollback",
        /// An applied change was undone.
        Undo = "undo",
        /// An applied change was undone, and is not to run again until it is released.
        Hold = "hold",
        /// An operator let a held change run again.
        Release = "release",
        /// An operator resolved an issue.
        Ruling = "ruling",
        /// A change was recorded as applied when an existing system was adopted.
        Baseline = "baseline",
        /// An operator accepted the changed text of an applied change.
        AcceptChecksum = "accept_checksum",
        /// An entry of another tool was taken over.
        Import = "import",
        /// An operator named this point of the history.
        Tag = "tag",
        /// An operator broke the lock.
        Unlock = "unlock",
    }
}

impl Operation {
    /// Whether it takes an applied change back: `undo`, or `hold`.
    pub fn is_undo(self) -> bool {
        matches!(self, Self::Undo | Self::Hold)
    }
}

words! {
    /// How the change was kept together with its target.
    TxStrategy {
        /// No transaction: the outcome of a crash is uncertain.
        NonTx = "NON_TX",
        /// One transaction of the target, with fence and marker.
        TxWithMarker = "TX_WITH_MARKER",
    }
}

words! {
    /// What settled an uncertain outcome.
    Evidence {
        /// Nothing had to: the run saw the outcome itself.
        None = "none",
        /// The target's marker.
        Marker = "marker",
        /// The change's `#[verify]`.
        Verify = "verify",
        /// An operator, against what the target says.
        Overruled = "overruled",
    }
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Format under which it was written and hashed.
    pub format: u32,
    /// Place in the history, from 1, without gaps.
    pub sequence: u64,
    /// See [`History::service`](crate::History::service).
    pub service: String,
    /// See [`History::tenant`](crate::History::tenant).
    pub tenant: String,
    /// The run (UUIDv7).
    pub execution: String,
    /// What was being done.
    pub operation: Operation,
    /// State of the change after it; [`None`] on entries that are about no change.
    pub state: Option<AuditState>,
    /// For a ruling: the sequence it answers. For an attempt: the ruling or undo that it follows,
    /// which outranks older markers.
    pub refers_to: Option<u64>,
    /// The change's stage.
    pub stage: String,
    /// The change; empty on entries that are about no change.
    pub change: String,
    /// The change's order.
    pub order: String,
    /// Who wrote the change.
    pub author: Option<String>,
    /// What the change is for.
    pub description: Option<String>,
    /// Step or cursor within a long change.
    pub step: Option<String>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Id of the target system.
    pub target_system: String,
    /// Its kind.
    pub target_kind: String,
    /// Where it is, without secrets.
    pub target_address: String,
    /// How change and target were kept together.
    pub tx_strategy: TxStrategy,
    /// What settled the outcome.
    pub evidence: Evidence,
    /// The change's recovery strategy at the time.
    pub recovery: RecoveryStrategy,
    /// What the change was made from.
    pub kind: ChangeKind,
    /// Where the change is written.
    pub source: String,
    /// Checksum of the change at the time.
    pub checksum: String,
    /// When it was recorded: UTC, microseconds, by the runner's clock. For people; order is by sequence.
    pub recorded_at: Timestamp,
    /// How long the step took, in microseconds.
    pub duration: Option<u64>,
    /// Where the runner ran.
    pub hostname: String,
    /// Version of the application, if it said so.
    pub application: Option<String>,
    /// Version of this library.
    pub library: String,
    /// Active profiles.
    pub profiles: Vec<String>,
    /// Trace of the run, if it had one.
    pub trace: Option<String>,
    /// Who asked for it, on entries written through the CLI.
    pub operator: Option<String>,
    /// Why, on entries written through the CLI.
    pub reason: Option<String>,
    /// What went wrong.
    pub error: Option<ErrorDetail>,
    /// The application's own, JSON kept as text.
    pub metadata: Option<String>,
    /// Token of the office under which it was appended.
    pub token: FencingToken,
    /// Hash over the previous entry's hash and this entry.
    pub hash: ChainHash,
}

/// An error as it is kept: no NUL, at most 16 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// Name of the error's type.
    pub type_name: String,
    /// Its message.
    pub message: String,
    /// The messages of its causes, outermost first, a line each.
    pub causes: String,
}

impl AuditEntry {
    /// Whose it is.
    pub(crate) fn history(&self) -> History {
        History::new(&self.service).tenant(&self.tenant)
    }
}

impl ErrorDetail {
    /// Most bytes that are kept of message and causes together.
    pub const LIMIT: usize = 16 * 1024;

    /// From an error's type and the messages of its chain, outermost first.
    pub fn new(type_name: impl Into<String>, chain: impl IntoIterator<Item = String>) -> Self {
        let mut chain = chain.into_iter();
        let message = clean(&chain.next().unwrap_or_default(), Self::LIMIT);
        let causes = clean(&chain.collect::<Vec<_>>().join("\n"), Self::LIMIT - message.len());
        Self { type_name: clean(&type_name.into(), 255), message, causes }
    }

    /// The same without anything but printable ASCII, for a store that refused the original.
    #[must_use]
    pub fn sanitised(&self) -> Self {
        let ascii = |text: &str| {
            text.chars()
                .map(|c| if c == '\n' || (' '..='~').contains(&c) { c } else { '?' })
                .take(1024)
                .collect()
        };
        Self { type_name: ascii(&self.type_name), message: ascii(&self.message), causes: ascii(&self.causes) }
    }
}

impl std::fmt::Display for ErrorDetail {
    /// Type and message; a boxed error has lost its type.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.type_name.as_str() {
            "" | "BoxError" => f.write_str(&self.message),
            name => write!(f, "{name}: {}", self.message),
        }
    }
}

/// Without NUL, and cut at a character boundary.
fn clean(text: &str, limit: usize) -> String {
    let mut text = text.replace('\0', "");
    text.truncate(text.floor_char_boundary(limit));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_lose_nul_and_are_capped() {
        let detail = ErrorDetail::new("E", ["a\0b".to_owned(), "é".repeat(20_000)]);
        assert_eq!(detail.message, "ab");
        assert!(detail.message.len() + detail.causes.len() <= ErrorDetail::LIMIT);
        assert!(detail.causes.ends_with('é'));
    }
}
