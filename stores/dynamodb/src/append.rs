use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use flamingock_core::audit::{Append, AuditEntry, Office};
use flamingock_core::{BackendError, BackendErrorKind};

use crate::DynamoAuditStore;
use crate::client::sent_once;
use crate::contention::Contention;
use crate::entries::write_entry;
use crate::error::{Failure, Verdict, failure, transaction_failure};
use crate::expression::Expression;
use crate::head::{Stored, change_head};
use crate::item::{Attributes, HEAD, entry_item, key, latest_item, number, partition, text};
use crate::operation::Operation;

/// Items that DynamoDB takes in one transaction.
pub(crate) const MOST_ITEMS: usize = 100;
/// Bytes that it takes in one, which are 4 MB, and in one item, which are 400 KB; with some room, since
/// sizes are estimated.
pub(crate) const MOST_BYTES: usize = 3_900_000;
const MOST_ITEM_BYTES: usize = 380_000;

/// Bytes of keys and names, about.
const OVERHEAD: usize = 150;

/// Bytes of the longest sort key, less the prefix.
const MOST_ID_BYTES: usize = 1000;

/// What an append writes beside the head.
#[derive(Debug, Default)]
struct Writes {
    entries: Vec<Attributes>,
    /// [`None`]: too many, they are left for later.
    latest: Option<Vec<Latest>>,
    bytes: usize,
}

/// The newest entry of a change, to be written.
#[derive(Debug)]
pub(crate) struct Latest {
    pub(crate) item: Attributes,
    pub(crate) sequence: u64,
    /// An estimate.
    pub(crate) bytes: usize,
}

impl Writes {
    fn of(office: &Office, append: &Append<'_>) -> Result<Self, String> {
        check_places(office, append)?;
        let partition = partition(&office.history);
        let mut writes = Self::default();
        let (mut list, mut list_bytes, mut last) = (Vec::new(), 0, 0);
        for entry in append.entries {
            let text = write_entry(entry);
            let bytes = text.len() + OVERHEAD;
            if bytes > MOST_ITEM_BYTES {
                return Err(format!(
                    "entry {} has {bytes} bytes, and DynamoDB takes 400 KB: shorten its metadata or texts",
                    entry.sequence
                ));
            }
            if list_bytes + bytes > MOST_ITEM_BYTES {
                writes.entries.push(entries_item(&partition, last, std::mem::take(&mut list)));
                list_bytes = 0;
            }
            list_bytes += bytes;
            writes.bytes += bytes;
            list.push(AttributeValue::S(text));
            last = entry.sequence;
        }
        if !list.is_empty() {
            writes.entries.push(entries_item(&partition, last, list));
        }
        if writes.bytes > MOST_BYTES || writes.entries.len() >= MOST_ITEMS {
            return Err(format!(
                "{} entries have {} bytes together, and DynamoDB takes 4 MB at once: append fewer",
                append.entries.len(),
                writes.bytes
            ));
        }
        let changes = newest(append.entries)?;
        // The newest entry of each change goes into the same transaction, if it has room for all.
        if 1 + writes.entries.len() + changes.len() <= MOST_ITEMS && writes.bytes * 2 <= MOST_BYTES {
            writes.latest = Some(latest(&partition, &changes));
        }
        Ok(writes)
    }
}

/// The newest entry of each change among these.
pub(crate) fn newest(entries: &[AuditEntry]) -> Result<HashMap<&str, &AuditEntry>, String> {
    let longest = entries.iter().map(|entry| entry.change.len()).max().unwrap_or_default();
    if longest > MOST_ID_BYTES {
        return Err(format!("the id of a change has {longest} bytes, and {MOST_ID_BYTES} are the most"));
    }
    let of_changes = entries.iter().filter(|entry| !entry.change.is_empty());
    Ok(of_changes.map(|entry| (entry.change.as_str(), entry)).collect())
}

/// The same as items, by sequence.
pub(crate) fn latest(partition: &str, newest: &HashMap<&str, &AuditEntry>) -> Vec<Latest> {
    let item = |(change, entry): (&&str, &&AuditEntry)| {
        let text = write_entry(entry);
        let bytes = text.len() + change.len() + OVERHEAD;
        let mut item = key(partition, &latest_item(change));
        item.insert("sequence".to_owned(), number(entry.sequence));
        item.insert("entry".to_owned(), AttributeValue::S(text));
        Latest { item, sequence: entry.sequence, bytes }
    };
    let mut latest: Vec<_> = newest.iter().map(item).collect();
    latest.sort_unstable_by_key(|latest| latest.sequence);
    latest
}

