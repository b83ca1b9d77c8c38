use std::any::TypeId;
use std::time::Duration;

use flamingock_core::lock::FencingToken;
use flamingock_core::target::{
    Begun, Fence, FenceRaised, MarkerState, MarkerUpdate, Markers, Mode, Session, TargetSystem,
};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_target_sql::PostgresTarget;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};

use crate::server::postgres::{Schema, Way};

/// A target with a raised fence and a table `users`.
pub(crate) struct Place {
    pub(crate) schema: Schema,
    pub(crate) pool: PgPool,
    pub(crate) target: PostgresTarget,
    pub(crate) fence: Fence,
}

pub(crate) fn orders() -> History {
    History::new("orders")
}

pub(crate) fn fence(token: u64) -> Fence {
    Fence { history: orders(), token: FencingToken(token), execution: format!("run-{token}") }
}

pub(crate) fn update() -> MarkerUpdate {
    MarkerUpdate { change: "add-users".to_owned(), state: MarkerState::Begun, sequence: 1, outranks: 0 }
}

impl Place {
    pub(crate) async fn new(way: Way) -> Self {
        let schema = Schema::new(way).await.unwrap();
        schema.run(&format!("CREATE TABLE {}.users (name TEXT)", schema.quoted())).await.unwrap();
        let place = Self::of(schema, |options| options);
        assert_eq!(place.target.raise_fence(&place.fence).await.unwrap(), FenceRaised::Raised);
        place
    }

    pub(crate) fn of(schema: Schema, options: impl FnOnce(PgConnectOptions) -> PgConnectOptions) -> Self {
        let pool = Schema::pool_of(options(schema.through_proxy()));
        let target = PostgresTarget::new("orders-db", pool.clone())
            .schema(&schema.name)
            .lock_timeout(Duration::from_millis(800));
        Self { schema, pool, target, fence: fence(2) }
    }

    /// A session in which a change has begun.
    pub(crate) async fn begun(&self) -> Box<dyn Session> {
        let mut session = self.target.open(Mode::Transactional).await.unwrap();
        assert_eq!(session.begin_marker(&self.fence, &update()).await.unwrap(), Begun::Written);
        session
    }

    /// A statement, with the schema for each `$`.
    pub(crate) async fn run(&self, session: &mut Box<dyn Session>, sql: &str) -> Result<(), sqlx::Error> {
        connection(session).execute(sqlx::raw_sql(self.sql(sql))).await.map(drop)
    }

    pub(crate) fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace('$', &self.schema.quoted()))
    }

    async fn row(&self, sql: &str) -> PgRow {
        let mut connection = self.schema.options().connect().await.unwrap();
        // As one message: behind a pooler, the two of a prepared statement may get to different servers.
        let row = connection.fetch_one(sqlx::raw_sql(self.sql(sql))).await.unwrap();
        connection.close().await.unwrap();
        row
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.row(sql).await.get(0)
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        self.row(sql).await.get(0)
    }

    pub(crate) async fn users(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM $.users").await
    }

    pub(crate) async fn marker(&self) -> Option<MarkerState> {
        self.target.marker(&orders(), "add-users").await.unwrap().map(|marker| marker.state)
    }

    /// What is running in the server with these words in it.
    pub(crate) async fn running(&self, words: &str) -> i64 {
        let sql = format!(
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE state <> 'idle' AND query LIKE '%{words}%' AND pid <> pg_backend_pid()"
        );
        self.count(&sql).await
    }

    pub(crate) async fn remove(self) {
        self.schema.remove().await.unwrap();
    }
}

pub(crate) fn connection(session: &mut Box<dyn Session>) -> &mut PgConnection {
    session.handle(TypeId::of::<PgConnection>()).unwrap().downcast_mut().unwrap()
}

/// The server process of a session.
pub(crate) async fn process(session: &mut Box<dyn Session>) -> i32 {
    let row = connection(session).fetch_one(sqlx::query("SELECT pg_backend_pid()")).await.unwrap();
    row.get(0)
}

#[track_caller]
pub(crate) fn assert_fails<T: std::fmt::Debug>(
    outcome: Result<T, BackendError>,
    kind: BackendErrorKind,
    words: &[&str],
) {
    let error = outcome.expect_err("it should have failed");
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
    }
}

pub(crate) const INSERT: &str = "INSERT INTO $.users VALUES ('ann')";
