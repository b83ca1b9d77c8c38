use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use flamingock_core::audit::{Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, Office};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use futures_util::TryStreamExt as _;
use mongodb::bson::{self, Bson, Document, doc};
use mongodb::options::ReturnDocument;

use crate::MongoAuditStore;
use crate::document::{self, id, of_entry, sequence, text, to_entry};
use crate::error::{Operation, is_duplicate_key};
use crate::{head, outbox};

/// Entries per page when nobody asks for another number.
const PAGE: usize = 1000;

/// Entries that are asked for by their sequences at once.
const CHUNK: usize = 1000;

/// How often an office is asked for when others are faster.
const TRIES: u32 = 50;

/// What the outbox may hold: a document has at most 16 MiB, and there is more in a head.
const ROOM: usize = 16 * 1024 * 1024 - 256 * 1024;

/// So many entries may stay in the outbox until the next append. More are taken out at once: whoever reads
/// entries would read them each time.
const FEW: usize = 16;

#[async_trait]
impl AuditStore for MongoAuditStore {
    fn kind(&self) -> &str {
        "mongodb"
    }

    fn address(&self) -> String {
        self.describe().to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        self.set_up().await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        let operation = self.operation("read head")?;
        let heads = self.heads();
        let find = heads.find_one(doc! { "_id": id(history) }).projection(doc! { "outbox": 0 });
        let found = operation.bounded(async { find.await.map_err(|error| operation.error(error)) }).await?;
        found.map(|found| head::read(&operation, history, &found)).transpose()
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        let operation = self.operation("list histories")?;
        let heads = self.heads();
        let find = heads.find(doc! {}).projection(doc! { "_id": 1 });
        let found = operation.bounded(collect(&operation, find)).await?;
        let read = |head: &Document| {
            document::history(head.get_document("_id").map_err(|_| "an `_id` is no document".to_owned())?)
        };
        let histories: Result<Vec<History>, String> = found.iter().map(read).collect();
        let mut histories =
            histories.map_err(|problem| operation.corrupt("the list of histories", problem))?;
        histories.sort_unstable();
        Ok(histories)
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let operation = self.operation("take office")?;
        operation.bounded(self.office(&operation, history, lease, execution)).await
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let operation = self.operation("append")?;
        operation.bounded(self.record(&operation, office, append)).await
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.operation("read latest entries")?;
        let documents = operation.bounded(self.latest_documents(&operation, history)).await?;
        documents.values().map(|document| to_entry(&operation, history, document)).collect()
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.operation("read entries")?;
        let documents = operation.bounded(self.page(&operation, history, filter)).await?;
        documents.iter().map(|document| to_entry(&operation, history, document)).collect()
    }
}

impl MongoAuditStore {
    async fn office(
        &self,
        operation: &Operation<'_>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let heads = self.heads();
        for _ in 0..TRIES {
            let before = heads
                .find_one(doc! { "_id": id(history) })
                .projection(doc! { "outbox": 0 })
                .await
                .map_err(|error| operation.error(error))?;
            let Some(before) = before else {
                let first = head::first(operation, history, lease.0.saturating_add(1), execution)?;
                match heads.insert_one(&first).await {
                    Ok(_) => return self.in_office(operation, history, execution, &first).await,
                    Err(error) if is_duplicate_key(&error) => continue,
                    Err(error) => return Err(operation.error(error)),
                }
            };
            let before = head::read(operation, history, &before)?;
            let token = operation.number(before.token.max(lease).0.saturating_add(1))?;
            let taken = heads
                .find_one_and_update(
                    doc! { "_id": id(history), "token": operation.number(before.token.0)? },
                    doc! { "$set": { "token": token, "owner": &execution.owner, "execution_id": &execution.id } },
                )
                .return_document(ReturnDocument::After)
                .await
                .map_err(|error| operation.error(error))?;
            if let Some(taken) = taken {
                return self.in_office(operation, history, execution, &taken).await;
            }
        }
        let message = "others take office faster than can be seen: ask again";
        Err(operation.fail(BackendErrorKind::Unavailable, message))
    }

    /// Completes what a predecessor left half-done. Nobody else appends from here on.
    async fn in_office(
        &self,
        operation: &Operation<'_>,
        history: &History,
        execution: &Execution,
        document: &Document,
    ) -> Result<Office, BackendError> {
        let head = head::read(operation, history, document)?;
        let corrupt =
            |problem| operation.corrupt(format_args!("the outbox in the head of {history}"), problem);
        let standing = outbox::read(document).map_err(corrupt)?;
        self.deliver(operation, standing.outbox.values()).await?;
        self.note_delivered(history, head.token, head.sequence);
        Ok(Office { history: history.clone(), execution: execution.clone(), token: head.token, head })
    }

