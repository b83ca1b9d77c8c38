//! Arbitrary rows: what a store gives back is foreign data. `cargo xtask fuzz` runs these for longer.

use bolero::TypeGenerator;
use flamingock_core::History;
use flamingock_core::audit::{AuditState, ChainHash, Value};
use flamingock_sql::{Operation, Row, Sqlite};
use flamingock_testing::entries::Chain;
use sqlx::sqlite::SqliteConnectOptions;

use crate::SqliteAuditStore;
use crate::audit::read_entry;

/// What a column may hold instead.
#[derive(Debug, Clone, TypeGenerator)]
enum Held {
    Null,
    Integer(i64),
    Text(String),
    Unreadable(String),
}

impl From<Held> for Result<Value, String> {
    fn from(held: Held) -> Self {
        match held {
            Held::Null => Ok(Value::Null),
            Held::Integer(number) => Ok(Value::Integer(number)),
            Held::Text(text) => Ok(Value::Text(text)),
            Held::Unreadable(problem) => Err(problem),
        }
    }
}

/// The row with some of its columns replaced, and cut off after some of them.
fn replaced(row: &[Value], replacements: &[(u8, Held)], columns: Option<u8>) -> Row {
    let mut row: Vec<Result<Value, String>> = row.iter().cloned().map(Ok).collect();
    for (index, held) in replacements {
        let index = usize::from(*index) % row.len();
        row[index] = held.clone().into();
    }
    row.truncate(columns.map_or(row.len(), usize::from));
    Row(row)
}

#[test]
fn any_head_is_read_or_refused() {
    let history = History::new("orders");
    let hash = ChainHash::GENESIS.to_string();
    let text = |text: &str| Value::Text(text.to_owned());
    let number = Value::Integer;
    let head =
        [number(1), number(2), text("o"), text("e"), number(3), text(&hash), text("[\"d\"]"), Value::Null];
    let read = |row: &Row| {
        let options = SqliteConnectOptions::new();
        SqliteAuditStore::read_head(&Operation::new("test", &options), &history, row)
    };
    read(&replaced(&head, &[], None)).expect("it is understood");
    bolero::check!().with_type::<(Vec<(u8, Held)>, Option<u8>)>().for_each(|(replacements, columns)| {
        let _ = read(&replaced(&head, replacements, *columns));
    });
}

#[test]
fn any_entry_is_read_or_refused() {
    let history = History::new("orders");
    let entry = Chain::new(&history).next("a", AuditState::Started);
    let row = entry.to_record();
    let read = |row| {
        let options = SqliteConnectOptions::new();
        read_entry(&Operation::<Sqlite>::new("test", &options), &history, row)
    };
    assert_eq!(read(replaced(&row, &[], None)).ok(), Some(entry));
    bolero::check!().with_type::<(Vec<(u8, Held)>, Option<u8>)>().for_each(|(replacements, columns)| {
        let _ = read(replaced(&row, replacements, *columns));
    });
}
