use std::any::{Any, TypeId};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{Begun, Fence, MarkerState, MarkerUpdate, Session};
use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Connection, Dialect, Operation, Options};
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{Database, Pool, Transaction};

use crate::TargetDialect;
use crate::rows::Rows;

/// The connection of a session, as its mode wants it.
pub(crate) enum Held<D: TargetDialect> {
    Transaction(Transaction<'static, D::Database>),
    Plain(PoolConnection<D::Database>),
}

impl<D: TargetDialect> Held<D> {
    pub(crate) fn connection(&mut self) -> &mut Connection<D> {
        match self {
            Self::Transaction(transaction) => transaction,
            Self::Plain(connection) => connection,
        }
    }
}

/// A pool of one connection, closed when it is dropped: else it would wait for what a connection that is
/// given back is doing, to see whether that is still good.
pub(crate) struct OneConnection<DB: Database> {
    pool: Pool<DB>,
    /// Whether the connection that was last taken is one that was given back. Else it is another.
    given_back: Arc<AtomicBool>,
}

impl<DB: Database> OneConnection<DB> {
    pub(crate) fn new<D: TargetDialect<Database = DB>>(pool: PoolOptions<DB>, options: Options<D>) -> Self {
        let given_back = Arc::new(AtomicBool::new(false));
        let taken = Arc::clone(&given_back);
        let pool = pool
            .min_connections(0)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .before_acquire(move |_, _| {
                taken.store(true, Ordering::Release);
                Box::pin(async { Ok(true) })
            })
            .after_release(|connection, _| Box::pin(D::is_untouched(connection)))
            .connect_lazy_with(options);
        Self { pool, given_back }
    }

    /// Whether the connection that was just taken from it is the one that was given back.
    pub(crate) fn is_the_same(&self) -> bool {
        self.given_back.swap(false, Ordering::AcqRel)
    }
}

impl<DB: Database> Deref for OneConnection<DB> {
    type Target = Pool<DB>;

