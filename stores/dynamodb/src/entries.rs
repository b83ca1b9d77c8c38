use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use flamingock_core::audit::{AuditEntry, EntryFilter, FORMAT, Value};
use flamingock_core::{BackendError, History};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use tokio::time::sleep;

use crate::DynamoAuditStore;
use crate::error::{Verdict, failure};
use crate::item::{Attributes, HISTORY, ITEM, Item, entry_item, partition, text};
use crate::operation::Operation;

/// How often a range is read that has a gap: an append that is just being committed fills it.
const LOOKS: u32 = 5;

/// The entries of a history between two sequences.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) after: u64,
    /// Where an append ended: what the head says.
    pub(crate) through: u64,
}

/// How many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Much {
    All,
    /// As many as DynamoDB gives at once, which is 1 MB; one at least.
    APage,
    AtMost(usize),
}

impl DynamoAuditStore {
    /// The entries of a range that fit, by sequence, at most `limit`.
    pub(crate) async fn read_range(
        &self,
        operation: Operation<'_>,
        history: &History,
        range: Range,
        much: Much,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let mut looks = 1;
        loop {
            let (entries, whole) = self.look_at_range(operation, history, range, much, filter).await?;
            // An entry that stays away was removed; who verifies the chain finds it.
            if whole || looks == LOOKS {
                return Ok(entries);
            }
            sleep(Duration::from_millis(50) * looks).await;
            looks += 1;
        }
    }