    async fn record(
        &self,
        operation: &Operation<'_>,
        office: &Office,
        append: &Append<'_>,
    ) -> Result<(), BackendError> {
        let condition = doc! {
            "_id": id(&office.history),
            "token": operation.number(office.token.0)?,
            "execution_id": &office.execution.id,
            "sequence": operation.number(append.expected)?,
        };
        let lost = || {
            let message =
                "a newer run is in office, or the audit has moved on: this run may record nothing more";
            operation.fail(BackendErrorKind::LeaseLost, message)
        };
        let mut set = head::changes(operation, &append.head)?;
        let entries: Result<Vec<Document>, _> =
            append.entries.iter().map(|entry| of_entry(operation, entry)).collect();
        let entries = entries?;
        let fits = check_places(office, append).and_then(|()| check_size(&entries));
        if let Err(problem) = fits {
            // Who is out of office hears that first, whatever it wanted to record.
            let stands = self.heads().find_one(condition).projection(doc! { "_id": 1 }).await;
            let stands = stands.map_err(|error| operation.error(error))?;
            return Err(stands.map_or_else(lost, |_| operation.fail(BackendErrorKind::InvalidData, problem)));
        }
        if !entries.is_empty() {
            // What is in the outbox now must not get lost. It is in its collection, unless the last copy
            // failed or somebody else made it.
            if !self.is_delivered(&office.history, office.token, append.expected)
                && let Some(standing) = self.standing(operation, &office.history).await?
            {
                self.deliver(operation, standing.outbox.values()).await?;
            }
            set.insert("outbox", entries.clone());
        }
        let updated = self.heads().update_one(condition, doc! { "$set": set }).await;
        if updated.map_err(|error| operation.error(error))?.matched_count != 1 {
            return Err(lost());
        }
        // From here on it is recorded, whatever becomes of the copy.
        if let Err(error) = self.copy(operation, office, append, &entries).await {
            tracing::debug!(%error, "the next append copies the entries to their collection");
        }
        Ok(())
    }

    /// Copies the entries of an append that is recorded.
    async fn copy(
        &self,
        operation: &Operation<'_>,
        office: &Office,
        append: &Append<'_>,
        entries: &[Document],
    ) -> Result<(), BackendError> {
        self.deliver(operation, entries).await?;
        self.note_delivered(&office.history, office.token, append.head.sequence);
        if entries.len() > FEW {
            let condition = doc! {
                "_id": id(&office.history),
                "token": operation.number(office.token.0)?,
                "sequence": operation.number(append.head.sequence)?,
            };
            let emptied = self.heads().update_one(condition, doc! { "$set": { "outbox": [] } }).await;
            emptied.map_err(|error| operation.error(error))?;
        }
        Ok(())
    }

    async fn page(
        &self,
        operation: &Operation<'_>,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<Document>, BackendError> {
        let Some(standing) = self.standing(operation, history).await? else { return Ok(Vec::new()) };
        let limit = if filter.limit == 0 { PAGE } else { filter.limit };
        let range = doc! {
            "$gt": operation.number(filter.after)?,
            "$lte": operation.number(standing.sequence)?,
        };
        let mut query = doc! { "service": &history.service, "tenant": &history.tenant, "sequence": range };
        if let Some(change) = &filter.change {
            query.insert("change_id", change);
        }
        if let Some(state) = filter.state {
            query.insert("state", state.as_str());
        }
        if let Some(since) = filter.since {
            query.insert("recorded_at", doc! { "$gte": since.as_microsecond() });
        }
        let size = i64::try_from(limit).unwrap_or(i64::MAX);
        let entries = self.entries();
        let find = entries.find(query).sort(doc! { "sequence": 1 }).limit(size);
        let mut page = by_sequence(operation, collect(operation, find).await?)?;
        for (sequence, entry) in standing.outbox {
            if sequence > filter.after && !page.contains_key(&sequence) && fits(&entry, filter) {
                page.insert(sequence, entry);
            }
        }
        Ok(page.into_values().take(limit).collect())
    }

