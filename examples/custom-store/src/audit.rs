use async_trait::async_trait;
use flamingock_core::audit::{
    Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, HeadChange, Office,
};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, History};
use redb::{ReadableTable as _, WriteTransaction};

use crate::RedbStore;
use crate::error::{Failure, corrupt, not_initialized};
use crate::records::{ENTRIES, HEADS, LATEST, StoredHead, bytes, check_format, empty_head, entry, get, key};

/// How many entries are given at once when nobody says.
const PAGE: usize = 500;

#[async_trait]
impl AuditStore for RedbStore {
    fn kind(&self) -> &str {
        "redb"
    }

    fn address(&self) -> String {
        self.place().to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        self.initialize_both().await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        let history = history.clone();
        let found = self.read("head", move |transaction| {
            let head: Option<StoredHead> = get(&transaction.open_table(HEADS)?, "the head", &key(&history)?)?;
            head.map(|StoredHead(head)| check_format(head.format).map(|()| head)).transpose()
        });
        Ok(found.await?.flatten())
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        let found = self.read("histories", |transaction| {
            let mut histories = Vec::new();
            for row in transaction.open_table(HEADS)?.iter()? {
                let history: Result<History, _> = serde_json::from_str(row?.0.value());
                histories.push(history.map_err(|error| corrupt("the name of a history", &error))?);
            }
            histories.sort_unstable();
            Ok(histories)
        });
        Ok(found.await?.unwrap_or_default())
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let (history, execution) = (history.clone(), execution.clone());
        self.write("take office", move |transaction| {
            let head = change_head(transaction, &history, |head| {
                let mut head = head.unwrap_or_else(empty_head);
                head.token = FencingToken(head.token.max(lease).0 + 1);
                head.owner.clone_from(&execution.owner);
                head.execution.clone_from(&execution.id);
                Ok(head)
            })?;
            Ok(Office { history, execution, token: head.token, head })
        })
        .await
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let (office, expected) = (office.clone(), append.expected);
        let (entries, after) = (append.entries.to_vec(), append.head.clone());
        self.write("append", move |transaction| {
            change_head(transaction, &office.history, |head| appended(head, &office, expected, after))?;
            let key = key(&office.history)?;
            let mut stored = transaction.open_table(ENTRIES)?;
            let mut latest = transaction.open_table(LATEST)?;
            for entry in &entries {
                stored.insert((key.as_str(), entry.sequence), bytes(entry)?.as_slice())?;
                if !entry.change.is_empty() {
                    latest.insert((key.as_str(), entry.change.as_str()), entry.sequence)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        let history = history.clone();
        let found = self.read("latest", move |transaction| {
            let key = key(&history)?;
            let mut sequences = Vec::new();
            for row in transaction.open_table(LATEST)?.range((key.as_str(), "")..)? {
                let (place, sequence) = row?;
                if place.value().0 != key {
                    break;
                }
                sequences.push(sequence.value());
            }
            sequences.sort_unstable();
            let entries = transaction.open_table(ENTRIES)?;
            let mut latest = Vec::new();
            for sequence in sequences {
                if let Some(stored) = entries.get((key.as_str(), sequence))? {
                    latest.push(entry(sequence, stored.value())?);
                }
            }
            Ok(latest)
        });
        found.await?.ok_or_else(|| not_initialized("latest"))
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let (history, filter) = (history.clone(), filter.clone());
        let found = self.read("entries", move |transaction| {
            let (key, limit) = (key(&history)?, if filter.limit == 0 { PAGE } else { filter.limit });
            let mut page = Vec::new();
            let Some(first) = filter.after.checked_add(1) else { return Ok(page) };
            let entries = transaction.open_table(ENTRIES)?;
            for row in entries.range((key.as_str(), first)..=(key.as_str(), u64::MAX))? {
                let (place, stored) = row?;
                let entry = entry(place.value().1, stored.value())?;
                if fits(&entry, &filter) {
                    page.push(entry);
                    if page.len() == limit {
                        break;
                    }
                }
            }
            Ok(page)
        });
        found.await?.ok_or_else(|| not_initialized("entries"))
    }
}

fn fits(entry: &AuditEntry, filter: &EntryFilter) -> bool {
    filter.change.as_ref().is_none_or(|change| *change == entry.change)
        && filter.state.is_none_or(|state| Some(state) == entry.state)
        && filter.since.is_none_or(|since| since <= entry.recorded_at)
}

/// The head after an append: it succeeds only in the office that it was made in.
fn appended(head: Option<Head>, office: &Office, expected: u64, after: HeadChange) -> Result<Head, Failure> {
    let lost = |message: String| Failure::Backend(BackendError::lease_lost("append", message));
    let head = head.ok_or_else(|| lost("nobody took office in this history".to_owned()))?;
    if head.token != office.token || head.execution != office.execution.id {
        return Err(lost(format!("run {} is in office, with token {}", head.execution, head.token)));
    }
    if head.sequence != expected {
        return Err(lost(format!("the last entry is {}, not {expected}", head.sequence)));
    }
    let HeadChange { sequence, hash, digests, verdict } = after;
    Ok(Head { sequence, hash, digests, verdict, ..head })
}

/// Reads a head, changes it and stores it, within one transaction.
pub(crate) fn change_head(
    transaction: &WriteTransaction,
    history: &History,
    change: impl FnOnce(Option<Head>) -> Result<Head, Failure>,
) -> Result<Head, Failure> {
    let key = key(history)?;
    let mut heads = transaction.open_table(HEADS)?;
    let stored: Option<StoredHead> = get(&heads, "the head", &key)?;
    let head = change(stored.map(|StoredHead(head)| head))?;
    let record = StoredHead(head);
    heads.insert(key.as_str(), bytes(&record)?.as_slice())?;
    Ok(record.0)
}
