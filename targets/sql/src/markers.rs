use std::collections::BTreeSet;

use async_trait::async_trait;
use flamingock_core::target::{Fence, FenceRaised, Marker, MarkerState, Markers, Survey};
use flamingock_core::{BackendError, History};
use flamingock_sql::{Connection, Operation, ensure_tables};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::{SqlTarget, TargetDialect};

/// Ids per query of a survey, so that no statement grows without bound.
const IDS_PER_QUERY: usize = 500;

#[async_trait]
impl<D: TargetDialect> Markers for SqlTarget<D> {
    async fn raise_fence(&self, fence: &Fence) -> Result<FenceRaised, BackendError> {
        let operation = self.operation("raise fence");
        let connections = self.connections(&operation)?;
        let raised = async {
            ensure_tables(&operation, &connections, &self.rows.tables(), self.create_tables).await?;
            let mut connection = connections.acquire().await.map_err(|error| operation.error(error))?;
            self.raise(&operation, &mut connection, fence).await
        };
        let raised = raised.await;
        connections.close().await;
        raised
    }

    async fn marker(&self, history: &History, change: &str) -> Result<Option<Marker>, BackendError> {
        let operation = self.operation("read marker");
        let connections = self.connections(&operation)?;
        let found = async {
            let mut connection = connections.acquire().await.map_err(|error| operation.error(error))?;
            // Waits for whoever is still committing. Nothing is written; dropping it rolls back.
            let mut transaction =
                connection.begin_with(self.begin_look()).await.map_err(|error| operation.error(error))?;
            let stands = self.rows.lock_fence(&operation, &mut transaction, &self.pool, history).await?;
            if stands.is_none() {
                // Nobody to wait for. And where a table is missing, the transaction may be of no more use.
                transaction.rollback().await.map_err(|error| operation.error(error))?;
                return self.rows.read_marker(&operation, &mut connection, history, change).await;
            }
            self.rows.read_marker(&operation, &mut transaction, history, change).await
        };
        let found = found.await;
        connections.close().await;
        found
    }

    async fn survey(&self, history: &History, ids: &[&str]) -> Result<Survey, BackendError> {
        let operation = self.operation("survey markers");
        let connections = self.connections(&operation)?;
        let surveyed = async {
            let mut connection = connections.acquire().await.map_err(|error| operation.error(error))?;
            self.count(&operation, &mut connection, history, ids).await
        };
        let surveyed = surveyed.await;
        connections.close().await;
        surveyed
    }

    async fn end_session(&self, session: &str) -> Result<(), BackendError> {
        D::end_session(&self.operation("end session"), &self.pool, session).await
    }
}

impl<D: TargetDialect> SqlTarget<D> {
    fn begin_look(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(D::begin_look(&self.limits))
    }

    async fn raise(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        fence: &Fence,
    ) -> Result<FenceRaised, BackendError> {
        let mut transaction =
            connection.begin_with(self.begin_look()).await.map_err(|error| operation.error(error))?;
        let (rows, history) = (&self.rows, &fence.history);
        let mut stands = rows.lock_fence(operation, &mut transaction, &self.pool, history).await?;
        if stands.is_none() {
            // So that those who raise the first one at once wait for each other, too. Not in this
            // transaction: on MySQL it has locked the place of the row that is missing, and so has theirs.
            transaction.rollback().await.map_err(|error| operation.error(error))?;
            operation.execute_alone(connection, &rows.first_fence(operation, history)?).await?;
            transaction =
                connection.begin_with(self.begin_look()).await.map_err(|error| operation.error(error))?;
            stands = rows.lock_fence(operation, &mut transaction, &self.pool, history).await?;
        }
        match &stands {
            Some(stands) if stands == fence => return Ok(FenceRaised::Raised),
            Some(stands) if stands.token >= fence.token => return Ok(FenceRaised::Newer(stands.token)),
            _ => {}
        }
        let sql = rows.write_fence(operation, fence)?;
        operation.execute(&mut transaction, sql).await?;
        transaction.commit().await.map_err(|error| operation.error(error))?;
        Ok(FenceRaised::Raised)
    }

    async fn count(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        history: &History,
        ids: &[&str],
    ) -> Result<Survey, BackendError> {
        let markers = self.rows.markers::<D>();
        let done = format!("{} = {}", D::quote_name("state"), operation.text(MarkerState::Done.as_str())?);
        let sql = format!("SELECT COUNT(*) FROM {markers} WHERE {} AND {done}", operation.of(history)?);
        let Some(rows) = operation.rows_if_table(connection, sql).await? else {
            return Ok(Survey::default());
        };
        let corrupt = |problem| operation.corrupt("a marker", problem);
        let done_here = rows.first().map_or(Ok(0), |row| row.unsigned(0)).map_err(corrupt)?;
        let mut others = BTreeSet::new();
        let (service, change) = (D::quote_name("service"), D::quote_name("change_id"));
        for ids in ids.chunks(IDS_PER_QUERY) {
            let ids: Result<Vec<String>, _> = ids.iter().map(|id| operation.text(id)).collect();
            let sql = format!(
                "SELECT DISTINCT {service} FROM {markers} WHERE {service} <> {} AND {done} AND {change} IN ({})",
                operation.text(&history.service)?,
                ids?.join(", "),
            );
            for row in operation.rows(connection, sql).await? {
                others.insert(row.text(0).map_err(corrupt)?.to_owned());
            }
        }
        Ok(Survey { done: done_here, other_services: others.into_iter().collect() })
    }
}
