use flamingock_core::audit::{AuditEntry, FieldKind};
use flamingock_sql::{Column, ColumnKind, Table};

/// The fields of an entry that are part of a key or an index.
const KEYS: [&str; 3] = ["service", "tenant", "change_id"];

/// The audit.
pub(crate) fn entries(schema: Option<&str>, prefix: &str) -> Table {
    let column = |field: &flamingock_core::audit::Field| Column {
        name: field.name,
        kind: match field.kind {
            FieldKind::Integer => ColumnKind::Integer,
            FieldKind::Text if KEYS.contains(&field.name) => ColumnKind::Key,
            FieldKind::Text => ColumnKind::Text,
        },
        nullable: field.nullable,
    };
    Table {
        schema: schema.map(str::to_owned),
        name: format!("{prefix}entries"),
        columns: AuditEntry::FIELDS.iter().map(column).collect(),
        key: &["service", "tenant", "sequence"],
        index: Some(("by_change", &["service", "tenant", "change_id", "sequence"])),
    }
}

/// Where each history stands. The columns from `format` on are in the order in which a head is read.
pub(crate) fn heads(schema: Option<&str>, prefix: &str) -> Table {
    use ColumnKind::{Integer, Key, Text};
    Table {
        schema: schema.map(str::to_owned),
        name: format!("{prefix}heads"),
        columns: vec![
            Column::new("service", Key),
            Column::new("tenant", Key),
            Column::new("format", Integer),
            Column::new("token", Integer),
            Column::new("owner", Text),
            Column::new("execution_id", Text),
            Column::new("sequence", Integer),
            Column::new("hash", Text),
            Column::new("digests", Text),
            Column::nullable("verdict", Text),
        ],
        key: &["service", "tenant"],
        index: None,
    }
}

/// Who holds the lock of each history. A free one has no owner, and keeps its token.
/// Times are microseconds since 1970 by the database's clock.
pub(crate) fn locks(schema: Option<&str>, prefix: &str) -> Table {
    use ColumnKind::{Integer, Key, Text};
    Table {
        schema: schema.map(str::to_owned),
        name: format!("{prefix}locks"),
        columns: vec![
            Column::new("service", Key),
            Column::new("tenant", Key),
            Column::nullable("owner", Text),
            Column::nullable("execution_id", Text),
            Column::new("token", Integer),
            Column::new("since", Integer),
            Column::new("expires_at", Integer),
        ],
        key: &["service", "tenant"],
        index: None,
    }
}
