use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use flamingock_core::History;

/// Partition key.
pub(crate) const HISTORY: &str = "history";
/// Sort key.
pub(crate) const ITEM: &str = "item";

/// The partition with an item per history. No history has this name: theirs have a slash.
pub(crate) const HISTORIES: &str = "histories";
/// The partition of the table itself.
pub(crate) const TABLE: &str = "flamingock";
pub(crate) const FORMAT_ITEM: &str = "format";

pub(crate) const HEAD: &str = "head";
pub(crate) const LOCK: &str = "lock";
pub(crate) const LATEST: &str = "latest#";

pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// The partition of a history.
pub(crate) fn partition(history: &History) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('/', "%2F");
    format!("{}/{}", escape(&history.service), escape(&history.tenant))
}

/// The sort key of the entries of an append whose last is `sequence`.
pub(crate) fn entry_item(sequence: u64) -> String {
    format!("entry#{sequence:020}")
}

pub(crate) fn latest_item(change: &str) -> String {
    format!("{LATEST}{change}")
}

pub(crate) fn key(partition: &str, item: &str) -> Attributes {
    HashMap::from([(HISTORY.to_owned(), text(partition)), (ITEM.to_owned(), text(item))])
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn number(number: impl Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An item that was read.
pub(crate) struct Item(pub(crate) Attributes);

impl Item {
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(format!("attribute `{name}` is no text")),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, String> {
        self.optional_text(name)?.ok_or_else(|| missing(name))
    }

    pub(crate) fn optional_number<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(number)) => number
                .parse()
                .map(Some)
                .map_err(|_| format!("attribute `{name}` holds {number}, which is out of range")),
            Some(_) => Err(format!("attribute `{name}` is no number")),
        }
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<T, String> {
        self.optional_number(name)?.ok_or_else(|| missing(name))
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let Some(AttributeValue::L(values)) = self.0.get(name) else { return Err(missing(name)) };
        let text = |value: &AttributeValue| value.as_s().ok().cloned();
        values
            .iter()
            .map(text)
            .collect::<Option<_>>()
            .ok_or_else(|| format!("attribute `{name}` has no texts"))
    }
}

fn missing(name: &str) -> String {
    format!("attribute `{name}` is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_keep_service_and_tenant_apart() {
        let of = |service: &str, tenant: &str| partition(&History::new(service).tenant(tenant));
        assert_eq!(of("orders", ""), "orders/");
        assert_eq!(of("orders", "eu"), "orders/eu");
        assert_ne!(of("a/b", "c"), of("a", "b/c"));
        assert_ne!(of("a%2F", "c"), of("a/", "c"));
        assert_ne!(of(HISTORIES, ""), HISTORIES);
    }

    #[test]
    fn items_of_entries_sort_by_sequence() {
        assert!(entry_item(9) < entry_item(10));
        assert!(entry_item(10) < entry_item(u64::MAX));
    }
}
