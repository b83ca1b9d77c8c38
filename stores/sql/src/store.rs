use std::fmt;
use std::sync::Arc;

use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Lent, Operation, Options, Table, check_prefix, check_schema, ensure_tables, quote_in};
use sqlx::Pool;

use crate::{StoreDialect, schema};

/// Audit store and lock on an SQL database. Use it by the name of its database, such as
/// `SqliteAuditStore`.
pub struct SqlAuditStore<D: StoreDialect> {
    pub(crate) pool: Pool<D::Database>,
    pub(crate) options: Arc<Options<D>>,
    pub(crate) schema: Option<String>,
    pub(crate) prefix: String,
    pub(crate) create_tables: bool,
    /// A pool of its own, with one connection that nobody else uses.
    pub(crate) dedicated: bool,
}

impl<D: StoreDialect> SqlAuditStore<D> {
    /// A store in the database that `pool` leads to. The pool needs two connections at least. What its
    /// `before_acquire` does must not decide which tables are found: the head is read without it.
    pub fn new(pool: Pool<D::Database>) -> Self {
        let options = pool.connect_options();
        let schema = D::schema(&options);
        Self {
            pool,
            options,
            schema,
            prefix: "flamingock_".to_owned(),
            create_tables: true,
            dedicated: false,
        }
    }

    /// What the names of its tables begin with; `flamingock_` unless told. Letters, digits and
    /// underscores; anything else is refused before anything runs.
    #[must_use]
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Whether missing tables are created; yes unless told. If not, they are only checked, and the
    /// error names what is missing: [`ddl`](Self::ddl) creates it.
    #[must_use]
    pub fn create_tables(mut self, create: bool) -> Self {
        self.create_tables = create;
        self
    }

    /// The statements that create its tables, for those who create them by hand.
    pub fn ddl(&self) -> String {
        let statements: Vec<String> = self.tables().iter().flat_map(Table::ddl::<D>).collect();
        statements.join(";\n") + ";\n"
    }

    fn tables(&self) -> [Table; 3] {
        [schema::entries, schema::heads, schema::locks]
            .map(|table| table(self.schema.as_deref(), &self.prefix))
    }

    /// The name of a table, quoted.
    pub(crate) fn table(&self, name: &str) -> String {
        quote_in::<D>(self.schema.as_deref(), &format!("{}{name}", self.prefix))
    }

    pub(crate) fn operation(&self, name: &'static str) -> Operation<'_, D> {
        Operation::new(name, self.options.as_ref())
    }

    /// A connection, unless the store is set up in a way that cannot work.
    pub(crate) async fn connection(
        &self,
        operation: &Operation<'_, D>,
    ) -> Result<Lent<D::Database>, BackendError> {
        if let Some(problem) = self.problem() {
            return Err(operation.fail(BackendErrorKind::Misconfigured, problem));
        }
        Lent::from(&self.pool).await.map_err(|error| operation.error(error))
    }

    /// An idle connection that the pool did not test before; [`None`] when there is none, or when the pool
    /// tests none anyway.
    pub(crate) fn untested_connection(
        &self,
        operation: &Operation<'_, D>,
    ) -> Result<Option<Lent<D::Database>>, BackendError> {
        if let Some(problem) = self.problem() {
            return Err(operation.fail(BackendErrorKind::Misconfigured, problem));
        }
        let tests = self.pool.options().get_test_before_acquire();
        Ok(if tests { Lent::idle(&self.pool) } else { None })
    }

    /// How it is set up in a way that cannot work, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        // The connection's own is there, whatever it is called.
        let told = self.schema.as_deref().filter(|_| D::schema(&self.options).is_none());
        if let Err(problem) = check_prefix(&self.prefix).and(told.map_or(Ok(()), check_schema)) {
            return Some(problem);
        }
        if !self.dedicated && self.pool.options().get_max_connections() < 2 {
            return Some(
                "the pool has one connection: a change that holds it would wait for its own record for ever; \
                 give the audit store a pool of at least two"
                    .to_owned(),
            );
        }
        D::refusal(&self.options)
    }

    /// Creates the tables, or checks them, and their format.
    pub(crate) async fn set_up(&self) -> Result<(), BackendError> {
        let operation = self.operation("initialize");
        let mut connection = self.connection(&operation).await?;
        let weakness = D::weakness(&mut connection).await.map_err(|error| operation.error(error));
        if let Some(weakness) = connection.finish(weakness).await? {
            tracing::warn!(database = D::address(&self.options), "{weakness}");
        }
        ensure_tables(&operation, &self.pool, &self.tables(), self.create_tables).await?;
        self.check_format(&operation).await
    }
}

impl<D: StoreDialect> Clone for SqlAuditStore<D> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            options: Arc::clone(&self.options),
            schema: self.schema.clone(),
            prefix: self.prefix.clone(),
            create_tables: self.create_tables,
            dedicated: self.dedicated,
        }
    }
}

impl<D: StoreDialect> fmt::Debug for SqlAuditStore<D> {
    /// Without the pool: its options may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlAuditStore")
            .field("address", &D::address(&self.options))
            .field("schema", &self.schema)
            .field("table_prefix", &self.prefix)
            .field("create_tables", &self.create_tables)
            .finish_non_exhaustive()
    }
}
