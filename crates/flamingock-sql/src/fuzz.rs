//! Arbitrary text as a literal. `cargo xtask fuzz` runs these for longer.

use std::sync::Mutex;

use flamingock_core::audit::Value;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::{Dialect, MySql, Operation, Postgres, Sqlite};

#[test]
fn any_text_comes_back_from_sqlite_as_it_was() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let connection = runtime.block_on(SqliteConnection::connect("sqlite::memory:")).expect("a connection");
    let server = Mutex::new((runtime, connection));
    bolero::check!().with_type::<String>().for_each(|text| {
        let options = SqliteConnectOptions::new();
        let operation = Operation::<Sqlite>::new("test", &options);
        let Ok(literal) = operation.text(text) else {
            return assert!(text.contains('\0'), "only NUL is refused");
        };
        let mut server = server.lock().expect("nobody panicked");
        let (runtime, connection) = &mut *server;
        let rows = operation.rows(connection, format!("SELECT {literal}, 7"));
        let rows = runtime.block_on(rows).expect("a row");
        assert_eq!(rows[0].0, [Ok(Value::Text(text.clone())), Ok(Value::Integer(7))]);
    });
}

/// What a server reads of a literal whose quotes are doubled and, if `escapes`, whose backslashes escape;
/// [`None`] when it ends before the text does.
fn read(literal: &str, escapes: bool) -> Option<String> {
    let mut text = String::new();
    let mut rest = literal.strip_suffix('\'')?.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => text.push(rest.next().filter(|c| *c == '\'')?),
            '\\' if escapes => match rest.next()? {
                c @ ('\\' | '\'') => text.push(c),
                _ => return None,
            },
            c => text.push(c),
        }
    }
    Some(text)
}

#[test]
fn no_text_gets_out_of_its_literal() {
    bolero::check!().with_type::<String>().for_each(|text| {
        let postgres = Postgres::quote_text(text);
        assert_eq!(postgres.strip_prefix("E'").and_then(|rest| read(rest, true)).as_ref(), Some(text));
        let sqlite = Sqlite::quote_text(text);
        assert_eq!(sqlite.strip_prefix('\'').and_then(|rest| read(rest, false)).as_ref(), Some(text));
        // MySQL takes plain ASCII as the others do, and the rest as hexadecimal digits.
        let mysql = MySql::quote_text(text);
        let plain = mysql.strip_prefix('\'').and_then(|rest| read(rest, true));
        let digits = mysql.strip_prefix("_utf8mb4 X'").and_then(|rest| rest.strip_suffix('\''));
        let bytes = |digits: &str| -> Option<Vec<u8>> {
            let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
            pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
        };
        let decoded = digits.and_then(bytes).and_then(|bytes| String::from_utf8(bytes).ok());
        assert_eq!(plain.or(decoded).as_ref(), Some(text), "{mysql}");
    });
}
