//! PostgreSQL, as `FLAMINGOCK_TEST_POSTGRES_URL` and `FLAMINGOCK_TEST_PGBOUNCER_URL` give it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flamingock_testing::conformance::{BoxError, Proxy};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

/// How a test gets at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over connections of its own.
    Direct,
    /// Through PgBouncer in transaction mode.
    Pooled,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "postgres",
            Self::Pooled => "pgbouncer",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Direct => "FLAMINGOCK_TEST_POSTGRES_URL",
            Self::Pooled => "FLAMINGOCK_TEST_PGBOUNCER_URL",
        }
    }

    fn url(self) -> Result<String, String> {
        let variable = self.variable();
        std::env::var(variable)
            .map_err(|_| format!("{variable} is not set: `cargo xtask test` starts a server and sets it"))
    }

    pub(crate) fn available(self) -> Result<(), String> {
        self.url().map(drop)
    }

    /// The password that connections are made with. A server that asks for none gets one all the same,
    /// so that a test can look whether it is shown.
    pub(crate) fn password(self) -> String {
        let url = self.url().unwrap_or_default();
        let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
        let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
        password.filter(|password| !password.is_empty()).unwrap_or("s3cret-of-no-use").to_owned()
    }

    pub(crate) fn options(self) -> Result<PgConnectOptions, BoxError> {
        let options: PgConnectOptions = self.url()?.parse()?;
        Ok(options.password(&self.password()))
    }
}

/// A schema of the server that no other test sees.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
    options: PgConnectOptions,
    proxy: Proxy,
}

impl Schema {
    pub(crate) async fn new(way: Way) -> Result<Self, BoxError> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);

        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Awkward on purpose: whoever forgets to quote it is found.
        let name = format!("Test \"{now}\" {}-{number}", std::process::id());
        let options = way.options()?;
        let proxy = Proxy::to(format!("{}:{}", options.get_host(), options.get_port())).await?;
        let schema = Self { name, options, proxy };
        schema.run(&format!("CREATE SCHEMA {}", schema.quoted())).await?;
        Ok(schema)
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// To the server itself.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// To the server through the proxy.
    pub(crate) fn through_proxy(&self) -> PgConnectOptions {
        self.options.clone().host("127.0.0.1").port(self.proxy.port())
    }

    /// Such a pool as an application has.
    pub(crate) fn pool(&self) -> PgPool {
        Self::pool_of(self.through_proxy())
    }

    pub(crate) fn pool_of(options: PgConnectOptions) -> PgPool {
        PgPoolOptions::new()
            .max_connections(4)
            // A server that is away is asked again until then.
            .acquire_timeout(Duration::from_secs(3))
            .connect_lazy_with(options)
    }

    /// The schema's name as SQL has it.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }

    /// Runs these statements over a connection of its own.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), BoxError> {
        let mut connection = self.options.connect().await?;
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        Ok(connection.close().await?)
    }

    pub(crate) async fn remove(&self) -> Result<(), BoxError> {
        self.run(&format!("SET client_min_messages = error; DROP SCHEMA {} CASCADE", self.quoted())).await
    }
}
