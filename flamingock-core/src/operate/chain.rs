use serde::{Deserialize, Serialize};

use crate::audit::{AuditEntry, ChainBreak, ChainHash, Head, verify_chain};

/// Whether the audit is what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainReport {
    /// How many entries hold, from the first on.
    pub entries: u64,
    /// Hash of the last entry that holds.
    pub hash: ChainHash,
    /// What does not hold, if anything.
    pub finding: Option<ChainFinding>,
}

/// Where the audit is not what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainFinding {
    /// The first bad sequence.
    pub sequence: u64,
    /// What is wrong.
    pub message: String,
}

/// Checks a chain page by page; nothing grows with its length.
#[derive(Debug)]
pub(crate) struct ChainCheck {
    stands: (u64, ChainHash),
    head: Option<(u64, ChainHash)>,
    expect: Option<(u64, ChainHash)>,
}

impl ChainCheck {
    /// `head` is as it was before the first page was read; `expect` was noted elsewhere.
    pub(crate) fn new(head: Option<&Head>, expect: Option<(u64, ChainHash)>) -> Self {
        let head = head.map(|head| (head.sequence, head.hash));
        Self { stands: (0, ChainHash::GENESIS), head, expect }
    }

    /// The last sequence that holds.
    pub(crate) fn sequence(&self) -> u64 {
        self.stands.0
    }

    /// Takes the next entries.
    pub(crate) fn page(&mut self, entries: &[AuditEntry]) -> Result<(), ChainFinding> {
        for entry in entries {
            self.stands = verify_chain(self.stands, [entry]).map_err(|found| ChainFinding {
                sequence: match found {
                    ChainBreak::Changed { sequence, .. } => sequence,
                    ChainBreak::Missing { expected, .. } => expected,
                },
                message: found.to_string(),
            })?;
            for (point, what) in [(self.head, "the head says"), (self.expect, "expected was")] {
                if let Some((sequence, hash)) = point
                    && sequence == self.stands.0
                    && hash != self.stands.1
                {
                    let found = self.stands.1;
                    let message = format!(
                        "entry {sequence} has hash {found}, {what} {hash}: the audit was rewritten, at this entry or before"
                    );
                    return Err(ChainFinding { sequence, message });
                }
            }
        }
        Ok(())
    }

    /// After the last page.
    pub(crate) fn finish(self, found: Result<(), ChainFinding>) -> ChainReport {
        let finding = found.err().or_else(|| {
            let points = [(self.head, "the head says"), (self.expect, "expected was")];
            points.into_iter().find_map(|(point, what)| {
                let (sequence, hash) = point?;
                let missing = sequence > self.stands.0;
                let message = format!(
                    "the audit ends at entry {}, {what} {sequence}:{hash}: entries are missing at the end",
                    self.stands.0
                );
                missing.then(|| ChainFinding { sequence: self.stands.0 + 1, message })
            })
        });
        ChainReport { entries: self.stands.0, hash: self.stands.1, finding }
    }
}
