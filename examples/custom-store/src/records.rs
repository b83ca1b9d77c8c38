//! What is stored: tables, and records as JSON.

use flamingock_core::audit::{AuditEntry, ChainHash, FORMAT, Head, Verdict};
use flamingock_core::lock::{FencingToken, Holder};
use flamingock_core::{BackendError, BackendErrorKind, History};
use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Failure, corrupt, unstorable};

/// The format of the whole file, under [`FORMAT_KEY`].
pub(crate) const META: TableDefinition<'_, &str, u32> = TableDefinition::new("flamingock_meta");
pub(crate) const FORMAT_KEY: &str = "format";
/// Heads, by history.
pub(crate) const HEADS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("flamingock_heads");
/// Locks, by history.
pub(crate) const LOCKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("flamingock_locks");
/// Entries, by history and sequence.
pub(crate) const ENTRIES: TableDefinition<'_, (&str, u64), &[u8]> =
    TableDefinition::new("flamingock_entries");
/// Sequence of the newest entry, by history and change.
pub(crate) const LATEST: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("flamingock_latest");

/// A history as a key: no two give the same.
pub(crate) fn key(history: &History) -> Result<String, Failure> {
    serde_json::to_string(history).map_err(|error| unstorable(&error))
}

/// A record as it is stored.
pub(crate) fn bytes(record: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(record).map_err(|error| unstorable(&error))
}

/// The record under a key, if there is one.
pub(crate) fn get<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    what: &str,
    key: &str,
) -> Result<Option<T>, Failure> {
    let Some(stored) = table.get(key)? else { return Ok(None) };
    serde_json::from_slice(stored.value()).map(Some).map_err(|error| corrupt(what, &error))
}

/// An entry from what is stored under its sequence.
pub(crate) fn entry(sequence: u64, stored: &[u8]) -> Result<AuditEntry, Failure> {
    serde_json::from_slice(stored).map_err(|error| corrupt(&format!("entry {sequence}"), &error))
}

/// Refuses what a newer release wrote.
pub(crate) fn check_format(format: u32) -> Result<(), Failure> {
    if format <= FORMAT {
        return Ok(());
    }
    let message = format!("it has format {format}; this release knows {FORMAT}");
    Err(Failure::Backend(BackendError::new(BackendErrorKind::NewerFormat, "open", message)))
}

/// A head with serde.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredHead(#[serde(with = "HeadRecord")] pub(crate) Head);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Head")]
struct HeadRecord {
    format: u32,
    token: FencingToken,
    owner: String,
    execution: String,
    sequence: u64,
    hash: ChainHash,
    digests: Vec<String>,
    verdict: Option<Verdict>,
}

/// Before anybody took office.
pub(crate) fn empty_head() -> Head {
    Head {
        format: FORMAT,
        token: FencingToken(0),
        owner: String::new(),
        execution: String::new(),
        sequence: 0,
        hash: ChainHash::GENESIS,
        digests: Vec::new(),
        verdict: None,
    }
}

/// The lock of a history. The token outlives its holders.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lock {
    pub(crate) token: FencingToken,
    pub(crate) held: Option<Held>,
}

/// Who holds it, and until when by the clock of this machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) owner: String,
    pub(crate) execution: String,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

impl Lock {
    /// Who holds it, for others.
    pub(crate) fn holder(&self, now: Timestamp) -> Option<Holder> {
        self.held.as_ref().map(|held| Holder {
            owner: held.owner.clone(),
            execution: held.execution.clone(),
            token: self.token,
            since: held.since,
            remaining: Some(held.until.duration_since(now).try_into().unwrap_or_default()),
        })
    }
}
