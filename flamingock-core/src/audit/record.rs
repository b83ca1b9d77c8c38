use jiff::Timestamp;

use super::{AuditEntry, AuditState, ChainHash, ErrorDetail, Evidence, Operation, TxStrategy};
use crate::change::{ChangeKind, RecoveryStrategy};
use crate::lock::FencingToken;

/// A value as every store can keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A 64-bit number.
    Integer(i64),
    /// Text without NUL.
    Text(String),
}

/// What kind of value a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// [`Value::Integer`].
    Integer,
    /// [`Value::Text`].
    Text,
}

/// A field of an entry, by the name that every store gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name, in snake case.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether it may be [`Value::Null`].
    pub nullable: bool,
}

/// One list gives the fields, the way into a record, and the way back. The order is the order in
/// which fields are hashed; `hash` itself is last and not hashed.
macro_rules! fields {
    ($($name:ident: $kind:ident $($null:ident)?, |$entry:ident| $into:expr;)*) => {
        impl AuditEntry {
            /// The fields of an entry, in the order of [`to_record`](Self::to_record).
            pub const FIELDS: &'static [Field] = &[
                $(Field { name: stringify!($name), kind: FieldKind::$kind, nullable: fields!(@null $($null)?) },)*
            ];

            /// The entry as a row: one value per field.
            pub fn to_record(&self) -> Vec<Value> {
                vec![$({ let $entry = self; Value::from($into) }),*]
            }
        }
    };
    (@null) => { false };
    (@null nullable) => { true };
}

fields! {
    format: Integer, |e| u64::from(e.format);
    sequence: Integer, |e| e.sequence;
    service: Text, |e| &e.service;
    tenant: Text, |e| &e.tenant;
    execution_id: Text, |e| &e.execution;
    operation: Text, |e| e.operation.as_str();
    state: Text nullable, |e| e.state.map(AuditState::as_str);
    refers_to: Integer nullable, |e| e.refers_to;
    stage: Text, |e| &e.stage;
    change_id: Text, |e| &e.change;
    change_order: Text, |e| &e.order;
    author: Text nullable, |e| e.author.as_deref();
    description: Text nullable, |e| e.description.as_deref();
    step: Text nullable, |e| e.step.as_deref();
    attempt: Integer, |e| u64::from(e.attempt);
    target_system: Text, |e| &e.target_system;
    target_kind: Text, |e| &e.target_kind;
    target_address: Text, |e| &e.target_address;
    tx_strategy: Text, |e| e.tx_strategy.as_str();
    evidence: Text, |e| e.evidence.as_str();
    recovery: Text, |e| e.recovery.as_str();
    kind: Text, |e| e.kind.as_str();
    source: Text, |e| &e.source;
    checksum: Text, |e| &e.checksum;
    recorded_at: Integer, |e| e.recorded_at.as_microsecond();
    duration_us: Integer nullable, |e| e.duration;
    hostname: Text, |e| &e.hostname;
    application_version: Text nullable, |e| e.application.as_deref();
    library_version: Text, |e| &e.library;
    profiles: Text, |e| e.profiles.join(",");
    trace_id: Text nullable, |e| e.trace.as_deref();
    operator: Text nullable, |e| e.operator.as_deref();
    reason: Text nullable, |e| e.reason.as_deref();
    error_type: Text nullable, |e| e.error.as_ref().map(|error| error.type_name.as_str());
    error_message: Text nullable, |e| e.error.as_ref().map(|error| error.message.as_str());
    error_causes: Text nullable, |e| e.error.as_ref().map(|error| error.causes.as_str());
    metadata: Text nullable, |e| e.metadata.as_deref();
    fencing_token: Integer, |e| e.token.0;
    hash: Text, |e| e.hash.to_string();
}

impl AuditEntry {
    /// What the hash covers: every field but the hash.
    pub(super) fn hashed_values(&self) -> Vec<Value> {
        let mut values = self.to_record();
        values.pop();
        values
    }