fn entries_item(partition: &str, last: u64, entries: Vec<AttributeValue>) -> Attributes {
    let mut item = key(partition, &entry_item(last));
    item.insert("entries".to_owned(), AttributeValue::L(entries));
    item
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

/// The conditions of an office at a sequence.
pub(crate) fn in_office(expression: Expression, token: u64, execution: &str, sequence: u64) -> Expression {
    expression
        .when_equal("token", number(token))
        .when_equal("execution_id", text(execution))
        .when_equal("sequence", number(sequence))
}

impl DynamoAuditStore {
    pub(crate) async fn append_at_once(
        &self,
        operation: Operation<'_>,
        office: &Office,
        append: &Append<'_>,
    ) -> Result<(), BackendError> {
        let writes = match Writes::of(office, append) {
            Ok(writes) => writes,
            // Who is out of office hears that first, whatever it wanted to record.
            Err(problem) => {
                self.check_office(operation, office, append.expected).await?;
                return Err(operation.fail(BackendErrorKind::InvalidData, problem));
            }
        };
        let mut contention = Contention::begin();
        loop {
            let failure = match self.send_append(operation, office, append, &writes).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if !contention.goes_on_after(&failure).await {
                return Err(match failure.verdict {
                    Verdict::ConditionFailed(0) => out_of_office(operation),
                    Verdict::ConditionFailed(_) => {
                        let message = "an entry stands where the next one would go: the head was set back";
                        operation.fail(BackendErrorKind::Corrupt, message)
                    }
                    _ => failure.error,
                });
            }
        }
    }

    async fn send_append(
        &self,
        operation: Operation<'_>,
        office: &Office,
        append: &Append<'_>,
        writes: &Writes,
    ) -> Result<(), Failure> {
        let other = |error: BackendError| Failure { verdict: Verdict::Other, error };
        let build = |error| other(operation.build(&error));
        let change = change_head(&append.head).map_err(|error| {
            let message = format!("the head cannot be written: {error}");
            other(operation.fail(BackendErrorKind::InvalidData, message))
        })?;
        let mut head = in_office(change, office.token.0, &office.execution.id, append.expected);
        let head_key = key(&partition(&office.history), HEAD);
        if writes.entries.is_empty() {
            let request = head.on(self.client.update_item().table_name(&self.table), head_key);
            let sent = request.customize().config_override(sent_once()).send().await;
            return sent.map(drop).map_err(|error| failure(operation, &error));
        }
        head = head.set("previous", number(append.expected));
        if writes.latest.is_none() {
            head = head.set_if_absent("fold_from", number(append.expected));
        }
        let mut items = vec![head.update_in(&self.table, head_key).map_err(build)?];
        for entries in &writes.entries {
            let new = Expression::new().when_absent("history");
            items.push(new.put_in(&self.table, entries.clone()).map_err(build)?);
        }
        for latest in writes.latest.iter().flatten() {
            items.push(Expression::new().put_in(&self.table, latest.item.clone()).map_err(build)?);
        }
        self.transact_once(operation, items).await
    }

    /// Sends a transaction, and does not repeat it.
    pub(crate) async fn transact_once(
        &self,
        operation: Operation<'_>,
        items: Vec<TransactWriteItem>,
    ) -> Result<(), Failure> {
        let request = self.client.transact_write_items().set_transact_items(Some(items));
        let sent = request.customize().config_override(sent_once()).send().await;
        sent.map(drop).map_err(|error| transaction_failure(operation, &error))
    }

    /// Fails where the office is lost.
    async fn check_office(
        &self,
        operation: Operation<'_>,
        office: &Office,
        expected: u64,
    ) -> Result<(), BackendError> {
        let stored = self.stored_head(operation, &office.history).await?;
        let stands = stored.is_some_and(|Stored { head, .. }| {
            head.token == office.token && head.execution == office.execution.id && head.sequence == expected
        });
        if stands { Ok(()) } else { Err(out_of_office(operation)) }
    }
}

fn out_of_office(operation: Operation<'_>) -> BackendError {
    let message = "a newer run is in office, or the audit has moved on: this run may record nothing more";
    operation.fail(BackendErrorKind::LeaseLost, message)
}