    fn deref(&self) -> &Pool<DB> {
        &self.pool
    }
}

impl<DB: Database> Drop for OneConnection<DB> {
    fn drop(&mut self) {
        // Takes effect when it is called; to await it would wait for the connection.
        drop(self.pool.close());
    }
}

/// Where a session's connection comes from, and the watch on the one that was given back, where that is known.
pub(crate) type Kept<D> = (OneConnection<<D as Dialect>::Database>, Option<<D as TargetDialect>::Watch>);

/// Keeps the connection of a change that is applied for the next one.
pub(crate) struct Spare<D: TargetDialect>(Arc<Mutex<Option<Kept<D>>>>);

impl<D: TargetDialect> Spare<D> {
    pub(crate) fn take(&self) -> Option<Kept<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, connections: OneConnection<D::Database>, watch: &D::Watch) {
        let kept = Some((connections, D::watch_next(watch)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

impl<D: TargetDialect> Default for Spare<D> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<D: TargetDialect> Clone for Spare<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Said of a plain change that began a transaction.
const LEFT_OPEN: &str = "the change left a transaction open, and what it did in there is rolled back: end it with \
     COMMIT in the change, or declare the change without `transactional = false`";

/// A session on an SQL database. Its fields are dropped in this order: first of all stops what its
/// connection does.
pub(crate) struct SqlSession<D: TargetDialect> {
    pub(crate) watch: D::Watch,
    /// Where `held` came from.
    pub(crate) connections: OneConnection<D::Database>,
    pub(crate) held: Held<D>,
    pub(crate) spare: Spare<D>,
    /// The target's.
    pub(crate) pool: Pool<D::Database>,
    pub(crate) options: Arc<Options<D>>,
    pub(crate) rows: Rows,
    /// Under which the marker was written.
    pub(crate) fence: Option<Fence>,
}

#[async_trait]
impl<D: TargetDialect> Session for SqlSession<D> {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        if type_id == TypeId::of::<Connection<D>>() {
            return Some(self.held.connection());
        }
        match &mut self.held {
            Held::Transaction(transaction)
                if type_id == TypeId::of::<Transaction<'static, D::Database>>() =>
            {
                Some(transaction)
            }
            Held::Transaction(_) | Held::Plain(_) => None,
        }
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        let options = Arc::clone(&self.options);
        let operation = Operation::<D>::new("begin marker", &options);
        let Held::Transaction(connection) = &mut self.held else {
            return Err(operation.fail(BackendErrorKind::Misconfigured, "a plain session keeps no markers"));
        };
        let (stands, marker) = self
            .rows
            .lock_fence_and_read(&operation, connection, &self.pool, &fence.history, &update.change)
            .await?;
        if stands.as_ref() != Some(fence) {
            return Ok(Begun::Fenced(stands.map_or(FencingToken(0), |stands| stands.token)));
        }
        let is_known = marker.is_some();
        if let Some(marker) = marker.filter(|_| update.state == MarkerState::Begun)
            && marker.state == MarkerState::Done
            && marker.sequence > update.outranks
        {
            return Ok(Begun::Stands(marker));
        }
        let session = D::session_name(&self.watch);
        let sql = self.rows.write_marker(&operation, fence, update, session, is_known)?;
        operation.execute(connection, sql).await?;
        self.fence = Some(fence.clone());
        Ok(Begun::Written)
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        let options = Arc::clone(&self.options);
        let operation = Operation::<D>::new("finish marker", &options);
        let ended = || {
            let message = format!(
                "the change `{}` ended its own transaction, by COMMIT, ROLLBACK or a statement that implies one: \
                 leave that to the run, or declare the change with `transactional = false`",
                update.change
            );
            operation.fail(BackendErrorKind::Other, message)
        };
        let Some(fence) = self.fence.as_ref().filter(|_| !D::was_ended(&self.watch)) else {
            return Err(ended());
        };
        let connection = self.held.connection();
        if D::COMMITS_BY_ITSELF
            && self.rows.lock_fence(&operation, connection, &self.pool, &fence.history).await?.as_ref()
                != Some(fence)
        {
            let message =
                "a newer run has raised the fence, after something in the change committed by itself";
            return Err(operation.fail(BackendErrorKind::LeaseLost, message));
        }
        let sql = self.rows.finish_marker(&operation, fence, update)?;
        match operation.execute(connection, sql).await? {
            1 => Ok(()),
            _ => Err(ended()),
        }
    }

    async fn commit(self: Box<Self>) -> Result<(), BackendError> {
        let Self { watch, connections, held, spare, options, .. } = *self;
        if !D::KEEPS_CONNECTIONS {
            // What is given back is closed from here on, without a test whether it is still good.
            drop(connections.close());
        }
        let operation = Operation::<D>::new("commit", &options);
        let committed = match held {
            Held::Transaction(transaction) => {
                D::permit_commit(&watch);
                transaction.commit().await.map_err(|error| operation.error(error))
            }
            Held::Plain(mut connection) => match D::is_in_transaction(&mut connection).await {
                Ok(false) => Ok(()),
                Ok(true) => {
                    let _ = D::execute(&mut connection, "ROLLBACK".to_owned()).await;
                    Err(operation.fail(BackendErrorKind::Other, LEFT_OPEN))
                }
                Err(error) => Err(operation.error(error)),
            },
        };
        match committed {
            Ok(()) if D::KEEPS_CONNECTIONS => spare.keep(connections, &watch),
            _ => connections.close().await,
        }
        committed
    }

    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        let Self { held, watch, connections, options, .. } = *self;
        if D::was_ended(&watch) {
            // What the change itself failed with may not say it: SQLite's word is `constraint failed`.
            tracing::warn!(
                database = D::address(&options),
                "a change's transaction was ended from inside: by a COMMIT or ROLLBACK in the change, \
                 or by an error on which the database rolls back"
            );
        }
        let closing = connections.close();
        let rolled_back = match held {
            Held::Transaction(transaction) => transaction.rollback().await,
            Held::Plain(connection) => {
                drop(connection);
                Ok(())
            }
        };
        closing.await;
        match rolled_back {
            // A transaction that the change ended itself cannot be rolled back: it is gone all the same.
            Err(error) if !D::CLOSE_ENDS_SESSIONS => {
                Err(Operation::<D>::new("rollback", &options).error(error))
            }
            _ => Ok(()),
        }
    }

    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        let Self { held, watch, connections, pool, options, .. } = *self;
        let operation = Operation::<D>::new("abort", &options);
        let interrupted = D::interrupt(&operation, &pool, &watch).await;
        drop(held);
        connections.close().await;
        interrupted.and(D::gone(&operation, &pool, &watch).await)
    }
}
