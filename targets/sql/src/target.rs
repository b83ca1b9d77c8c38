use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::change::Resources;
use flamingock_core::target::{Markers, Mode, Session, SessionType, TargetSystem};
use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Connection, Operation, Options, PATIENCE, Table, check_prefix, check_schema};
use sqlx::{AssertSqlSafe, Pool, Transaction};

use crate::rows::Rows;
use crate::session::{Held, Kept, OneConnection, Spare, SqlSession};
use crate::{Limits, TargetDialect};

/// How long a session waits for a lock unless told.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a transaction may stand still unless told: as long as a lease, so that a process that
/// froze in it is not in its successor's way.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A target system on an SQL database. Use it by the name of its database, such as
/// `SqliteTarget`.
pub struct SqlTarget<D: TargetDialect> {
    id: String,
    pub(crate) pool: Pool<D::Database>,
    pub(crate) options: Arc<Options<D>>,
    pub(crate) rows: Rows,
    pub(crate) create_tables: bool,
    pub(crate) limits: Limits,
    transactional: Resources,
    plain: Resources,
    spare: Spare<D>,
}

impl<D: TargetDialect> SqlTarget<D> {
    /// The target with this id, in the database that `pool` leads to.
    pub fn new(id: impl Into<String>, pool: Pool<D::Database>) -> Self {
        let options = pool.connect_options();
        let schema = D::schema(&options);
        let mut plain = Resources::new();
        // Not in a transaction: through the pool a change would get around it.
        plain.insert(pool.clone());
        Self {
            id: id.into(),
            pool,
            options,
            rows: Rows { schema, prefix: "flamingock_".to_owned() },
            create_tables: true,
            limits: Limits { lock_timeout: LOCK_TIMEOUT, idle_timeout: IDLE_TIMEOUT },
            transactional: Resources::new(),
            plain,
            spare: Spare::default(),
        }
    }

    /// Adds a dependency that this target's changes take as `&T`.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(self, dependency: T) -> Self {
        self.with_arc(Arc::new(dependency))
    }

    /// Adds a shared dependency that this target's changes take as `&T`; `T` may be a trait object.
    #[must_use]
    pub fn with_arc<T: ?Sized + Send + Sync + 'static>(mut self, dependency: Arc<T>) -> Self {
        self.transactional.insert_arc(Arc::clone(&dependency));
        self.plain.insert_arc(dependency);
        self
    }

    /// What the names of its tables begin with; `flamingock_` unless told. Letters, digits and
    /// underscores; anything else is refused before anything runs.
    #[must_use]
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.rows.prefix = prefix.into();
        self
    }

    /// Whether missing tables are created; yes unless told. If not, they are only checked, and the
    /// error names what is missing: [`ddl`](Self::ddl) creates it.
    #[must_use]
    pub fn create_tables(mut self, create: bool) -> Self {
        self.create_tables = create;
        self
    }

    /// How long a change waits for a lock of the database; 10 seconds unless told.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.limits.lock_timeout = timeout;
        self
    }

    /// The statements that create its tables, for those who create them by hand.
    pub fn ddl(&self) -> String {
        let statements: Vec<String> = self.rows.tables().iter().flat_map(Table::ddl::<D>).collect();
        statements.join(";\n") + ";\n"
    }

    pub(crate) fn operation(&self, name: &'static str) -> Operation<'_, D> {
        Operation::new(name, self.options.as_ref())
    }

    /// A pool of one connection, for one session, unless the target is set up in a way that cannot work.
    ///
    /// Only a pool hands out a transaction that owns its connection; closing it is the only way to be sure
    /// that such a connection is gone; and what is set on the connection must not come back to the user's
    /// pool.
    pub(crate) fn connections(
        &self,
        operation: &Operation<'_, D>,
    ) -> Result<OneConnection<D::Database>, BackendError> {
        // The connection's own is there, whatever it is called.
        let told = self.rows.schema.as_deref().filter(|_| D::schema(&self.options).is_none());
        let schema = told.map_or(Ok(()), check_schema);
        let named = check_prefix(&self.rows.prefix).and(schema);
        if let Some(problem) = named.err().or_else(|| D::refusal(&self.options)) {
            return Err(operation.fail(BackendErrorKind::Misconfigured, problem));
        }
        let options = D::session_options(&self.options, &self.limits);
        Ok(OneConnection::new::<D>(self.pool.options().clone(), options))
    }

    /// A session over the one connection of `connections`, which is closed when that fails; under `watch`, or
    /// else a new one.
    async fn session(&self, (connections, watch): Kept<D>, mode: Mode) -> Result<SqlSession<D>, sqlx::Error> {
        let mut held = match mode {
            Mode::Transactional => {
                let begin = AssertSqlSafe(D::begin_change(&self.options, &self.limits));
                Held::Transaction(connections.begin_with(begin).await?)
            }
            Mode::Plain => {
                let mut connection = connections.acquire().await?;
                if let Some(begin) = D::begin_plain(&self.limits) {
                    D::execute(&mut connection, begin).await?;
                }
                Held::Plain(connection)
            }
        };
        // A plain session begins with nothing that would show that its connection is dead: it is asked.
        let is_known = connections.is_the_same() && mode == Mode::Transactional;
        let watch = match watch.filter(|_| is_known) {
            Some(watch) => watch,
            None => D::watch(held.connection(), mode).await?,
        };
        Ok(SqlSession {
            watch,
            connections,
            held,
            spare: self.spare.clone(),
            pool: self.pool.clone(),
            options: Arc::clone(&self.options),
            rows: self.rows.clone(),
            fence: None,
        })
    }
}

impl<D: TargetDialect> fmt::Debug for SqlTarget<D> {
    /// Without the pool: its options may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlTarget")
            .field("id", &self.id)
            .field("address", &D::address(&self.options))
            .field("schema", &self.rows.schema)
            .field("table_prefix", &self.rows.prefix)
            .field("create_tables", &self.create_tables)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<D: TargetDialect> TargetSystem for SqlTarget<D> {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &str {
        D::KIND
    }

    fn address(&self) -> String {
        D::address(&self.options)
    }

    fn resources(&self, mode: Mode) -> &Resources {
        match mode {
            Mode::Transactional => &self.transactional,
            Mode::Plain => &self.plain,
        }
    }

    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>> {
        let connection = SessionType::of::<Connection<D>>();
        Some(match mode {
            Mode::Transactional => vec![connection, SessionType::of::<Transaction<'static, D::Database>>()],
            Mode::Plain => vec![connection],
        })
    }

    async fn check(&self) -> Result<(), BackendError> {
        let operation = self.operation("check");
        let connections = self.connections(&operation)?;
        let reached = match connections.acquire().await {
            Ok(mut connection) => operation.rows(&mut connection, D::PROBE.to_owned()).await,
            Err(error) => Err(operation.error(error)),
        };
        connections.close().await;
        match D::read_only(&reached?) {
            Some(problem) => Err(operation.fail(BackendErrorKind::ReadOnly, problem)),
            None => Ok(()),
        }
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        let operation = self.operation("open session");
        if let Some(spare) = self.spare.take()
            && let Ok(Ok(session)) = tokio::time::timeout(PATIENCE, self.session(spare, mode)).await
        {
            return Ok(Box::new(session));
        }
        // Also where the spare one was lost meanwhile, with a word or without: nothing was done over it.
        let session = self.session((self.connections(&operation)?, None), mode).await;
        Ok(Box::new(session.map_err(|error| operation.error(error))?))
    }

    fn markers(&self) -> Option<&dyn Markers> {
        Some(self)
    }
}
