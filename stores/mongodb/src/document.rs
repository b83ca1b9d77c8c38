use flamingock_core::audit::{AuditEntry, FORMAT, Value};
use flamingock_core::{BackendError, BackendErrorKind, History};
use mongodb::bson::{Bson, Document, doc};

use crate::error::Operation;

/// The `_id` of what there is one of per history. Documents are compared byte by byte.
pub(crate) fn id(history: &History) -> Document {
    doc! { "service": &history.service, "tenant": &history.tenant }
}

/// The history that an `_id` names.
pub(crate) fn history(id: &Document) -> Result<History, String> {
    Ok(History::new(text(id, "service")?).tenant(text(id, "tenant")?))
}

/// An entry as a document. Its place is its `_id`.
pub(crate) fn of_entry(operation: &Operation<'_>, entry: &AuditEntry) -> Result<Document, BackendError> {
    let sequence = operation.number(entry.sequence)?;
    let place = doc! { "service": &entry.service, "tenant": &entry.tenant, "sequence": sequence };
    let mut document = doc! { "_id": place };
    for (field, value) in AuditEntry::FIELDS.iter().zip(entry.to_record()) {
        let value = match value {
            // A field that is not there says the same.
            Value::Null => continue,
            Value::Integer(number) => Bson::Int64(number),
            Value::Text(text) => Bson::String(text),
        };
        document.insert(field.name, value);
    }
    Ok(document)
}

/// The entry in a document.
pub(crate) fn to_entry(
    operation: &Operation<'_>,
    history: &History,
    document: &Document,
) -> Result<AuditEntry, BackendError> {
    let sequence = sequence(document).map_or_else(|_| "?".to_owned(), |sequence| sequence.to_string());
    if let Ok(format) = number(document, "format")
        && format > u64::from(FORMAT)
    {
        return Err(newer_format(operation, format).context("sequence", sequence));
    }
    let values: Result<Vec<Value>, String> =
        AuditEntry::FIELDS.iter().map(|field| value(document, field.name)).collect();
    values.and_then(AuditEntry::from_record).map_err(|problem| {
        operation
            .corrupt(format_args!("entry {sequence} of {history}"), problem)
            .context("sequence", sequence)
    })
}

fn value(document: &Document, name: &str) -> Result<Value, String> {
    match document.get(name) {
        None | Some(Bson::Null) => Ok(Value::Null),
        Some(Bson::Int64(number)) => Ok(Value::Integer(*number)),
        Some(Bson::Int32(number)) => Ok(Value::Integer(i64::from(*number))),
        Some(Bson::String(text)) => Ok(Value::Text(text.clone())),
        Some(other) => Err(format!("field `{name}` holds a {:?}", other.element_type())),
    }
}

/// The place of an entry, read without the rest of it.
pub(crate) fn sequence(document: &Document) -> Result<u64, String> {
    number(document, "sequence")
}

pub(crate) fn number(document: &Document, name: &str) -> Result<u64, String> {
    match value(document, name)? {
        Value::Integer(number) => u64::try_from(number).map_err(|_| format!("field `{name}` holds {number}")),
        Value::Null => Err(format!("there is no field `{name}`")),
        Value::Text(_) => Err(format!("field `{name}` holds text instead of a number")),
    }
}

pub(crate) fn text<'a>(document: &'a Document, name: &str) -> Result<&'a str, String> {
    document.get_str(name).map_err(|_| format!("there is no text in field `{name}`"))
}

pub(crate) fn newer_format(operation: &Operation<'_>, format: u64) -> BackendError {
    let message = format!("the audit has format {format}, this release knows up to {FORMAT}");
    operation.fail(BackendErrorKind::NewerFormat, message)
}

#[cfg(test)]
mod tests {
    use flamingock_core::audit::AuditState;
    use flamingock_testing::entries::Chain;

    use super::*;

    const OPERATION: Operation<'_> = Operation { name: "test", address: "mongodb://host/db" };

    #[test]
    fn an_entry_comes_back() {
        let history = History::new("orders").tenant("t");
        let entry = Chain::new(&history).next("a", AuditState::Started);
        let document = of_entry(&OPERATION, &entry).unwrap();
        assert_eq!(to_entry(&OPERATION, &history, &document).unwrap(), entry);
        let place = document.get_document("_id").unwrap();
        assert_eq!(super::history(place), Ok(history));
    }

    #[test]
    fn what_is_no_entry_is_corrupt_and_what_is_newer_says_so() {
        let history = History::new("orders");
        let entry = Chain::new(&history).next("a", AuditState::Started);
        let mut document = of_entry(&OPERATION, &entry).unwrap();
        document.insert("attempt", 1.5);
        let error = to_entry(&OPERATION, &history, &document).unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Corrupt);
        assert!(error.to_string().contains("entry 1 of orders"), "{error}");
        document.insert("format", 99);
        let error = to_entry(&OPERATION, &history, &document).unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::NewerFormat);
    }
}
