use async_trait::async_trait;
use flamingock_core::audit::{
    Append, AuditEntry, AuditStore, EntryFilter, Execution, FORMAT, Head, Office, Value,
};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_sql::{Connection, Operation, PATIENCE, Row};
use sqlx::Connection as _;

use crate::head::newer_format;
use crate::{SqlAuditStore, StoreDialect, schema};

/// Entries per page when nobody asks for another number.
const PAGE: usize = 1000;

/// Entries per `INSERT`, so that no statement grows without bound.
const ROWS_PER_INSERT: usize = 200;

#[async_trait]
impl<D: StoreDialect> AuditStore for SqlAuditStore<D> {
    fn kind(&self) -> &str {
        D::KIND
    }

    fn address(&self) -> String {
        D::address(&self.options)
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        self.set_up().await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        let operation = self.operation("read head");
        let select = self.select_head(&operation, history)?;
        let mut rows = None;
        // The one read of a start with nothing to do: a pool that tests its connections would make it two. What fails
        // there is asked again, over a tested one.
        if let Some(mut connection) = self.untested_connection(&operation)? {
            let read = operation.rows_if_table(&mut connection, select.clone());
            if let Ok(read) = tokio::time::timeout(PATIENCE, read).await {
                rows = connection.finish(read).await.ok();
            }
        }
        let rows = match rows {
            Some(rows) => rows,
            None => {
                let mut connection = self.connection(&operation).await?;
                let read = operation.rows_if_table(&mut connection, select).await;
                connection.finish(read).await?
            }
        };
        rows.iter().flatten().next().map(|row| Self::read_head(&operation, history, row)).transpose()
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        let operation = self.operation("list histories");
        let (service, tenant) = (D::quote_name("service"), D::quote_name("tenant"));
        let sql = format!("SELECT {service}, {tenant} FROM {}", self.table("heads"));
        let mut connection = self.connection(&operation).await?;
        let rows = operation.rows_if_table(&mut connection, sql).await;
        let rows = connection.finish(rows).await?.unwrap_or_default();
        let read = |row: &Row| Ok(History::new(row.text(0)?).tenant(row.text(1)?));
        let histories: Result<Vec<History>, String> = rows.iter().map(read).collect();
        let mut histories =
            histories.map_err(|problem| operation.corrupt("the list of histories", problem))?;
        // Sorted here: a database sorts by its own collation.
        histories.sort_unstable();
        Ok(histories)
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let operation = self.operation("take office");
        let mut connection = self.connection(&operation).await?;
        let taken = async {
            if D::AT_ONCE {
                return self.office_at_once(&operation, &mut connection, history, lease, execution).await;
            }
            let mut transaction =
                connection.begin_with(D::BEGIN).await.map_err(|error| operation.error(error))?;
            let head = self.write_office(&operation, &mut transaction, history, lease, execution).await?;
            transaction.commit().await.map_err(|error| operation.error(error))?;
            Ok(head)
        };
        let taken = taken.await;
        let head = connection.finish(taken).await?;
        let execution = execution.clone();
        Ok(Office { history: history.clone(), execution, token: head.token, head })
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let operation = self.operation("append");
        let mut connection = self.connection(&operation).await?;
        let appended = if D::AT_ONCE {
            self.append_at_once(&operation, &mut connection, office, append).await
        } else {
            let update = self.update_head(&operation, office, append)?;
            let inserts = self.inserts(&operation, office, append);
            write(&operation, &mut connection, update, inserts).await
        };
        connection.finish(appended).await
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.operation("read latest entries");
        let (sequence, change) = (D::quote_name("sequence"), D::quote_name("change_id"));
        let (table, of) = (self.table("entries"), operation.of(history)?);
        // The inner query reads only the index.
        let filter = format!(
            "{of} AND {sequence} IN (SELECT MAX({sequence}) FROM {table} WHERE {of} AND {change} <> '' \
             GROUP BY {change}) ORDER BY {sequence}"
        );
        self.select_entries(&operation, history, &filter).await
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.operation("read entries");
        let sequence = D::quote_name("sequence");
        let mut sql =
            format!("{} AND {sequence} > {}", operation.of(history)?, operation.number(filter.after)?);
        if let Some(change) = &filter.change {
            sql += &format!(" AND {} = {}", D::quote_name("change_id"), operation.text(change)?);
        }
        if let Some(state) = filter.state {
            sql += &format!(" AND {} = {}", D::quote_name("state"), operation.text(state.as_str())?);
        }
        if let Some(since) = filter.since {
            sql += &format!(" AND {} >= {}", D::quote_name("recorded_at"), since.as_microsecond());
        }
        let limit = if filter.limit == 0 { PAGE } else { filter.limit };
        sql += &format!(" ORDER BY {sequence} LIMIT {limit}");
        self.select_entries(&operation, history, &sql).await
    }
}

