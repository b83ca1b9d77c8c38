//! Arbitrary items and URLs: foreign data. `cargo xtask fuzz` runs these for longer.

use aws_sdk_dynamodb::types::AttributeValue;
use bolero::TypeGenerator;
use flamingock_core::History;
use flamingock_core::audit::{AuditState, ChainHash};
use flamingock_testing::entries::Chain;

use crate::entries::{Entry, write_entry};
use crate::head::read_head;
use crate::item::{Attributes, Item, number, text};
use crate::lock::Stored;
use crate::operation::Operation;
use crate::url::Place;

const OPERATION: Operation<'_> = Operation { name: "test", address: "dynamodb://?table=t" };

/// What an attribute may hold instead.
#[derive(Debug, Clone, TypeGenerator)]
enum Held {
    Nothing,
    Null,
    Bool(bool),
    Number(i64),
    /// Not what the service would send.
    Digits(String),
    Text(String),
    Texts(Vec<String>),
}

/// The item with some of its attributes replaced.
fn replaced(item: &[(&str, AttributeValue)], replacements: &[(u8, Held)]) -> Item {
    let mut attributes: Attributes =
        item.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for (index, held) in replacements {
        let (name, _) = &item[usize::from(*index) % item.len()];
        let value = match held.clone() {
            Held::Nothing => {
                attributes.remove(*name);
                continue;
            }
            Held::Null => AttributeValue::Null(true),
            Held::Bool(value) => AttributeValue::Bool(value),
            Held::Number(value) => number(value),
            Held::Digits(digits) => AttributeValue::N(digits),
            Held::Text(value) => AttributeValue::S(value),
            Held::Texts(values) => AttributeValue::L(values.into_iter().map(AttributeValue::S).collect()),
        };
        attributes.insert((*name).to_owned(), value);
    }
    Item(attributes)
}

#[test]
fn any_head_and_lock_is_read_or_refused() {
    let history = History::new("orders");
    let head = [
        ("format", number(1)),
        ("token", number(2)),
        ("owner", text("o")),
        ("execution_id", text("e")),
        ("sequence", number(3)),
        ("hash", text(&ChainHash::GENESIS.to_string())),
        ("digests", AttributeValue::L(vec![text("d")])),
        ("verdict", text("{}")),
        ("previous", number(2)),
        ("fold_from", number(1)),
    ];
    let lock = ["owner", "execution_id", "token", "since", "lease_us", "version", "watched_us"]
        .map(|name| (name, if name.ends_with('r') || name.ends_with("id") { text(name) } else { number(7) }));
    read_head(OPERATION, &history, &replaced(&head, &[(7, Held::Nothing)])).expect("it is understood");
    assert!(Stored::read(&replaced(&lock, &[])).is_ok_and(|lock| lock.holder().is_some()));
    bolero::check!().with_type::<Vec<(u8, Held)>>().for_each(|replacements| {
        let _ = read_head(OPERATION, &history, &replaced(&head, replacements));
        let _ = Stored::read(&replaced(&lock, replacements)).map(|lock| lock.holder());
    });
}

#[test]
fn any_entry_is_read_or_refused() {
    let history = History::new("orders");
    let entry = Chain::new(&history).next("a", AuditState::Started);
    let json = write_entry(&entry);
    Entry::parse(&json).expect("an entry").read(OPERATION, &history).expect("it is understood");
    bolero::check!().with_type::<(Vec<(u16, u8)>, String)>().for_each(|(edits, other)| {
        let mut bytes = json.clone().into_bytes();
        for (at, byte) in edits {
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *byte;
        }
        for text in [String::from_utf8_lossy(&bytes).into_owned(), other.clone()] {
            if let Some(entry) = Entry::parse(&text) {
                let _ = entry.read(OPERATION, &history);
            }
        }
    });
}

#[test]
fn any_url_is_read_or_refused() {
    bolero::check!().with_type::<[String; 3]>().for_each(|[table, region, endpoint]| {
        let _ = Place::parse(table);
        let url = format!("dynamodb://?table={table}&region={region}&endpoint=http://{endpoint}");
        if let Ok(place) = Place::parse(&url) {
            assert_eq!(Place::parse(&place.address()).expect("its own address"), place);
        }
    });
}
