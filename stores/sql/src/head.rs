use flamingock_core::audit::{ChainHash, Execution, FORMAT, Head, HeadChange, Verdict};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_sql::{Connection, Operation, Row};

use crate::{SqlAuditStore, StoreDialect};

/// The columns of a head, in the order of [`read`].
pub(crate) const COLUMNS: [&str; 8] =
    ["format", "token", "owner", "execution_id", "sequence", "hash", "digests", "verdict"];

impl<D: StoreDialect> SqlAuditStore<D> {
    /// The query for a history's head.
    pub(crate) fn select_head(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
    ) -> Result<String, BackendError> {
        let columns = COLUMNS.map(D::quote_name).join(", ");
        Ok(format!("SELECT {columns} FROM {} WHERE {}", self.table("heads"), operation.of(history)?))
    }

    /// The head in a row.
    pub(crate) fn read_head(
        operation: &Operation<'_, D>,
        history: &History,
        row: &Row,
    ) -> Result<Head, BackendError> {
        let corrupt = |problem| operation.corrupt(format_args!("the head of {history}"), problem);
        // Before anything else: what follows may mean something else in another format.
        let format = row.unsigned(0).map_err(corrupt)?;
        if format > u64::from(FORMAT) {
            return Err(newer_format(operation, format));
        }
        read(row, format).map_err(corrupt)
    }

    /// Puts a run in office, under a lock on the head.
    pub(crate) async fn write_office(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Head, BackendError> {
        let select = self.select_head(operation, history)? + D::FOR_UPDATE;
        let rows = operation.rows(connection, select).await?;
        let before = rows.first().map(|row| Self::read_head(operation, history, row)).transpose()?;
        let known = before.is_some();
        let mut head = before.unwrap_or_else(|| Head {
            format: FORMAT,
            token: FencingToken(0),
            owner: String::new(),
            execution: String::new(),
            sequence: 0,
            hash: ChainHash::GENESIS,
            digests: Vec::new(),
            verdict: None,
        });
        head.token = FencingToken(head.token.max(lease).0.saturating_add(1));
        head.owner.clone_from(&execution.owner);
        head.execution.clone_from(&execution.id);
        let sql = if known {
            format!(
                "UPDATE {} SET {} = {}, {} = {}, {} = {} WHERE {}",
                self.table("heads"),
                D::quote_name("token"),
                operation.number(head.token.0)?,
                D::quote_name("owner"),
                operation.text(&head.owner)?,
                D::quote_name("execution_id"),
                operation.text(&head.execution)?,
                operation.of(history)?,
            )
        } else {
            let columns = ["service", "tenant"].into_iter().chain(COLUMNS).map(D::quote_name);
            format!(
                "INSERT INTO {} ({}) VALUES ({}, {}, {FORMAT}, {}, {}, {}, 0, {}, '[]', NULL)",
                self.table("heads"),
                columns.collect::<Vec<_>>().join(", "),
                operation.text(&history.service)?,
                operation.text(&history.tenant)?,
                operation.number(head.token.0)?,
                operation.text(&head.owner)?,
                operation.text(&head.execution)?,
                operation.text(&head.hash.to_string())?,
            )
        };
        operation.execute(connection, sql).await?;
        Ok(head)
    }

    /// What an append assigns in the head.
    pub(crate) fn head_assignments(
        operation: &Operation<'_, D>,
        head: &HeadChange,
    ) -> Result<String, BackendError> {
        let unwritable = |error: serde_json::Error| {
            operation.fail(BackendErrorKind::InvalidData, format!("the head cannot be written: {error}"))
        };
        let verdict = match &head.verdict {
            Some(verdict) => operation.text(&serde_json::to_string(verdict).map_err(unwritable)?)?,
            None => "NULL".to_owned(),
        };
        Ok(format!(
            "{} = {FORMAT}, {} = {}, {} = {}, {} = {}, {} = {verdict}",
            D::quote_name("format"),
            D::quote_name("sequence"),
            operation.number(head.sequence)?,
            D::quote_name("hash"),
            operation.text(&head.hash.to_string())?,
            D::quote_name("digests"),
            operation.text(&serde_json::to_string(&head.digests).map_err(unwritable)?)?,
            D::quote_name("verdict"),
        ))
    }

    /// Refuses a store that a newer release wrote.
    pub(crate) async fn check_format(&self, operation: &Operation<'_, D>) -> Result<(), BackendError> {
        let mut connection = self.connection(operation).await?;
        let sql = format!(
            "SELECT {format} FROM {} WHERE {format} > {FORMAT}",
            self.table("heads"),
            format = D::quote_name("format")
        );
        let newer = operation.rows(&mut connection, sql).await;
        let newer = connection.finish(newer).await?;
        let Some(row) = newer.first() else { return Ok(()) };
        let format = row.unsigned(0).map_err(|problem| operation.corrupt("a head", problem))?;
        Err(newer_format(operation, format))
    }
}

pub(crate) fn newer_format<D: StoreDialect>(operation: &Operation<'_, D>, format: u64) -> BackendError {
    let message = format!("the audit has format {format}, this release knows up to {FORMAT}");
    operation.fail(BackendErrorKind::NewerFormat, message)
}

fn read(row: &Row, format: u64) -> Result<Head, String> {
    let verdict = row.optional_text(7)?.map(serde_json::from_str::<Verdict>).transpose();
    Ok(Head {
        format: u32::try_from(format).map_err(|error| error.to_string())?,
        token: FencingToken(row.unsigned(1)?),
        owner: row.text(2)?.to_owned(),
        execution: row.text(3)?.to_owned(),
        sequence: row.unsigned(4)?,
        hash: row.text(5)?.parse()?,
        digests: serde_json::from_str(row.text(6)?).map_err(|error| format!("digests: {error}"))?,
        verdict: verdict.map_err(|error| format!("verdict: {error}"))?,
    })
}
