use flamingock_core::BackendErrorKind::{self, *};
use sqlx::postgres::PgConnectOptions;

use super::{Postgres, diagnose_state};
use crate::{Dialect as _, Operation};

#[test]
fn every_state_of_the_server_has_its_kind() {
    let table: &[(&str, &str, BackendErrorKind)] = &[
        ("08006", "connection failure", Unavailable),
        ("08P01", "server_login_retry", Unavailable),
        ("08P01", "query_wait_timeout", Unavailable),
        ("08P01", "unsupported startup parameter: extra_float_digits", Misconfigured),
        ("08P01", "no such database: orders", Misconfigured),
        ("08P01", "password authentication failed", Denied),
        ("22001", "value too long for type character varying(3)", InvalidData),
        ("22003", "bigint out of range", InvalidData),
        ("23502", "null value in column \"hash\"", InvalidData),
        ("23505", "duplicate key value violates unique constraint", Corrupt),
        ("25006", "cannot execute INSERT in a read-only transaction", ReadOnly),
        ("25P02", "current transaction is aborted", Other),
        ("25P03", "terminating connection due to idle-in-transaction timeout", Unavailable),
        ("28000", "role \"orders\" does not exist", Denied),
        ("28P01", "password authentication failed for user \"orders\"", Denied),
        ("3D000", "database \"orders\" does not exist", Misconfigured),
        ("3F000", "schema \"ops\" does not exist", Schema),
        ("40001", "could not serialize access due to concurrent update", Unavailable),
        ("40P01", "deadlock detected", Unavailable),
        ("42501", "permission denied for table flamingock_heads", Denied),
        ("42601", "syntax error at or near \"SELEC\"", Other),
        ("42703", "column \"digests\" does not exist", Schema),
        ("42P01", "relation \"flamingock_heads\" does not exist", Schema),
        ("42P05", "prepared statement \"sqlx_s_1\" already exists", Misconfigured),
        ("26000", "prepared statement \"sqlx_s_1\" does not exist", Misconfigured),
        ("53100", "could not extend file: No space left on device", StorageFull),
        ("53200", "out of memory", Unavailable),
        ("53300", "sorry, too many clients already", Unavailable),
        ("54000", "index row size 2712 exceeds btree version 4 maximum 2704", InvalidData),
        ("55P03", "canceling statement due to lock timeout", Unavailable),
        ("57014", "canceling statement due to statement timeout", Unavailable),
        ("57P01", "terminating connection due to administrator command", Unavailable),
        ("57P02", "terminating connection because of crash of another server process", Unavailable),
        ("57P03", "the database system is starting up", Unavailable),
        ("58030", "could not read file", Unavailable),
        ("XX000", "cache lookup failed", Other),
        ("XX001", "invalid page in block 7", Corrupt),
        ("", "no state at all", Other),
    ];
    for (state, message, kind) in table {
        assert_eq!(diagnose_state(state, message).kind, *kind, "{state} {message}");
    }
}

#[test]
fn an_address_has_no_user_and_no_password() {
    let options: PgConnectOptions = "postgres://ann:s3cret@db.example:5433/orders".parse().unwrap();
    assert_eq!(Postgres::address(&options), "postgres://db.example:5433/orders");
    let local = options.socket("/run/postgresql");
    assert_eq!(Postgres::address(&local), "postgres:///run/postgresql:5433/orders");
}

#[test]
fn literals_cannot_be_left_whatever_the_server_takes_a_backslash_for() {
    let options = PgConnectOptions::new_without_pgpass();
    let operation = Operation::<Postgres>::new("append", &options);
    assert_eq!(operation.text("it's \\' \"x\"").unwrap(), r#"E'it''s \\'' "x"'"#);
    assert_eq!(operation.text("a\0b").unwrap_err().kind(), InvalidData);
    assert_eq!(Postgres::quote_name("a\"b"), "\"a\"\"b\"");
}