/// Changes the head and inserts the entries, or does nothing.
async fn write<D: StoreDialect>(
    operation: &Operation<'_, D>,
    connection: &mut Connection<D>,
    update: String,
    inserts: Result<Vec<String>, BackendError>,
) -> Result<(), BackendError> {
    let mut transaction = connection.begin_with(D::BEGIN).await.map_err(|error| operation.error(error))?;
    if operation.execute(&mut transaction, update).await? != 1 {
        return Err(out_of_office(operation));
    }
    // Who is out of office hears that first, whatever it wanted to record.
    for insert in inserts? {
        operation.execute(&mut transaction, insert).await?;
    }
    transaction.commit().await.map_err(|error| operation.error(error))
}

pub(crate) fn out_of_office<D: StoreDialect>(operation: &Operation<'_, D>) -> BackendError {
    let message = "a newer run is in office, or the audit has moved on: this run may record nothing more";
    operation.fail(BackendErrorKind::LeaseLost, message)
}

impl<D: StoreDialect> SqlAuditStore<D> {
    /// Changes the head of those who are in office at the expected sequence; of others no row.
    pub(crate) fn update_head(
        &self,
        operation: &Operation<'_, D>,
        office: &Office,
        append: &Append<'_>,
    ) -> Result<String, BackendError> {
        Ok(format!(
            "UPDATE {} SET {} WHERE {}",
            self.table("heads"),
            Self::head_assignments(operation, &append.head)?,
            Self::in_office(operation, office, append.expected)?,
        ))
    }

    /// The condition that an office stands, and the head at the expected sequence.
    pub(crate) fn in_office(
        operation: &Operation<'_, D>,
        office: &Office,
        expected: u64,
    ) -> Result<String, BackendError> {
        Ok(format!(
            "{} AND {} = {} AND {} = {} AND {} = {}",
            operation.of(&office.history)?,
            D::quote_name("token"),
            operation.number(office.token.0)?,
            D::quote_name("execution_id"),
            operation.text(&office.execution.id)?,
            D::quote_name("sequence"),
            operation.number(expected)?,
        ))
    }

    fn inserts(
        &self,
        operation: &Operation<'_, D>,
        office: &Office,
        append: &Append<'_>,
    ) -> Result<Vec<String>, BackendError> {
        check_places(operation, office, append)?;
        let columns = schema::entries(None, &self.prefix).column_names::<D>();
        let start = format!("INSERT INTO {} ({columns}) VALUES ", self.table("entries"));
        let insert = |entries: &[AuditEntry]| {
            let rows: Result<Vec<String>, _> =
                entries.iter().map(|entry| Ok(format!("({})", values(operation, entry)?))).collect();
            Ok(start.clone() + &rows?.join(", "))
        };
        append.entries.chunks(ROWS_PER_INSERT).map(insert).collect()
    }

    async fn select_entries(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
        filter: &str,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let columns = schema::entries(None, &self.prefix).column_names::<D>();
        let sql = format!("SELECT {columns} FROM {} WHERE {filter}", self.table("entries"));
        let mut connection = self.connection(operation).await?;
        // Before the first run there are no tables, and no entries.
        let rows = operation.rows_if_table(&mut connection, sql).await;
        let rows = connection.finish(rows).await?.unwrap_or_default();
        rows.into_iter().map(|row| read_entry(operation, history, row)).collect()
    }
}

/// That the entries are those that follow.
pub(crate) fn check_places<D: StoreDialect>(
    operation: &Operation<'_, D>,
    office: &Office,
    append: &Append<'_>,
) -> Result<(), BackendError> {
    let misplaced = append.entries.iter().zip(append.expected + 1..).find(|(entry, sequence)| {
        entry.sequence != *sequence
            || entry.service != office.history.service
            || entry.tenant != office.history.tenant
    });
    let last = append.expected + append.entries.len() as u64;
    if misplaced.is_some() || append.head.sequence != last {
        let message = "the entries do not follow the expected sequence, or are another history's";
        return Err(operation.fail(BackendErrorKind::InvalidData, message));
    }
    Ok(())
}

/// An entry as a list of literals.
pub(crate) fn values<D: StoreDialect>(
    operation: &Operation<'_, D>,
    entry: &AuditEntry,
) -> Result<String, BackendError> {
    let literal = |value: Value| match value {
        Value::Null => Ok("NULL".to_owned()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Text(text) => operation.text(&text),
    };
    let literals: Result<Vec<String>, _> = entry.to_record().into_iter().map(literal).collect();
    Ok(literals?.join(", "))
}

pub(crate) fn read_entry<D: StoreDialect>(
    operation: &Operation<'_, D>,
    history: &History,
    row: Row,
) -> Result<AuditEntry, BackendError> {
    // `format` and `sequence` are the first fields of every format.
    let sequence = row.integer(1).map_or_else(|_| "?".to_owned(), |sequence| sequence.to_string());
    if let Ok(format) = row.unsigned(0)
        && format > u64::from(FORMAT)
    {
        return Err(newer_format(operation, format).context("sequence", sequence));
    }
    row.values().and_then(AuditEntry::from_record).map_err(|problem| {
        operation
            .corrupt(format_args!("entry {sequence} of {history}"), problem)
            .context("sequence", sequence)
    })
}
