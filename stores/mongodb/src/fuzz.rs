//! Arbitrary documents: what a store gives back is foreign data. `cargo xtask fuzz` runs these for longer.

use bolero::TypeGenerator;
use flamingock_core::History;
use flamingock_core::audit::AuditState;
use flamingock_testing::entries::Chain;
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::error::Operation;
use crate::lock::Stored;

const OPERATION: Operation<'_> = Operation { name: "test", address: "mongodb://host/db" };

/// What a field may hold instead.
#[derive(Debug, Clone, TypeGenerator)]
enum Held {
    Nothing,
    Null,
    Small(i32),
    Number(i64),
    Real(f64),
    Text(String),
    Time(i64),
    Texts(Vec<String>),
    Numbers(Vec<i64>),
    /// An array of one document, with or without a sequence.
    Entries(Option<i64>),
}

/// The document with some of its fields replaced.
fn replaced(mut document: Document, replacements: &[(u8, Held)]) -> Document {
    let names: Vec<String> = document.keys().cloned().collect();
    for (index, held) in replacements {
        let name = &names[usize::from(*index) % names.len()];
        let value = match held.clone() {
            Held::Nothing => {
                document.remove(name);
                continue;
            }
            Held::Null => Bson::Null,
            Held::Small(number) => number.into(),
            Held::Number(number) => number.into(),
            Held::Real(number) => number.into(),
            Held::Text(text) => text.into(),
            Held::Time(millis) => DateTime::from_millis(millis).into(),
            Held::Texts(texts) => texts.into(),
            Held::Numbers(numbers) => numbers.into(),
            Held::Entries(None) => vec![doc! {}].into(),
            Held::Entries(Some(sequence)) => vec![doc! { "sequence": sequence }].into(),
        };
        document.insert(name, value);
    }
    document
}

#[test]
fn any_entry_is_read_or_refused() {
    let history = History::new("orders");
    let entry = Chain::new(&history).next("a", AuditState::Started);
    let document = crate::document::of_entry(&OPERATION, &entry).expect("a document");
    crate::document::to_entry(&OPERATION, &history, &document).expect("it is understood");
    bolero::check!().with_type::<Vec<(u8, Held)>>().for_each(|replacements| {
        let document = replaced(document.clone(), replacements);
        if let Ok(entry) = crate::document::to_entry(&OPERATION, &history, &document) {
            let again = crate::document::of_entry(&OPERATION, &entry).expect("a document");
            let read = crate::document::to_entry(&OPERATION, &history, &again).expect("it is understood");
            assert_eq!(read, entry);
        }
    });
}

#[test]
fn any_head_is_read_or_refused() {
    let history = History::new("orders");
    let document = doc! {
        "format": 1, "token": 2, "owner": "o", "execution_id": "e", "sequence": 3,
        "hash": format!("v1:{}", "0".repeat(64)), "digests": ["d"], "verdict": Bson::Null, "outbox": [],
    };
    crate::head::read(&OPERATION, &history, &document).expect("it is understood");
    bolero::check!().with_type::<Vec<(u8, Held)>>().for_each(|replacements| {
        let document = replaced(document.clone(), replacements);
        let _ = crate::head::read(&OPERATION, &history, &document);
        let _ = crate::outbox::read(&document);
    });
}

#[test]
fn any_lock_is_read_or_refused() {
    let now = DateTime::from_millis(1_700_000_000_000);
    let document = doc! { "owner": "o", "execution_id": "e", "token": 1, "since": now, "expires_at": now };
    assert!(Stored::read(&document).is_ok_and(|lock| lock.holder(now).is_some()));
    bolero::check!().with_type::<Vec<(u8, Held)>>().for_each(|replacements| {
        let _ = Stored::read(&replaced(document.clone(), replacements)).map(|lock| lock.holder(now));
    });
}
