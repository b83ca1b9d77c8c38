use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_sql::{Connection, Operation, Row};
use sqlx::Connection as _;

use crate::{SqlAuditStore, StoreDialect};

/// A lock as it is stored, with the time at which it was read.
pub(crate) struct Stored {
    /// Who has it, and in which run; [`None`] when it is free.
    owner: Option<(String, String)>,
    token: FencingToken,
    since: i64,
    expires_at: i64,
    now: i64,
}

impl Stored {
    pub(crate) fn read(row: &Row) -> Result<Self, String> {
        let owner = row.optional_text(0)?.map(str::to_owned);
        let execution = row.optional_text(1)?.unwrap_or_default().to_owned();
        Ok(Self {
            owner: owner.map(|owner| (owner, execution)),
            token: FencingToken(row.unsigned(2)?),
            since: row.integer(3)?,
            expires_at: row.integer(4)?,
            now: row.integer(5)?,
        })
    }

    /// Who has it, the lease expired or not.
    pub(crate) fn holder(&self) -> Option<Holder> {
        let (owner, execution) = self.owner.clone()?;
        let remaining = u64::try_from(self.expires_at - self.now).unwrap_or_default();
        Some(Holder {
            owner,
            execution,
            token: self.token,
            since: jiff::Timestamp::from_microsecond(self.since).unwrap_or_default(),
            remaining: Some(Duration::from_micros(remaining)),
        })
    }

    fn is_live(&self) -> bool {
        self.expires_at > self.now
    }

    fn is_ours(&self, request: &LockRequest) -> bool {
        self.owner.as_ref().is_some_and(|(owner, run)| *owner == request.owner && *run == request.execution)
    }

    /// Who keeps `request` from having it.
    fn other(&self, request: &LockRequest) -> Option<Holder> {
        if self.is_ours(request) || !self.is_live() { None } else { self.holder() }
    }
}

#[async_trait]
impl<D: StoreDialect> LockStore for SqlAuditStore<D> {
    async fn initialize(&self) -> Result<(), BackendError> {
        self.set_up().await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let operation = self.operation("acquire lock");
        let mut connection = self.connection(&operation).await?;
        let acquired = async {
            // Those who wait only read: they are many, and must not be in the way of the one who works.
            let seen = self.read_lock(&operation, &mut connection, &request.history, "").await?;
            if let Some(holder) = seen.and_then(|stored| stored.other(request)) {
                return Ok(Acquisition::Held(holder));
            }
            if D::AT_ONCE {
                self.acquire_or_see(&operation, &mut connection, request).await
            } else {
                self.acquire(&operation, &mut connection, request).await
            }
        };
        let acquired = acquired.await;
        connection.finish(acquired).await
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("extend lock");
        let (expires_at, later) = (D::quote_name("expires_at"), expiry::<D>(lease.request.lease));
        // One that waited for the row brings an older time than the one after it: a lease gets no shorter. But
        // a time that no lease reaches is of a clock that was set back.
        let latest = expiry::<D>(lease.request.lease.saturating_mul(2));
        let sql = format!(
            "UPDATE {} SET {expires_at} = CASE WHEN {expires_at} > {later} AND {expires_at} < {latest} \
             THEN {expires_at} ELSE {later} END WHERE {}",
            self.table("locks"),
            Self::held_by(&operation, lease)?,
        );
        let mut connection = self.connection(&operation).await?;
        let extended = operation.execute_alone(&mut connection, &sql).await;
        if connection.finish(extended).await? == 1 {
            return Ok(());
        }
        let message = "somebody else took or broke the lock: this run stops";
        Err(operation.fail(BackendErrorKind::LeaseLost, message))
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("release lock");
        let sql = format!(
            "UPDATE {} SET {} WHERE {}",
            self.table("locks"),
            free::<D>(),
            Self::held_by(&operation, lease)?
        );
        let mut connection = self.connection(&operation).await?;
        let released = operation.execute_alone(&mut connection, &sql).await;
        connection.finish(released).await.map(drop)
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let operation = self.operation("inspect lock");
        let mut connection = self.connection(&operation).await?;
        let stored = self.read_lock(&operation, &mut connection, history, "").await;
        let stored = connection.finish(stored).await?;
        Ok(stored.filter(Stored::is_live).and_then(|stored| stored.holder()))
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let operation = self.operation("break lock");
        let mut connection = self.connection(&operation).await?;
        let broken = if D::AT_ONCE {
            self.break_at_once(&operation, &mut connection, history).await
        } else {
            self.take_away(&operation, &mut connection, history).await
        };
        connection.finish(broken).await
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        let operation = self.operation("connect");
        if let Some(problem) = self.problem() {
            return Err(operation.fail(BackendErrorKind::Misconfigured, problem));
        }
        let options = D::impatient(&self.options);
        // One connection, opened on this runtime, that nobody closes for being idle.
        let pool = self
            .pool
            .options()
            .clone()
            .min_connections(0)
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(|error| operation.error(error))?;
        let options = pool.connect_options();
        Ok(Arc::new(Self { pool, options, dedicated: true, ..self.clone() }))
    }
}

impl<D: StoreDialect> SqlAuditStore<D> {
    async fn read_lock(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        history: &History,
        locking: &str,
    ) -> Result<Option<Stored>, BackendError> {
        let columns = ["owner", "execution_id", "token", "since", "expires_at"].map(D::quote_name).join(", ");
        let (table, of) = (self.table("locks"), operation.of(history)?);
        let sql = format!("SELECT {columns}, {} FROM {table} WHERE {of}{locking}", D::NOW);
        let rows = operation.rows_if_table(connection, sql).await?;
        let corrupt = |problem| operation.corrupt(format_args!("the lock of {history}"), problem);
        rows.iter().flatten().next().map(Stored::read).transpose().map_err(corrupt)
    }

