//! Arbitrary answers: what a store gives back is foreign data. `cargo xtask fuzz` runs these for longer.

use bolero::TypeGenerator;
use flamingock_core::History;
use flamingock_core::audit::{AuditState, ChainHash, EntryFilter};
use flamingock_testing::entries::Chain;
use redis::Value;

use crate::entry::{Stored, arguments};
use crate::errors::Operation;

const OPERATION: Operation<'_> = Operation { name: "test", address: "redis://host", secret: None };

/// What an answer may hold instead.
#[derive(Debug, Clone, TypeGenerator)]
enum Held {
    Nil,
    Okay,
    Number(i64),
    Bytes(Vec<u8>),
    Digits(u64),
    Text(String),
    Texts(Vec<String>),
}

impl From<Held> for Value {
    fn from(held: Held) -> Self {
        match held {
            Held::Nil => Self::Nil,
            Held::Okay => Self::Okay,
            Held::Number(number) => Self::Int(number),
            Held::Bytes(bytes) => Self::BulkString(bytes),
            Held::Digits(number) => text(&number.to_string()),
            Held::Text(text) => Self::SimpleString(text),
            Held::Texts(texts) => Self::Array(texts.iter().map(|value| text(value)).collect()),
        }
    }
}

fn text(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

/// The values with some of them replaced.
fn replaced(mut values: Vec<Value>, replacements: &[(u8, Held)]) -> Value {
    for (index, held) in replacements {
        let index = usize::from(*index) % values.len();
        values[index] = held.clone().into();
    }
    Value::Array(values)
}

#[test]
fn any_head_is_read_or_refused() {
    let history = History::new("orders");
    let hash = ChainHash::GENESIS.to_string();
    let head: Vec<Value> = ["1", "2", "owner", "run", "3", &hash, "[]", "{}"].map(text).into();
    let read = |value| crate::head::read(&OPERATION, &history, value);
    read(replaced(head.clone(), &[(7, Held::Nil)])).expect("it is understood");
    bolero::check!().with_type::<(Vec<(u8, Held)>, Held)>().for_each(|(replacements, other)| {
        let _ = read(replaced(head.clone(), replacements));
        let _ = read(other.clone().into());
    });
}

#[test]
fn any_entry_is_read_or_refused() {
    let history = History::new("orders");
    let entry = Chain::new(&history).next("a", AuditState::Started);
    let [_, _, json] = arguments(&entry);
    let item = |json: &[u8]| {
        let fields = Value::Array(vec![text("entry"), Value::BulkString(json.to_vec())]);
        vec![text("1-0"), fields]
    };
    let read = |value| Stored::read(value).map(|stored| stored.entry(&OPERATION, &history));
    assert_eq!(read(Value::Array(item(json.as_bytes()))).map(Result::ok), Ok(Some(entry.clone())));
    let filter = EntryFilter { change: Some("a".to_owned()), ..EntryFilter::default() };
    let input = bolero::check!().with_type::<(Vec<(u16, u8)>, Vec<(u8, Held)>)>();
    input.for_each(|(edits, replacements)| {
        let mut bytes = json.clone().into_bytes();
        for (at, byte) in edits {
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *byte;
        }
        let value = replaced(item(&bytes), replacements);
        if let Ok(stored) = Stored::read(value) {
            let _ = stored.sequence();
            let _ = stored.fits(&filter);
            let _ = stored.entry(&OPERATION, &history);
        }
    });
}
