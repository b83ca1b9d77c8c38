use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;

/// A record to be produced.
///
/// ```
/// # use flamingock_target_kafka::Record;
/// let germany = Record::to("countries").key("de").value("Germany").header("source", "iso-3166");
/// let gone = Record::to("countries").key("yu"); // without a value: deletes the key in a compacted topic
/// assert_eq!(germany.topic(), gone.topic());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    topic: String,
    partition: Option<i32>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// A record without key and value.
    pub fn to(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), partition: None, key: None, value: None, headers: Vec::new() }
    }

    /// Its key, which decides on the partition unless that is named.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Its value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The partition that it goes to.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The topic that it goes to.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    pub(super) fn for_driver(&self) -> FutureRecord<'_, [u8], [u8]> {
        let mut record = FutureRecord::to(&self.topic);
        record.partition = self.partition;
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        if !self.headers.is_empty() {
            let mut headers = OwnedHeaders::new_with_capacity(self.headers.len());
            for (key, value) in &self.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            record.headers = Some(headers);
        }
        record
    }
}
