use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::AuditEntry;
use super::record::Value;

/// Hash of an entry and of everything before it: `v1:` and SHA-256 in hexadecimal.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// Before the first entry.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash of an entry that follows `self`. The entry's own `hash` does not count.
    #[must_use]
    pub fn next(&self, entry: &AuditEntry) -> Self {
        let mut sha = Sha256::new();
        sha.update(self.0);
        for value in entry.hashed_values() {
            match value {
                Value::Null => sha.update([0]),
                Value::Integer(number) => {
                    sha.update([1]);
                    sha.update(number.to_be_bytes());
                }
                Value::Text(text) => {
                    sha.update([2]);
                    sha.update((text.len() as u64).to_be_bytes());
                    sha.update(text.as_bytes());
                }
            }
        }
        Self(sha.finalize().into())
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v1:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ChainHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse =
            || format!("`{}` is not a hash of the form v1:<64 hexadecimal digits>", text.escape_debug());
        let digits = text
            .strip_prefix("v1:")
            .filter(|digits| digits.len() == 64 && digits.is_ascii())
            .ok_or_else(refuse)?;
        let mut hash = [0; 32];
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[index * 2..index * 2 + 2], 16).map_err(|_| refuse())?;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for ChainHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ChainHash> for String {
    fn from(hash: ChainHash) -> Self {
        hash.to_string()
    }
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// The entry is not what was appended.
    #[error("entry {sequence} was changed: its hash is {found}, its content gives {computed}")]
    Changed {
        /// Sequence of the entry.
        sequence: u64,
        /// The hash that stands there.
        found: ChainHash,
        /// The hash of what stands there.
        computed: ChainHash,
    },
    /// An entry is missing, or entries were swapped.
    #[error("entry {expected} is missing: {found} stands in its place")]
    Missing {
        /// The sequence that should come.
        expected: u64,
        /// The sequence that came.
        found: u64,
    },
}

/// Checks that `entries` continue the chain after `(sequence, hash)`, and returns where it then stands.
///
/// # Errors
/// At the first entry that does not.
pub fn verify_chain<'a>(
    (mut sequence, mut hash): (u64, ChainHash),
    entries: impl IntoIterator<Item = &'a AuditEntry>,
) -> Result<(u64, ChainHash), ChainBreak> {
    for entry in entries {
        if entry.sequence != sequence + 1 {
            return Err(ChainBreak::Missing { expected: sequence + 1, found: entry.sequence });
        }
        let computed = hash.next(entry);
        if computed != entry.hash {
            return Err(ChainBreak::Changed { sequence: entry.sequence, found: entry.hash, computed });
        }
        (sequence, hash) = (entry.sequence, computed);
    }
    Ok((sequence, hash))
}