    /// Takes what is free, and sees who was faster.
    async fn acquire_or_see(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        request: &LockRequest,
    ) -> Result<Acquisition, BackendError> {
        // Who was faster may be gone again when one looks.
        for _ in 0..10 {
            if let Some(token) = self.acquire_at_once(operation, connection, request).await? {
                return Ok(Acquisition::Acquired(Lease { request: request.clone(), token }));
            }
            let seen = self.read_lock(operation, connection, &request.history, "").await?;
            if let Some(holder) = seen.and_then(|stored| stored.other(request)) {
                return Ok(Acquisition::Held(holder));
            }
        }
        let message = "others take the lock and give it back faster than can be seen: ask again";
        Err(operation.fail(BackendErrorKind::Unavailable, message))
    }

    /// Looks again under a lock to write, and takes what is free.
    async fn acquire(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        request: &LockRequest,
    ) -> Result<Acquisition, BackendError> {
        let mut transaction =
            connection.begin_with(D::BEGIN).await.map_err(|error| operation.error(error))?;
        let stored = self.read_lock(operation, &mut transaction, &request.history, D::FOR_UPDATE).await?;
        if let Some(holder) = stored.as_ref().and_then(|stored| stored.other(request)) {
            transaction.rollback().await.map_err(|error| operation.error(error))?;
            return Ok(Acquisition::Held(holder));
        }
        let (token, sql) = self.write_lock(operation, request, stored.as_ref())?;
        operation.execute(&mut transaction, sql).await?;
        transaction.commit().await.map_err(|error| operation.error(error))?;
        Ok(Acquisition::Acquired(Lease { request: request.clone(), token }))
    }

    fn write_lock(
        &self,
        operation: &Operation<'_, D>,
        request: &LockRequest,
        stored: Option<&Stored>,
    ) -> Result<(FencingToken, String), BackendError> {
        let table = self.table("locks");
        let of = operation.of(&request.history)?;
        let expires_at = expiry::<D>(request.lease);
        let owner = operation.text(&request.owner)?;
        let execution = operation.text(&request.execution)?;
        let name = D::quote_name;
        Ok(match stored {
            // Our own, asked for again.
            Some(stored) if stored.is_ours(request) => {
                (stored.token, format!("UPDATE {table} SET {} = {expires_at} WHERE {of}", name("expires_at")))
            }
            Some(stored) => {
                let token = FencingToken(stored.token.0.saturating_add(1));
                let sql = format!(
                    "UPDATE {table} SET {} = {owner}, {} = {execution}, {} = {}, {} = {}, {} = {expires_at} \
                     WHERE {of}",
                    name("owner"),
                    name("execution_id"),
                    name("token"),
                    operation.number(token.0)?,
                    name("since"),
                    D::NOW,
                    name("expires_at"),
                );
                (token, sql)
            }
            None => {
                let columns = ["service", "tenant", "owner", "execution_id", "token", "since", "expires_at"];
                let sql = format!(
                    "INSERT INTO {table} ({}) VALUES ({}, {}, {owner}, {execution}, 1, {}, {expires_at})",
                    columns.map(name).join(", "),
                    operation.text(&request.history.service)?,
                    operation.text(&request.history.tenant)?,
                    D::NOW,
                );
                (FencingToken(1), sql)
            }
        })
    }

    /// Frees the lock whoever holds it, and puts the run in office out of it.
    async fn take_away(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        history: &History,
    ) -> Result<Option<Holder>, BackendError> {
        let mut transaction =
            connection.begin_with(D::BEGIN).await.map_err(|error| operation.error(error))?;
        let stored = self.read_lock(operation, &mut transaction, history, D::FOR_UPDATE).await?;
        let of = operation.of(history)?;
        let free = format!("UPDATE {} SET {} WHERE {of}", self.table("locks"), free::<D>());
        operation.execute(&mut transaction, free).await?;
        let token = D::quote_name("token");
        let broken = operation.number(stored.as_ref().map_or(0, |stored| stored.token.0))?;
        let raise = format!(
            "UPDATE {} SET {token} = CASE WHEN {token} > {broken} THEN {token} ELSE {broken} END + 1 WHERE {of}",
            self.table("heads")
        );
        operation.execute(&mut transaction, raise).await?;
        transaction.commit().await.map_err(|error| operation.error(error))?;
        Ok(stored.and_then(|stored| stored.holder()))
    }

    /// The condition that a lease is still the one that holds the lock.
    fn held_by(operation: &Operation<'_, D>, lease: &Lease) -> Result<String, BackendError> {
        Ok(format!(
            "{} AND {} = {} AND {} = {} AND {} = {}",
            operation.of(&lease.request.history)?,
            D::quote_name("owner"),
            operation.text(&lease.request.owner)?,
            D::quote_name("execution_id"),
            operation.text(&lease.request.execution)?,
            D::quote_name("token"),
            operation.number(lease.token.0)?,
        ))
    }
}

/// The assignments that free a lock. The token stays.
pub(crate) fn free<D: StoreDialect>() -> String {
    let [owner, execution, expires_at] = ["owner", "execution_id", "expires_at"].map(D::quote_name);
    format!("{owner} = NULL, {execution} = NULL, {expires_at} = 0")
}

/// When a lease that starts now ends, by the database's clock.
pub(crate) fn expiry<D: StoreDialect>(lease: Duration) -> String {
    // A hundred years are as good as for ever, and leave room to add.
    let longest = Duration::from_secs(100 * 366 * 24 * 60 * 60);
    format!("{} + {}", D::NOW, lease.min(longest).as_micros())
}