    /// The newest entry of each change, by sequence.
    async fn latest_documents(
        &self,
        operation: &Operation<'_>,
        history: &History,
    ) -> Result<BTreeMap<u64, Document>, BackendError> {
        let Some(mut standing) = self.standing(operation, history).await? else { return Ok(BTreeMap::new()) };
        let mut sequences = self.latest_sequences(operation, history, standing.sequence).await?;
        for (sequence, entry) in &standing.outbox {
            let change = entry.get_str("change_id").unwrap_or_default();
            if !change.is_empty() {
                let newest = sequences.entry(change.to_owned()).or_insert(*sequence);
                *newest = (*newest).max(*sequence);
            }
        }
        let mut missing: Vec<u64> = sequences.into_values().collect();
        missing.sort_unstable();
        let mut latest = BTreeMap::new();
        let entries = self.entries();
        for chunk in missing.chunks(CHUNK) {
            let wanted: Result<Vec<Bson>, _> =
                chunk.iter().map(|sequence| operation.number(*sequence).map(Bson::Int64)).collect();
            let find = entries.find(doc! {
                "service": &history.service,
                "tenant": &history.tenant,
                "sequence": { "$in": wanted? },
            });
            latest.extend(by_sequence(operation, collect(operation, find).await?)?);
        }
        for sequence in missing {
            if let Entry::Vacant(place) = latest.entry(sequence) {
                let gone = || operation.corrupt(format_args!("entry {sequence} of {history}"), "it is gone");
                place.insert(standing.outbox.remove(&sequence).ok_or_else(gone)?);
            }
        }
        Ok(latest)
    }

    /// The newest sequence of each change. The index alone answers it. `$group` would send less, but is
    /// not everywhere.
    async fn latest_sequences(
        &self,
        operation: &Operation<'_>,
        history: &History,
        last: u64,
    ) -> Result<HashMap<String, u64>, BackendError> {
        let mut cursor = self
            .entries()
            .find(doc! {
                "service": &history.service,
                "tenant": &history.tenant,
                "change_id": { "$gt": "" },
                "sequence": { "$lte": operation.number(last)? },
            })
            .projection(doc! { "_id": 0, "change_id": 1, "sequence": 1 })
            .sort(doc! { "change_id": 1, "sequence": -1 })
            .await
            .map_err(|error| operation.error(error))?;
        let corrupt = |problem| operation.corrupt(format_args!("an entry of {history}"), problem);
        let mut sequences = HashMap::new();
        while let Some(entry) = cursor.try_next().await.map_err(|error| operation.error(error))? {
            let change = text(&entry, "change_id").map_err(corrupt)?;
            if !sequences.contains_key(change) {
                sequences.insert(change.to_owned(), sequence(&entry).map_err(corrupt)?);
            }
        }
        Ok(sequences)
    }
}

/// All that a query finds.
async fn collect(
    operation: &Operation<'_>,
    find: impl IntoFuture<Output = mongodb::error::Result<mongodb::Cursor<Document>>>,
) -> Result<Vec<Document>, BackendError> {
    let cursor = find.await.map_err(|error| operation.error(error))?;
    cursor.try_collect().await.map_err(|error| operation.error(error))
}

fn by_sequence(
    operation: &Operation<'_>,
    entries: Vec<Document>,
) -> Result<BTreeMap<u64, Document>, BackendError> {
    let placed = entries.into_iter().map(|entry| Ok((sequence(&entry)?, entry)));
    placed.collect::<Result<_, String>>().map_err(|problem| operation.corrupt("an entry", problem))
}

/// What the server does for those in the collection.
fn fits(entry: &Document, filter: &EntryFilter) -> bool {
    let since = filter.since.map(|since| since.as_microsecond());
    filter.change.as_deref().is_none_or(|change| text(entry, "change_id") == Ok(change))
        && filter.state.is_none_or(|state| text(entry, "state") == Ok(state.as_str()))
        && since.is_none_or(|since| entry.get_i64("recorded_at").is_ok_and(|recorded| recorded >= since))
}

/// That the entries find room in the head, which is one document.
fn check_size(entries: &[Document]) -> Result<(), String> {
    let mut size = 0;
    for entry in entries {
        size += bson::serialize_to_vec(entry).map_err(|error| error.to_string())?.len();
    }
    if size > ROOM {
        return Err(format!(
            "{} entries of {size} bytes do not fit in a document, of at most 16 MiB: append fewer at once",
            entries.len()
        ));
    }
    Ok(())
}

/// That the entries are those that follow.
fn check_places(office: &Office, append: &Append<'_>) -> Result<(), String> {
    let misplaced = append.entries.iter().zip(append.expected + 1..).any(|(entry, sequence)| {
        entry.sequence != sequence
            || entry.service != office.history.service
            || entry.tenant != office.history.tenant
    });
    if misplaced || append.head.sequence != append.expected + append.entries.len() as u64 {
        return Err("the entries do not follow the expected sequence, or are another history's".to_owned());
    }
    Ok(())
}
