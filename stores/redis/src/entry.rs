use flamingock_core::audit::{AuditEntry, EntryFilter, FORMAT, Value as Field};
use flamingock_core::{BackendError, History};
use redis::Value;
use serde_json::{Map, Value as Json};

use crate::errors::Operation;
use crate::head::newer_format;
use crate::reply;

/// The one field of an item of the log. One value is read many times faster than forty.
const FIELD: &str = "entry";

/// The fields of an entry by name, as JSON keeps them; those without a value are left out.
type Fields = Map<String, Json>;

/// An entry as the arguments of the script that appends it: sequence, change, and its fields as JSON.
pub(crate) fn arguments(entry: &AuditEntry) -> [String; 3] {
    let mut fields = Fields::new();
    for (field, value) in AuditEntry::FIELDS.iter().zip(entry.to_record()) {
        let value = match value {
            Field::Null => continue,
            Field::Integer(number) => number.into(),
            Field::Text(text) => text.into(),
        };
        fields.insert(field.name.to_owned(), value);
    }
    [entry.sequence.to_string(), entry.change.clone(), Json::Object(fields).to_string()]
}

/// An item of the log, not yet understood.
#[derive(Debug)]
pub(crate) struct Stored {
    id: String,
    fields: Result<Fields, String>,
}

impl Stored {
    /// From `[id, ["entry", json]]`.
    pub(crate) fn read(value: Value) -> Result<Self, String> {
        let mut parts = reply::array(value)?.into_iter();
        let (Some(id), Some(values)) = (parts.next(), parts.next()) else {
            return Err("an item without fields".to_owned());
        };
        let fields = reply::array(values).and_then(|values| match values.as_slice() {
            [name, json] if reply::text(name) == Ok(FIELD) => {
                serde_json::from_str(reply::text(json)?).map_err(|error| error.to_string())
            }
            _ => Err(format!("it has other fields than `{FIELD}`")),
        });
        Ok(Self { id: reply::text(&id)?.to_owned(), fields })
    }

    /// The sequence, which is the id.
    pub(crate) fn sequence(&self) -> Result<u64, String> {
        let sequence = self.id.strip_suffix("-0").and_then(|sequence| sequence.parse().ok());
        sequence.ok_or_else(|| format!("id `{}` is no sequence", self.id))
    }

    /// Whether it fits the filter, apart from its place. What cannot be read is not passed over.
    pub(crate) fn fits(&self, filter: &EntryFilter) -> bool {
        let Ok(fields) = &self.fields else { return true };
        let is = |name: &str, value: &str| fields.get(name).and_then(Json::as_str) == Some(value);
        filter.change.as_ref().is_none_or(|change| is("change_id", change))
            && filter.state.is_none_or(|state| is("state", state.as_str()))
            && filter.since.is_none_or(|since| {
                let recorded = fields.get("recorded_at").and_then(Json::as_i64);
                recorded.is_none_or(|recorded| recorded >= since.as_microsecond())
            })
    }

    /// The entry that it is.
    pub(crate) fn entry(
        self,
        operation: &Operation<'_>,
        history: &History,
    ) -> Result<AuditEntry, BackendError> {
        let sequence = self.id.trim_end_matches("-0").to_owned();
        let format = self.fields.as_ref().ok().and_then(|fields| fields.get("format")?.as_u64());
        if let Some(format) = format.filter(|format| *format > u64::from(FORMAT)) {
            return Err(newer_format(operation, format).context("sequence", sequence));
        }
        self.record().and_then(AuditEntry::from_record).map_err(|problem| {
            let what = format!("entry {sequence} of {history}");
            operation.corrupt(what, problem).context("sequence", sequence)
        })
    }

    fn record(self) -> Result<Vec<Field>, String> {
        let id = self.sequence()?;
        let mut fields = self.fields?;
        if fields.get("sequence").and_then(Json::as_u64) != Some(id) {
            return Err("its sequence is not its id".to_owned());
        }
        let value = |field: &flamingock_core::audit::Field| match fields.remove(field.name) {
            None => Ok(Field::Null),
            Some(Json::String(text)) => Ok(Field::Text(text)),
            Some(other) => other
                .as_i64()
                .map(Field::Integer)
                .ok_or_else(|| format!("field `{}` holds neither text nor a number", field.name)),
        };
        AuditEntry::FIELDS.iter().map(value).collect()
    }
}
