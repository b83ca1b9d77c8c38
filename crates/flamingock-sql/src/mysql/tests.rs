use flamingock_core::BackendErrorKind::{self, *};
use sqlx::mysql::MySqlConnectOptions;

use super::{MySql, diagnose_number};
use crate::{Column, ColumnKind, Dialect as _, Operation, Table};

#[test]
fn every_error_of_the_server_has_its_kind() {
    let table: &[(u16, &str, BackendErrorKind)] = &[
        (3, "Error writing file './binlog.000001' (errno: 28 \"No space left on device\")", StorageFull),
        (1020, "Record has changed since last read in table 'flamingock_heads'", Unavailable),
        (1021, "Disk full (/tmp/#sql); waiting for someone to free some space...", StorageFull),
        (1030, "Got error 28 \"No space left on device\" from storage engine InnoDB", StorageFull),
        (1034, "Index for table 'flamingock_heads' is corrupt", Corrupt),
        (1040, "Too many connections", Unavailable),
        (1044, "Access denied for user 'orders'@'%' to database 'orders'", Denied),
        (1045, "Access denied for user 'orders'@'%' (using password: YES)", Denied),
        (1046, "No database selected", Misconfigured),
        (1047, "WSREP has not yet prepared node for application use", Unavailable),
        (1049, "Unknown database 'orders'", Misconfigured),
        (1053, "Server shutdown in progress", Unavailable),
        (1054, "Unknown column 'digests' in 'field list'", Schema),
        (1062, "Duplicate entry 'orders--1' for key 'PRIMARY'", Corrupt),
        (1064, "You have an error in your SQL syntax", Other),
        (1114, "The table 'flamingock_entries' is full", StorageFull),
        (1142, "INSERT command denied to user 'orders'@'%'", Denied),
        (1146, "Table 'orders.flamingock_heads' doesn't exist", Schema),
        (1153, "Got a packet bigger than 'max_allowed_packet' bytes", InvalidData),
        (1205, "Lock wait timeout exceeded; try restarting transaction", Unavailable),
        (1213, "Deadlock found when trying to get lock; try restarting transaction", Unavailable),
        (1251, "Client does not support authentication protocol", Misconfigured),
        (1264, "Out of range value for column 'token' at row 1", InvalidData),
        (1286, "Unknown storage engine 'InnoDB'", Misconfigured),
        (1290, "The MariaDB server is running with the --read-only option", ReadOnly),
        (1317, "Query execution was interrupted", Unavailable),
        (1366, "Incorrect string value", InvalidData),
        (1406, "Data too long for column 'change_id' at row 1", InvalidData),
        (1665, "Cannot execute statement: impossible to write to binary log", Misconfigured),
        (1792, "Cannot execute statement in a READ ONLY transaction", ReadOnly),
        (1836, "Running in read-only mode", ReadOnly),
        (1927, "Connection was killed", Unavailable),
        (1969, "Query execution was interrupted (max_statement_time exceeded)", Unavailable),
        (3100, "Error on observer while running replication hook 'before_commit'.", Unavailable),
        (3101, "Plugin instructed the server to rollback the current transaction.", Unavailable),
        (3159, "Connections using insecure transport are prohibited", Misconfigured),
        (4031, "The client was disconnected by the server because of inactivity", Unavailable),
    ];
    for (number, message, kind) in table {
        assert_eq!(diagnose_number(*number, message).kind, *kind, "{number}: {message}");
    }
}

#[test]
fn a_connection_that_breaks_is_unavailable() {
    let options = MySqlConnectOptions::new();
    let operation = Operation::<MySql>::new("append", &options);
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection reset by peer");
    assert_eq!(operation.error(broken.into()).kind(), Unavailable);
}

#[test]
fn literals_cannot_be_left_in_any_sql_mode_or_character_set() {
    assert_eq!(MySql::quote_text(""), "''");
    assert_eq!(MySql::quote_text("it's \"x\""), "'it''s \"x\"'");
    // In hexadecimal: the server may take a backslash for itself, or for an escape.
    assert_eq!(MySql::quote_text("\\'"), "_utf8mb4 X'5C27'");
    // And may take the bytes for another character set's.
    assert_eq!(MySql::quote_text("ä'"), "_utf8mb4 X'C3A427'");
    assert_eq!(MySql::quote_name("a`b"), "`a``b`");
}

#[test]
fn an_address_shows_no_secret() {
    let options = MySqlConnectOptions::new().host("db").username("ann").password("s3cret").database("orders");
    assert_eq!(MySql::address(&options), "mysql://db:3306/orders");
    assert_eq!(MySql::address(&options.socket("/run/mysqld.sock")), "mysql:/run/mysqld.sock/orders");
}

#[test]
fn an_index_is_part_of_its_table() {
    let table = Table {
        schema: None,
        name: "entries".to_owned(),
        columns: vec![Column::new("id", ColumnKind::Key), Column::nullable("sequence", ColumnKind::Integer)],
        key: &["id"],
        index: Some(("by_sequence", &["sequence"])),
    };
    let expected = "CREATE TABLE IF NOT EXISTS `entries` (\n  \
                    `id` VARBINARY(255) NOT NULL,\n  \
                    `sequence` BIGINT,\n  \
                    PRIMARY KEY (`id`),\n  \
                    INDEX `entries_by_sequence` (`sequence`)\n\
                    ) ENGINE = InnoDB";
    assert_eq!(table.ddl::<MySql>(), [expected]);
}