    /// The same once; `false`: an entry was missing.
    async fn look_at_range(
        &self,
        operation: Operation<'_>,
        history: &History,
        range: Range,
        much: Much,
        filter: &EntryFilter,
    ) -> Result<(Vec<AuditEntry>, bool), BackendError> {
        let mut entries = Vec::new();
        if range.after >= range.through {
            return Ok((entries, true));
        }
        let (mut whole, mut last) = (true, range.after);
        let (from, to) = (entry_item(range.after + 1), entry_item(range.through));
        let mut next = None;
        let limit = if let Much::AtMost(limit) = much { Some(limit) } else { None };
        loop {
            let page =
                self.query(operation, &partition(history), Items::Between(&from, &to), limit, next).await?;
            for item in page.items {
                for entry in entries_of(operation, history, item)? {
                    if entry.sequence <= range.after {
                        continue;
                    }
                    whole &= entry.sequence == last + 1;
                    last = entry.sequence;
                    if entry.fits(filter) {
                        entries.push(entry.read(operation, history)?);
                    }
                    if Some(entries.len()) == limit {
                        return Ok((entries, whole));
                    }
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok((entries, whole && last == range.through));
            }
            if much == Much::APage && !entries.is_empty() {
                return Ok((entries, whole));
            }
        }
    }

    /// A page of a partition's items.
    pub(crate) async fn query(
        &self,
        operation: Operation<'_>,
        partition: &str,
        items: Items<'_>,
        limit: Option<usize>,
        start: Option<Attributes>,
    ) -> Result<Page, BackendError> {
        let mut condition = "#history = :history".to_owned();
        condition += match items {
            Items::All => "",
            Items::Prefixed(_) => " AND begins_with(#item, :from)",
            Items::Between(..) => " AND #item BETWEEN :from AND :to",
        };
        let mut request = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(condition)
            .expression_attribute_names("#history", HISTORY)
            .expression_attribute_values(":history", text(partition))
            .set_limit(limit.and_then(|limit| i32::try_from(limit).ok()))
            .set_exclusive_start_key(start);
        if let Items::Prefixed(from) | Items::Between(from, _) = items {
            request = request
                .expression_attribute_names("#item", ITEM)
                .expression_attribute_values(":from", text(from));
        }
        if let Items::Between(_, to) = items {
            request = request.expression_attribute_values(":to", text(to));
        }
        match request.send().await.map_err(|error| failure(operation, &error)) {
            Ok(answer) => {
                let items = answer.items.unwrap_or_default().into_iter().map(Item).collect();
                Ok(Page { items, next: answer.last_evaluated_key.filter(|key| !key.is_empty()) })
            }
            Err(failure) if failure.verdict == Verdict::NoTable => Ok(Page { items: Vec::new(), next: None }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// All of them.
    pub(crate) async fn query_all(
        &self,
        operation: Operation<'_>,
        partition: &str,
        wanted: Items<'_>,
    ) -> Result<Vec<Item>, BackendError> {
        let (mut items, mut next) = (Vec::new(), None);
        loop {
            let page = self.query(operation, partition, wanted, None, next).await?;
            items.extend(page.items);
            next = page.next;
            if next.is_none() {
                return Ok(items);
            }
        }
    }
}

/// Which items of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Items<'a> {
    All,
    Prefixed(&'a str),
    Between(&'a str, &'a str),
}

pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    pub(crate) next: Option<Attributes>,
}

/// An entry as the text of a JSON object, with its fields by their names. What is null is left out. Not
/// an attribute per field: each has its overhead, and a page of them takes several times as long.
pub(crate) fn write_entry(entry: &AuditEntry) -> String {
    let fields = AuditEntry::FIELDS.iter().zip(entry.to_record());
    let json = |value| match value {
        Value::Null => None,
        Value::Integer(number) => Some(Json::from(number)),
        Value::Text(text) => Some(Json::from(text)),
    };
    let map: Map<String, Json> =
        fields.filter_map(|(field, value)| Some((field.name.to_owned(), json(value)?))).collect();
    Json::Object(map).to_string()
}

/// The entries in an item.
fn entries_of(operation: Operation<'_>, history: &History, item: Item) -> Result<Vec<Entry>, BackendError> {
    let corrupt = |problem: &str| {
        let name =
            item.0.get(ITEM).and_then(|name| name.as_s().ok()).map_or("an item with entries", |name| name);
        operation.corrupt(format_args!("{name} of {history}"), problem)
    };
    let Some(AttributeValue::L(entries)) = item.0.get("entries") else {
        return Err(corrupt("it holds no list of entries"));
    };
    let read = |entry: &AttributeValue| entry.as_s().ok().and_then(|text| Entry::parse(text));
    entries
        .iter()
        .map(read)
        .collect::<Option<_>>()
        .ok_or_else(|| corrupt("an entry is no JSON object with a sequence"))
}

/// An entry whose fields are not read yet.
pub(crate) struct Entry {
    sequence: u64,
    fields: Map<String, Json>,
}

impl Entry {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fields: Map<String, Json> = serde_json::from_str(text).ok()?;
        Some(Self { sequence: fields.get("sequence")?.as_u64()?, fields })
    }

    /// Looked at before it is read: of a long history, few may fit.
    fn fits(&self, filter: &EntryFilter) -> bool {
        let is = |name: &str, text: &str| self.fields.get(name).and_then(Json::as_str) == Some(text);
        let since = |since: Timestamp| {
            let recorded_at = self.fields.get("recorded_at").and_then(Json::as_i64);
            recorded_at.is_some_and(|time| time >= since.as_microsecond())
        };
        filter.change.as_ref().is_none_or(|change| is("change_id", change))
            && filter.state.is_none_or(|state| is("state", state.as_str()))
            && filter.since.is_none_or(since)
    }

    /// The entry as it was.
    pub(crate) fn read(
        mut self,
        operation: Operation<'_>,
        history: &History,
    ) -> Result<AuditEntry, BackendError> {
        let sequence = self.sequence;
        if let Some(format) = self.fields.get("format").and_then(Json::as_u64)
            && format > u64::from(FORMAT)
        {
            return Err(operation.newer_format(format).context("sequence", sequence.to_string()));
        }
        let mut value = |name: &str| match self.fields.remove(name) {
            None => Ok(Value::Null),
            Some(Json::String(text)) => Ok(Value::Text(text)),
            Some(Json::Number(number)) => number
                .as_i64()
                .map(Value::Integer)
                .ok_or_else(|| format!("field `{name}` holds {number}, which is out of range")),
            Some(_) => Err(format!("field `{name}` is neither text nor a number")),
        };
        let record: Result<Vec<Value>, String> =
            AuditEntry::FIELDS.iter().map(|field| value(field.name)).collect();
        record.and_then(AuditEntry::from_record).map_err(|problem| {
            operation
                .corrupt(format_args!("entry {sequence} of {history}"), problem)
                .context("sequence", sequence.to_string())
        })
    }
}
