use flamingock_core::{BackendError, BackendErrorKind};
use sqlx::Pool;

use crate::operation::Race;
use crate::{Connection, Dialect, Lent, Operation, quote_in};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text that is part of a key or an index.
    Key,
    /// Text of any length.
    Text,
    /// A 64-bit number.
    Integer,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether it may be NULL.
    pub nullable: bool,
}

impl Column {
    /// A column that is never NULL.
    pub const fn new(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind, nullable: false }
    }

    /// A column that may be NULL.
    pub const fn nullable(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind, nullable: true }
    }
}

/// A table that Flamingock keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its schema, not quoted; [`None`]: the one that the connection looks in.
    pub schema: Option<String>,
    /// Its name, not quoted.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The columns of its primary key.
    pub key: &'static [&'static str],
    /// An index: the end of its name, and its columns.
    pub index: Option<(&'static str, &'static [&'static str])>,
}

impl Table {
    /// Its name in its schema, quoted.
    pub fn quoted<D: Dialect>(&self) -> String {
        quote_in::<D>(self.schema.as_deref(), &self.name)
    }

    /// The statements that create it, unless it is there.
    pub fn ddl<D: Dialect>(&self) -> Vec<String> {
        let table = self.quoted::<D>();
        let mut lines: Vec<String> = self.columns.iter().map(column_ddl::<D>).collect();
        lines.push(format!("PRIMARY KEY ({})", names::<D>(self.key)));
        let mut indexes = Vec::new();
        if let Some((suffix, columns)) = self.index {
            let (index, columns) = (D::quote_name(&format!("{}_{suffix}", self.name)), names::<D>(columns));
            if D::INDEX_IN_TABLE {
                lines.push(format!("INDEX {index} ({columns})"));
            } else {
                indexes.push(format!("CREATE INDEX IF NOT EXISTS {index} ON {table} ({columns})"));
            }
        }
        let options = D::TABLE_OPTIONS;
        let table = format!("CREATE TABLE IF NOT EXISTS {table} (\n  {}\n){options}", lines.join(",\n  "));
        [vec![table], indexes].concat()
    }

    /// The names of its columns, quoted and separated by commas.
    pub fn column_names<D: Dialect>(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        names::<D>(&columns)
    }
}

fn column_ddl<D: Dialect>(column: &Column) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{null}", D::quote_name(column.name), D::column_type(column.kind))
}

fn names<D: Dialect>(names: &[&str]) -> String {
    names.iter().map(|name| D::quote_name(name)).collect::<Vec<_>>().join(", ")
}

/// Checks that a prefix makes table names that every database takes as they are.
///
/// ```
/// # use flamingock_sql::check_prefix;
/// assert!(check_prefix("flamingock_").is_ok());
/// assert!(check_prefix("a\"b").is_err());
/// ```
///
/// # Errors
/// Says what is wrong with it.
pub fn check_prefix(prefix: &str) -> Result<(), String> {
    let plain = prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let starts = !prefix.starts_with(|c: char| c.is_ascii_digit());
    let reserved = prefix.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    if plain && starts && !reserved && prefix.len() <= 40 {
        return Ok(());
    }
    Err(format!(
        "the table prefix `{}` cannot be used: give up to 40 letters, digits and underscores, \
         not starting with a digit or with `sqlite_`",
        prefix.escape_debug()
    ))
}

/// Checks that a schema can be named.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_schema(schema: &str) -> Result<(), String> {
    if !schema.is_empty() && schema.len() <= 63 && !schema.contains('\0') {
        return Ok(());
    }
    Err(format!("the schema `{}` cannot be used: give a name of up to 63 bytes", schema.escape_debug()))
}

/// Creates the tables that are missing, where `create` allows it, and checks the shape of the others.
/// Safe when several do it at once. When all are there it only reads.
///
/// # Errors
/// `Schema` when a table is missing and may not be created, or lacks columns; what the database says
/// when it cannot be created.
pub async fn ensure_tables<D: Dialect>(
    operation: &Operation<'_, D>,
    pool: &Pool<D::Database>,
    tables: &[Table],
    create: bool,
) -> Result<(), BackendError> {
    let mut connection = Lent::from(pool).await.map_err(|error| operation.error(error))?;
    let ensured = ensure(operation, &mut connection, tables, create).await;
    connection.finish(ensured).await
}

async fn ensure<D: Dialect>(
    operation: &Operation<'_, D>,
    connection: &mut Connection<D>,
    tables: &[Table],
    create: bool,
) -> Result<(), BackendError> {
    let mut race = Race::default();
    loop {
        let missing = missing(operation, connection, tables).await?;
        if missing.is_empty() {
            return Ok(());
        }
        if !create {
            let names: Vec<String> = missing.iter().map(|table| format!("`{}`", table.name)).collect();
            let message = format!(
                "missing: {}; creating tables is switched off, so create what `ddl()` prints, or switch it on",
                names.join(", ")
            );
            return Err(operation.fail(BackendErrorKind::Schema, message));
        }
        let ddl = missing.into_iter().flat_map(Table::ddl::<D>).collect();
        match D::create(connection, ddl).await {
            Ok(()) => return Ok(()),
            // Another has created them meanwhile, or is about to.
            Err(error) if race.lost::<D>(&error).await => {}
            Err(error) => return Err(operation.error(error)),
        }
    }
}

/// The tables that are not there. Those that are have their columns.
async fn missing<'a, D: Dialect>(
    operation: &Operation<'_, D>,
    connection: &mut Connection<D>,
    tables: &'a [Table],
) -> Result<Vec<&'a Table>, BackendError> {
    let mut missing = Vec::new();
    for table in tables {
        let columns = D::columns_of(table.schema.as_deref(), &table.name);
        let rows = operation.rows(connection, columns).await?;
        if rows.is_empty() {
            missing.push(table);
            continue;
        }
        let found: Result<Vec<&str>, String> = rows.iter().map(|row| row.text(0)).collect();
        let found = found.map_err(|problem| operation.corrupt("the list of columns", problem))?;
        let lacking: Vec<&str> =
            table.columns.iter().map(|column| column.name).filter(|name| !found.contains(name)).collect();
        if !lacking.is_empty() {
            let message = format!(
                "the table `{}` has another shape, it lacks {}: it is not ours, or of another release; \
                 choose another table prefix or the release that made it",
                table.name,
                lacking.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            );
            return Err(operation.fail(BackendErrorKind::Schema, message));
        }
    }
    Ok(missing)
}
