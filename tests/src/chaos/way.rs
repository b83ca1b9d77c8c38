use std::fmt;

use xtask::Services;

use crate::kinds::Kind;

/// What replicas keep things in, and how they get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Two SQLite files.
    Sqlite,
    /// Audit and database in one SQLite file.
    SqliteOneFile,
    /// PostgreSQL.
    Postgres,
    /// PostgreSQL, through a proxy that cuts, delays and swallows.
    PostgresProxy,
    /// PostgreSQL, through PgBouncer in transaction mode.
    #[value(name = "pgbouncer")]
    PgBouncer,
    /// MariaDB.
    #[value(name = "mariadb")]
    MariaDb,
    /// MariaDB, through a proxy that cuts, delays and swallows.
    #[value(name = "mariadb-proxy")]
    MariaDbProxy,
    /// MySQL.
    #[value(name = "mysql")]
    MySql,
}

impl Way {
    /// All ways.
    pub const ALL: [Self; 8] = [
        Self::Sqlite,
        Self::SqliteOneFile,
        Self::Postgres,
        Self::PostgresProxy,
        Self::PgBouncer,
        Self::MariaDb,
        Self::MariaDbProxy,
        Self::MySql,
    ];

    /// As it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::SqliteOneFile => "sqlite-one-file",
            Self::Postgres => "postgres",
            Self::PostgresProxy => "postgres-proxy",
            Self::PgBouncer => "pgbouncer",
            Self::MariaDb => "mariadb",
            Self::MariaDbProxy => "mariadb-proxy",
            Self::MySql => "mysql",
        }
    }

    /// What it ends in.
    pub fn kind(self) -> Kind {
        match self {
            Self::Sqlite => Kind::Sqlite,
            Self::SqliteOneFile => Kind::SqliteOneFile,
            Self::Postgres | Self::PostgresProxy => Kind::Postgres,
            Self::PgBouncer => Kind::PgBouncer,
            Self::MariaDb | Self::MariaDbProxy => Kind::MariaDb,
            Self::MySql => Kind::MySql,
        }
    }

    /// The servers that it needs. The first keeps the data, the last is the one that replicas go to.
    pub fn servers(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite | Self::SqliteOneFile => &[],
            Self::Postgres | Self::PostgresProxy => &["postgres"],
            Self::PgBouncer => &["postgres", "pgbouncer"],
            Self::MariaDb | Self::MariaDbProxy => &["mariadb"],
            Self::MySql => &["mysql"],
        }
    }

    /// Whether a proxy is in between.
    pub fn is_proxied(self) -> bool {
        matches!(self, Self::PostgresProxy | Self::MariaDbProxy)
    }

    /// Whether `CREATE TABLE` commits what was done before it.
    pub fn ddl_commits(self) -> bool {
        matches!(self, Self::MariaDb | Self::MariaDbProxy | Self::MySql)
    }

    /// Whether tests are given such a server, and its programs are here, so that one's own can be crashed.
    ///
    /// # Errors
    /// When it is not.
    pub fn available(self) -> Result<(), String> {
        self.kind().available()?;
        if Services::are_installed(self.servers()) {
            return Ok(());
        }
        Err(format!(
            "{} is not installed here, and somebody else's cannot be crashed",
            self.servers().join(", ")
        ))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
