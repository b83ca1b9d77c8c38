//! The writes of the store as scripts, for databases whose statements cannot say so much at once: a
//! transaction of several statements, sent as one message. The server carries it through whatever becomes
//! of its sender, so a process that freezes leaves no transaction open.

use flamingock_core::audit::{Append, AuditEntry, ChainHash, Execution, FORMAT, Office};
use flamingock_core::lock::{FencingToken, LockRequest};
use flamingock_core::{BackendError, History};
use flamingock_sql::Operation;

use crate::audit::values;
use crate::lock::{expiry, free};
use crate::{SqlAuditStore, StoreDialect, head, schema};

/// The statements as one transaction. What a script that failed in the middle has left open on the
/// connection is rolled back first: to begin another would commit it.
fn script<D: StoreDialect>(statements: &[String]) -> String {
    format!("ROLLBACK; {}; {}; COMMIT", D::BEGIN, statements.join("; "))
}

/// A condition that compares byte by byte, trailing spaces included, where a column does not.
fn is(column: &str, literal: &str) -> String {
    format!("{column} = CAST({literal} AS BINARY)")
}

impl<D: StoreDialect> SqlAuditStore<D> {
    /// Puts a run in office, and gives the head, unless a newer release wrote it: then as it was.
    pub(crate) fn office_script(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<String, BackendError> {
        let [token, owner, run, format] = ["token", "owner", "execution_id", "format"].map(D::quote_name);
        let columns = head::COLUMNS.map(D::quote_name).join(", ");
        let [service, tenant] = ["service", "tenant"].map(D::quote_name);
        let (heads, number) = (self.table("heads"), operation.number(lease.0)?);
        let first = format!(
            "INSERT INTO {heads} ({service}, {tenant}, {columns}) \
             VALUES ({}, {}, {FORMAT}, 0, '', '', 0, {}, '[]', NULL){}",
            operation.text(&history.service)?,
            operation.text(&history.tenant)?,
            operation.text(&ChainHash::GENESIS.to_string())?,
            D::OR_LEAVE,
        );
        let of = operation.of(history)?;
        let update = format!(
            "UPDATE {heads} SET {token} = GREATEST({token}, {number}) + 1, {owner} = {}, {run} = {} \
             WHERE {of} AND {format} <= {FORMAT}",
            operation.text(&execution.owner)?,
            operation.text(&execution.id)?,
        );
        Ok(script::<D>(&[first, update, format!("SELECT {columns} FROM {heads} WHERE {of}")]))
    }

    /// Inserts the entries and changes the head, or does nothing. Of those in office the number of rows
    /// is that of the entries, and one.
    pub(crate) fn append_script(
        &self,
        operation: &Operation<'_, D>,
        office: &Office,
        append: &Append<'_>,
    ) -> Result<String, BackendError> {
        let columns = schema::entries(None, &self.prefix).column_names::<D>();
        let (entries, heads) = (self.table("entries"), self.table("heads"));
        let of = Self::in_office(operation, office, append.expected)?;
        let insert = |entry: &AuditEntry| {
            let (values, lock) = (values(operation, entry)?, D::FOR_UPDATE);
            Ok(format!("INSERT INTO {entries} ({columns}) SELECT {values} FROM {heads} WHERE {of}{lock}"))
        };
        let mut statements: Vec<String> =
            append.entries.iter().map(insert).collect::<Result<_, BackendError>>()?;
        statements.push(self.update_head(operation, office, append)?);
        Ok(script::<D>(&statements))
    }

    /// Takes the lock if it is free, expired, or the contender's already; gives its token then.
    pub(crate) fn acquire_script(
        &self,
        operation: &Operation<'_, D>,
        request: &LockRequest,
    ) -> Result<String, BackendError> {
        let columns = ["service", "tenant", "owner", "execution_id", "token", "since", "expires_at"];
        let [service, tenant, owner, run, token, since, expires_at] = columns.map(D::quote_name);
        let (locks, of, now) = (self.table("locks"), operation.of(&request.history)?, D::NOW);
        let (own, own_run) = (operation.text(&request.owner)?, operation.text(&request.execution)?);
        let ours = format!("({} AND {})", is(&owner, &own), is(&run, &own_run));
        let first = format!(
            "INSERT INTO {locks} ({service}, {tenant}, {token}, {since}, {expires_at}) \
             VALUES ({}, {}, 0, 0, 0){}",
            operation.text(&request.history.service)?,
            operation.text(&request.history.tenant)?,
            D::OR_LEAVE,
        );
        // In this order: an assignment sees those before it.
        let update = format!(
            "UPDATE {locks} SET {since} = CASE WHEN {ours} THEN {since} ELSE {now} END, \
             {token} = CASE WHEN {ours} THEN {token} ELSE {token} + 1 END, {expires_at} = {}, \
             {owner} = {own}, {run} = {own_run} \
             WHERE {of} AND ({ours} OR {owner} IS NULL OR {expires_at} <= {now})",
            expiry::<D>(request.lease),
        );
        let taken = format!("SELECT {token} FROM {locks} WHERE {of} AND {ours}");
        Ok(script::<D>(&[first, update, taken]))
    }

    /// Frees the lock whoever holds it, puts the run in office out of it, and gives the lock as it was.
    pub(crate) fn break_script(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
    ) -> Result<String, BackendError> {
        let columns = ["owner", "execution_id", "token", "since", "expires_at"].map(D::quote_name).join(", ");
        let token = D::quote_name("token");
        let (locks, heads, of) = (self.table("locks"), self.table("heads"), operation.of(history)?);
        Ok(script::<D>(&[
            format!("SELECT {columns}, {} FROM {locks} WHERE {of}{}", D::NOW, D::FOR_UPDATE),
            format!("UPDATE {locks} SET {} WHERE {of}", free::<D>()),
            format!(
                "UPDATE {heads} SET {token} = \
                 GREATEST({token}, COALESCE((SELECT {token} FROM {locks} WHERE {of}), 0)) + 1 WHERE {of}"
            ),
        ]))
    }
}