    /// The entry back from a row with the values of [`FIELDS`](Self::FIELDS).
    ///
    /// # Errors
    /// Names the field that is missing, of another kind, or not understood.
    pub fn from_record(record: Vec<Value>) -> Result<Self, String> {
        if record.len() != Self::FIELDS.len() {
            return Err(format!("an entry has {} fields, not {}", Self::FIELDS.len(), record.len()));
        }
        let mut record = Reader { values: record.into_iter().zip(Self::FIELDS) };
        let entry = Self {
            format: record.number()?,
            sequence: record.number()?,
            service: record.text()?,
            tenant: record.text()?,
            execution: record.text()?,
            operation: record.word(Operation::parse)?,
            state: record.optional_word(AuditState::parse)?,
            refers_to: record.optional_number()?,
            stage: record.text()?,
            change: record.text()?,
            order: record.text()?,
            author: record.optional_text()?,
            description: record.optional_text()?,
            step: record.optional_text()?,
            attempt: record.number()?,
            target_system: record.text()?,
            target_kind: record.text()?,
            target_address: record.text()?,
            tx_strategy: record.word(TxStrategy::parse)?,
            evidence: record.word(Evidence::parse)?,
            recovery: record.word(RecoveryStrategy::parse)?,
            kind: record.word(ChangeKind::parse)?,
            source: record.text()?,
            checksum: record.text()?,
            recorded_at: record.timestamp()?,
            duration: record.optional_number()?,
            hostname: record.text()?,
            application: record.optional_text()?,
            library: record.text()?,
            profiles: record.text()?.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            trace: record.optional_text()?,
            operator: record.optional_text()?,
            reason: record.optional_text()?,
            error: match (record.optional_text()?, record.optional_text()?, record.optional_text()?) {
                (None, None, None) => None,
                (type_name, message, causes) => Some(ErrorDetail {
                    type_name: type_name.unwrap_or_default(),
                    message: message.unwrap_or_default(),
                    causes: causes.unwrap_or_default(),
                }),
            },
            metadata: record.optional_text()?,
            token: FencingToken(record.number()?),
            hash: record.word(|text| text.parse::<ChainHash>().ok())?,
        };
        Ok(entry)
    }
}

/// Takes the values of a row one by one.
struct Reader<I> {
    values: I,
}

impl<I: Iterator<Item = (Value, &'static Field)>> Reader<I> {
    fn next(&mut self) -> Result<(Value, &'static Field), String> {
        self.values.next().ok_or_else(|| "the row is too short".to_owned())
    }

    fn optional_text(&mut self) -> Result<Option<String>, String> {
        match self.next()? {
            (Value::Null, _) => Ok(None),
            (Value::Text(text), _) => Ok(Some(text)),
            (Value::Integer(_), field) => {
                Err(format!("field `{}` holds a number instead of text", field.name))
            }
        }
    }

    fn optional_integer(&mut self) -> Result<(Option<i64>, &'static Field), String> {
        match self.next()? {
            (Value::Null, field) => Ok((None, field)),
            (Value::Integer(number), field) => Ok((Some(number), field)),
            (Value::Text(_), field) => Err(format!("field `{}` holds text instead of a number", field.name)),
        }
    }

    fn optional_number<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, String> {
        let (number, field) = self.optional_integer()?;
        let convert = |number| {
            T::try_from(number)
                .map_err(|_| format!("field `{}` holds {number}, which is out of range", field.name))
        };
        number.map(convert).transpose()
    }

    fn number<T: TryFrom<i64>>(&mut self) -> Result<T, String> {
        self.optional_number()?.ok_or_else(|| "a number is missing".to_owned())
    }

    fn text(&mut self) -> Result<String, String> {
        self.optional_text()?.ok_or_else(|| "a text is missing".to_owned())
    }

    fn optional_word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, String> {
        let text = self.optional_text()?;
        text.map(|text| parse(&text).ok_or_else(|| format!("`{}` is not understood", text.escape_debug())))
            .transpose()
    }

    fn word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        self.optional_word(parse)?.ok_or_else(|| "a word is missing".to_owned())
    }

    fn timestamp(&mut self) -> Result<Timestamp, String> {
        let micros = self.number()?;
        Timestamp::from_microsecond(micros).map_err(|error| format!("recorded_at: {error}"))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T> From<Option<T>> for Value
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}
