//! MariaDB and MySQL, as `FLAMINGOCK_TEST_MARIADB_URL` and `FLAMINGOCK_TEST_MYSQL_URL` give them: by a user
//! who may create databases and users.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flamingock_testing::conformance::{BoxError, Proxy};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brand {
    MariaDb,
    MySql,
}

/// What the users of tests connect with.
pub(crate) const PASSWORD: &str = "s3cret-of-no-use";

impl Brand {
    pub(crate) const ALL: [Self; 2] = [Self::MariaDb, Self::MySql];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    fn url(self) -> Result<String, String> {
        let variable = match self {
            Self::MariaDb => "FLAMINGOCK_TEST_MARIADB_URL",
            Self::MySql => "FLAMINGOCK_TEST_MYSQL_URL",
        };
        std::env::var(variable)
            .map_err(|_| format!("{variable} is not set: `cargo xtask test` starts a server and sets it"))
    }

    pub(crate) fn available(self) -> Result<(), String> {
        self.url().map(drop)
    }
}

/// A database of the server that no other test sees, and a user who may do everything in it and nothing
/// elsewhere.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    admin: MySqlConnectOptions,
    proxy: Proxy,
}

impl Database {
    pub(crate) async fn new(brand: Brand) -> Result<Self, BoxError> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);

        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() % 1_000_000_000_000;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // As awkward as a name may be that is also a user's: whoever forgets to quote it is found.
        let name = format!("T `{now}` {}-{number}", std::process::id());
        let admin: MySqlConnectOptions = brand.url()?.parse()?;
        let proxy = Proxy::to(format!("{}:{}", admin.get_host(), admin.get_port())).await?;
        let database = Self { name, admin, proxy };
        let (quoted, user) = (database.quoted(), database.user());
        database
            .run(&format!(
                "CREATE DATABASE {quoted}; CREATE USER {user} IDENTIFIED BY '{PASSWORD}'; \
                 GRANT ALL PRIVILEGES ON {quoted}.* TO {user}"
            ))
            .await?;
        Ok(database)
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// To the server itself.
    pub(crate) fn options(&self) -> MySqlConnectOptions {
        self.admin.clone().database(&self.name).username(&self.name).password(PASSWORD)
    }

    /// To the server through the proxy.
    pub(crate) fn through_proxy(&self) -> MySqlConnectOptions {
        self.options().host("127.0.0.1").port(self.proxy.port())
    }

    /// Such a pool as an application has.
    pub(crate) fn pool(&self) -> MySqlPool {
        pool_of(self.through_proxy())
    }

    /// The database's name as SQL has it.
    pub(crate) fn quoted(&self) -> String {
        format!("`{}`", self.name.replace('`', "``"))
    }

    fn user(&self) -> String {
        format!("'{}'@'%'", self.name)
    }

    /// Runs these statements over a connection of its own, in the database where it is there.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), BoxError> {
        let mut connection = self.admin.connect().await?;
        connection.execute(AssertSqlSafe(sql.to_owned())).await?;
        Ok(connection.close().await?)
    }

    /// Runs these statements in the database.
    pub(crate) async fn run_in(&self, sql: &str) -> Result<(), BoxError> {
        self.run(&format!("USE {}; {sql}", self.quoted())).await
    }

    /// From now on its user can only read.
    pub(crate) async fn only_read(&self) -> Result<(), BoxError> {
        let (quoted, user) = (self.quoted(), self.user());
        // In what is granted on a database, `_` and `%` are wildcards; this name has neither.
        self.run(&format!(
            "REVOKE ALL PRIVILEGES ON {quoted}.* FROM {user}; GRANT SELECT ON {quoted}.* TO {user}"
        ))
        .await
    }

    pub(crate) async fn remove(&self) -> Result<(), BoxError> {
        self.run(&format!("DROP DATABASE {}; DROP USER {}", self.quoted(), self.user())).await
    }
}

pub(crate) fn pool_of(options: MySqlConnectOptions) -> MySqlPool {
    MySqlPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(3))
        .connect_lazy_with(options)
}
