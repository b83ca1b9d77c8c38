//! The writes of the store as one statement each, for databases that can say so much at once: an
//! upsert that returns its row, and statements that write within others. Such a statement is atomic by
//! itself, needs one message, and leaves no transaction open when its process freezes.

use flamingock_core::audit::{
    Append, AuditEntry, ChainHash, Execution, FORMAT, Field, FieldKind, Head, Office, Value,
};
use flamingock_core::lock::{FencingToken, Holder, LockRequest};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_sql::{ColumnKind, Connection, Operation};

use crate::audit::{check_places, out_of_office};
use crate::lock::{Stored, expiry, free};
use crate::{SqlAuditStore, StoreDialect, head, schema};

impl<D: StoreDialect> SqlAuditStore<D> {
    /// Puts a run in office.
    pub(crate) async fn office_at_once(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Head, BackendError> {
        let sql = if D::SCRIPTS {
            self.office_script(operation, history, lease, execution)?
        } else {
            self.office_statement(operation, history, lease, execution)?
        };
        let mut rows = operation.rows_alone(connection, &sql).await?;
        if rows.is_empty() {
            // A newer release wrote it: reading it says so.
            rows = operation.rows(connection, self.select_head(operation, history)?).await?;
        }
        let row = rows.first().ok_or_else(|| {
            operation.fail(BackendErrorKind::Unavailable, "the head was removed at this very moment")
        })?;
        Self::read_head(operation, history, row)
    }

    fn office_statement(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<String, BackendError> {
        let [token, owner, run, format] = ["token", "owner", "execution_id", "format"].map(D::quote_name);
        let columns = head::COLUMNS.map(D::quote_name).join(", ");
        let number = operation.number(lease.0)?;
        Ok(format!(
            "INSERT INTO {heads} AS h ({service}, {tenant}, {columns}) \
             VALUES ({}, {}, {FORMAT}, {number} + 1, {}, {}, 0, {}, '[]', NULL) \
             ON CONFLICT ({service}, {tenant}) DO UPDATE SET {token} = GREATEST(h.{token}, {number}) + 1, \
             {owner} = EXCLUDED.{owner}, {run} = EXCLUDED.{run} WHERE h.{format} <= {FORMAT} \
             RETURNING {columns}",
            operation.text(&history.service)?,
            operation.text(&history.tenant)?,
            operation.text(&execution.owner)?,
            operation.text(&execution.id)?,
            operation.text(&ChainHash::GENESIS.to_string())?,
            heads = self.table("heads"),
            service = D::quote_name("service"),
            tenant = D::quote_name("tenant"),
        ))
    }

    /// Changes the head and inserts the entries, or does nothing.
    pub(crate) async fn append_at_once(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        office: &Office,
        append: &Append<'_>,
    ) -> Result<(), BackendError> {
        let sql = match self.append_statement(operation, office, append) {
            Ok(sql) => sql,
            Err(error) => {
                // Who is out of office hears that first, whatever it wanted to record.
                let of = Self::in_office(operation, office, append.expected)?;
                let stands = format!("SELECT 1 FROM {} WHERE {of}", self.table("heads"));
                let stands = operation.rows(connection, stands).await?;
                return Err(if stands.is_empty() { out_of_office(operation) } else { error });
            }
        };
        let written = operation.execute_alone(connection, &sql).await?;
        let entries = append.entries.len() as u64;
        // A single statement counts what it wrote last: the head where there are no entries.
        let all = if D::SCRIPTS { entries + 1 } else { entries.max(1) };
        if written == all { Ok(()) } else { Err(out_of_office(operation)) }
    }

    fn append_statement(
        &self,
        operation: &Operation<'_, D>,
        office: &Office,
        append: &Append<'_>,
    ) -> Result<String, BackendError> {
        check_places(operation, office, append)?;
        if D::SCRIPTS {
            return self.append_script(operation, office, append);
        }
        let update = self.update_head(operation, office, append)?;
        if append.entries.is_empty() {
            return Ok(update);
        }
        let columns = schema::entries(None, &self.prefix).column_names::<D>();
        let rows: Result<Vec<String>, _> =
            append.entries.iter().map(|entry| typed_values(operation, entry)).collect();
        Ok(format!(
            "WITH head AS ({update} RETURNING 1) INSERT INTO {} ({columns}) \
             SELECT entry.* FROM head, (VALUES {}) AS entry",
            self.table("entries"),
            rows?.join(", "),
        ))
    }

    /// Takes the lock if it is free, expired, or the contender's already; its token then.
    pub(crate) async fn acquire_at_once(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        request: &LockRequest,
    ) -> Result<Option<FencingToken>, BackendError> {
        let sql = if D::SCRIPTS {
            self.acquire_script(operation, request)?
        } else {
            self.acquire_statement(operation, request)?
        };
        let rows = operation.rows_alone(connection, &sql).await?;
        let token = rows.first().map(|row| row.unsigned(0)).transpose();
        let corrupt = |problem| operation.corrupt(format_args!("the lock of {}", request.history), problem);
        Ok(token.map_err(corrupt)?.map(FencingToken))
    }

    fn acquire_statement(
        &self,
        operation: &Operation<'_, D>,
        request: &LockRequest,
    ) -> Result<String, BackendError> {
        let columns = ["service", "tenant", "owner", "execution_id", "token", "since", "expires_at"];
        let [service, tenant, owner, run, token, since, expires_at] = columns.map(D::quote_name);
        let (now, expiry) = (D::NOW, expiry::<D>(request.lease));
        let ours = format!("(l.{owner} = EXCLUDED.{owner} AND l.{run} = EXCLUDED.{run})");
        Ok(format!(
            "INSERT INTO {locks} AS l ({service}, {tenant}, {owner}, {run}, {token}, {since}, {expires_at}) \
             VALUES ({}, {}, {}, {}, 1, {now}, {expiry}) \
             ON CONFLICT ({service}, {tenant}) DO UPDATE SET \
             {owner} = EXCLUDED.{owner}, {run} = EXCLUDED.{run}, \
             {token} = CASE WHEN {ours} THEN l.{token} ELSE l.{token} + 1 END, \
             {since} = CASE WHEN {ours} THEN l.{since} ELSE {now} END, {expires_at} = {expiry} \
             WHERE {ours} OR l.{owner} IS NULL OR l.{expires_at} <= {now} RETURNING {token}",
            operation.text(&request.history.service)?,
            operation.text(&request.history.tenant)?,
            operation.text(&request.owner)?,
            operation.text(&request.execution)?,
            locks = self.table("locks"),
        ))
    }

    /// Frees the lock whoever holds it, and puts the run in office out of it.
    pub(crate) async fn break_at_once(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        history: &History,
    ) -> Result<Option<Holder>, BackendError> {
        let sql = if D::SCRIPTS {
            self.break_script(operation, history)?
        } else {
            self.break_statement(operation, history)?
        };
        let rows = operation.rows_alone(connection, &sql).await?;
        let corrupt = |problem| operation.corrupt(format_args!("the lock of {history}"), problem);
        let stored = rows.first().map(Stored::read).transpose().map_err(corrupt)?;
        Ok(stored.and_then(|stored| stored.holder()))
    }

    fn break_statement(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
    ) -> Result<String, BackendError> {
        let columns = ["owner", "execution_id", "token", "since", "expires_at"].map(D::quote_name);
        let [service, tenant, token] = ["service", "tenant", "token"].map(D::quote_name);
        let (locks, heads, of) = (self.table("locks"), self.table("heads"), operation.of(history)?);
        // `held` is locked before it is freed, since `freed` reads from it.
        Ok(format!(
            "WITH held AS (SELECT {service}, {tenant}, {all} FROM {locks} WHERE {of}{lock}), \
             freed AS (UPDATE {locks} AS l SET {free} FROM held \
             WHERE l.{service} = held.{service} AND l.{tenant} = held.{tenant} RETURNING {held}), \
             raised AS (UPDATE {heads} SET {token} = \
             GREATEST({token}, COALESCE((SELECT held.{token} FROM held), 0)) + 1 WHERE {of}) \
             SELECT {all}, {now} FROM freed",
            all = columns.join(", "),
            held = columns.each_ref().map(|column| format!("held.{column}")).join(", "),
            lock = D::FOR_UPDATE,
            free = free::<D>(),
            now = D::NOW,
        ))
    }
}

/// An entry as a row of literals, each of its column's type: where rows stand for themselves, the
/// database would take a NULL for text.
fn typed_values<D: StoreDialect>(
    operation: &Operation<'_, D>,
    entry: &AuditEntry,
) -> Result<String, BackendError> {
    let literal = |(value, field): (Value, &Field)| {
        Ok(match (value, field.kind) {
            (Value::Null, FieldKind::Text) => "NULL".to_owned(),
            (Value::Null, FieldKind::Integer) => {
                format!("CAST(NULL AS {})", D::column_type(ColumnKind::Integer))
            }
            (Value::Integer(number), _) => number.to_string(),
            (Value::Text(text), _) => operation.text(&text)?,
        })
    };
    let literals: Result<Vec<String>, BackendError> =
        entry.to_record().into_iter().zip(AuditEntry::FIELDS).map(literal).collect();
    Ok(format!("({})", literals?.join(", ")))
}
