//! What is particular to PostgreSQL: bodies that end their own transaction, statements that are dropped
//! half-way, changes that need no transaction, and who is in the way.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

#[path = "../../../stores/sql/tests/server/mod.rs"]
mod server;

use std::any::TypeId;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flamingock_core::audit::{Append, AuditStore, Execution};
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{
    Begun, Fence, FenceRaised, MarkerState, MarkerUpdate, Markers, Mode, Session, TargetSystem,
};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_store_sql::PostgresAuditStore;
use flamingock_target_sql::PostgresTarget;
use flamingock_testing::conformance::{Suite, run};
use flamingock_testing::entries::Chain;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::{
    Acquire as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _, Transaction,
};

use self::server::add_cases;
use self::server::postgres::{Schema, Way};

fn main() -> ExitCode {
    let mut direct = Suite::new("target", Way::Direct.name(), || Way::Direct.available());
    add_cases!(
        direct,
        a_commit_in_a_change_is_noticed_and_its_marker_says_begun,
        a_rollback_in_a_change_is_noticed,
        a_statement_that_failed_and_was_ignored_fails_the_change,
        a_change_takes_the_transaction_and_nests_its_own_in_it,
        an_index_is_created_concurrently_in_a_plain_change,
        two_that_create_indexes_concurrently_at_once_both_end_well,
        a_statement_dropped_half_way_is_stopped_before_abort_returns,
        a_change_that_renamed_its_session_is_waited_for,
        a_session_that_the_server_ended_leaves_nothing,
        a_transaction_that_stands_still_is_ended_by_the_server,
        who_is_in_the_way_is_named,
        what_a_change_does_to_its_connection_is_gone_with_it,
        a_connection_that_a_change_left_as_it_was_serves_the_next,
        a_connection_that_was_lost_between_two_changes_is_replaced,
        a_commit_whose_answer_is_lost_is_an_error_and_the_marker_tells,
        a_change_waits_for_the_rows_of_others_no_longer_than_the_lock_timeout,
        a_server_that_cannot_be_written_is_refused,
        who_is_not_let_in_is_told_so_without_the_password,
        the_pool_is_offered_to_plain_changes_only,
        tables_are_checked_where_creating_is_switched_off,
        store_and_target_share_one_pool_of_two,
    );
    let mut pooled = Suite::new("target", Way::Pooled.name(), || Way::Pooled.available());
    add_cases!(
        pooled,
        behind_a_pooler_a_statement_dropped_half_way_is_stopped_before_abort_returns,
        behind_a_pooler_nobody_elses_session_is_ended,
        behind_a_pooler_the_prepared_statements_of_changes_do_not_collide,
    );
    run([direct, pooled])
}

/// A target with a raised fence and a table `users`.
struct Place {
    schema: Schema,
    pool: PgPool,
    target: PostgresTarget,
    fence: Fence,
}

fn orders() -> History {
    History::new("orders")
}

fn fence(token: u64) -> Fence {
    Fence { history: orders(), token: FencingToken(token), execution: format!("run-{token}") }
}

fn update() -> MarkerUpdate {
    MarkerUpdate { change: "add-users".to_owned(), state: MarkerState::Begun, sequence: 1, outranks: 0 }
}

impl Place {
    async fn new(way: Way) -> Self {
        let schema = Schema::new(way).await.unwrap();
        schema.run(&format!("CREATE TABLE {}.users (name TEXT)", schema.quoted())).await.unwrap();
        let place = Self::of(schema, |options| options);
        assert_eq!(place.target.raise_fence(&place.fence).await.unwrap(), FenceRaised::Raised);
        place
    }

    fn of(schema: Schema, options: impl FnOnce(PgConnectOptions) -> PgConnectOptions) -> Self {
        let pool = Schema::pool_of(options(schema.through_proxy()));
        let target = PostgresTarget::new("orders-db", pool.clone())
            .schema(&schema.name)
            .lock_timeout(Duration::from_millis(800));
        Self { schema, pool, target, fence: fence(2) }
    }

    /// A session in which a change has begun.
    async fn begun(&self) -> Box<dyn Session> {
        let mut session = self.target.open(Mode::Transactional).await.unwrap();
        assert_eq!(session.begin_marker(&self.fence, &update()).await.unwrap(), Begun::Written);
        session
    }

    /// A statement, with the schema for each `$`.
    async fn run(&self, session: &mut Box<dyn Session>, sql: &str) -> Result<(), sqlx::Error> {
        connection(session).execute(sqlx::raw_sql(self.sql(sql))).await.map(drop)
    }

    fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace('$', &self.schema.quoted()))
    }

    async fn count(&self, sql: &str) -> i64 {
        let mut connection = self.schema.options().connect().await.unwrap();
        // As one message: behind a pooler, the two of a prepared statement may get to different servers.
        let row = connection.fetch_one(sqlx::raw_sql(self.sql(sql))).await.unwrap();
        connection.close().await.unwrap();
        row.get(0)
    }

    async fn users(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM $.users").await
    }

    async fn marker(&self) -> Option<MarkerState> {
        self.target.marker(&orders(), "add-users").await.unwrap().map(|marker| marker.state)
    }

    /// What is running in the server with these words in it.
    async fn running(&self, words: &str) -> i64 {
        let sql = format!(
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE state <> 'idle' AND query LIKE '%{words}%' AND pid <> pg_backend_pid()"
        );
        self.count(&sql).await
    }

    async fn remove(self) {
        self.schema.remove().await.unwrap();
    }
}

fn connection(session: &mut Box<dyn Session>) -> &mut PgConnection {
    session.handle(TypeId::of::<PgConnection>()).unwrap().downcast_mut().unwrap()
}

/// The server process of a session.
async fn process(session: &mut Box<dyn Session>) -> i32 {
    let row = connection(session).fetch_one(sqlx::query("SELECT pg_backend_pid()")).await.unwrap();
    row.get(0)
}

#[track_caller]
fn assert_fails<T: std::fmt::Debug>(
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

const INSERT: &str = "INSERT INTO $.users VALUES ('ann')";

/// Whether a body fails that ends its transaction by these statements, and what stays of it.
async fn ends_its_transaction(statements: &[&str], users: i64, marker: Option<MarkerState>) {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    for statement in statements {
        // A body that carries on after every error is the worst case.
        let _ = place.run(&mut session, statement).await;
    }
    let finished = session.finish_marker(&update()).await;
    assert_fails(finished, BackendErrorKind::Other, &["ended its own transaction", "`add-users`"]);
    let _ = session.rollback().await;
    assert_eq!((place.users().await, place.marker().await), (users, marker), "{statements:?}");
    place.remove().await;
}

async fn a_commit_in_a_change_is_noticed_and_its_marker_says_begun() {
    let begun = Some(MarkerState::Begun);
    ends_its_transaction(&[INSERT, "COMMIT"], 1, begun).await;
    ends_its_transaction(&[INSERT, "COMMIT", INSERT], 2, begun).await;
    ends_its_transaction(&[INSERT, "COMMIT; BEGIN", INSERT], 1, begun).await;
    ends_its_transaction(&[INSERT, "COMMIT AND CHAIN", INSERT], 1, begun).await;
}

async fn a_rollback_in_a_change_is_noticed() {
    ends_its_transaction(&[INSERT, "ROLLBACK"], 0, None).await;
    ends_its_transaction(&[INSERT, "ROLLBACK", "BEGIN", INSERT], 0, None).await;
    // What it did outside any transaction stays. No transaction can know.
    ends_its_transaction(&[INSERT, "ROLLBACK", INSERT], 1, None).await;
}

async fn a_statement_that_failed_and_was_ignored_fails_the_change() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    place.run(&mut session, INSERT).await.unwrap();
    place.run(&mut session, "SELECT 1 / 0").await.unwrap_err();
    let finished = session.finish_marker(&update()).await;
    assert_fails(finished, BackendErrorKind::Other, &["an earlier statement failed"]);
    session.rollback().await.unwrap();
    assert_eq!((place.users().await, place.marker().await), (0, None));
    place.remove().await;
}

async fn a_change_takes_the_transaction_and_nests_its_own_in_it() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    let type_id = TypeId::of::<Transaction<'static, Postgres>>();
    let transaction: &mut Transaction<'static, Postgres> =
        session.handle(type_id).unwrap().downcast_mut().unwrap();
    transaction.execute(place.sql("CREATE TABLE $.items (name TEXT)")).await.unwrap();
    let mut kept = transaction.begin().await.unwrap();
    kept.execute(place.sql(INSERT)).await.unwrap();
    kept.commit().await.unwrap();
    let mut dropped = transaction.begin().await.unwrap();
    dropped.execute(place.sql(INSERT)).await.unwrap();
    drop(dropped);
    session.finish_marker(&update()).await.unwrap();
    assert_eq!(place.users().await, 0);
    session.commit().await.unwrap();
    assert_eq!((place.users().await, place.marker().await), (1, Some(MarkerState::Done)));
    assert_eq!(place.count("SELECT COUNT(*) FROM $.items").await, 0);
    place.remove().await;
}

async fn an_index_is_created_concurrently_in_a_plain_change() {
    let place = Place::new(Way::Direct).await;
    let sql = "CREATE INDEX CONCURRENTLY by_name ON $.users (name)";
    let mut session = place.begun().await;
    let refused = place.run(&mut session, sql).await.unwrap_err();
    assert!(refused.to_string().contains("cannot run inside a transaction block"), "{refused}");
    session.rollback().await.unwrap();

    let mut session = place.target.open(Mode::Plain).await.unwrap();
    place.run(&mut session, sql).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(
        place
            .count("SELECT COUNT(*) FROM pg_index WHERE indexrelid = '$.by_name'::regclass AND indisvalid")
            .await,
        1
    );
    place.remove().await;
}

async fn two_that_create_indexes_concurrently_at_once_both_end_well() {
    let place = Place::new(Way::Direct).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        sessions.push(place.target.open(Mode::Plain).await.unwrap());
    }
    // Sessions that are open and idle are in nobody's way.
    let (mut one, mut other) = (sessions.remove(0), sessions.remove(0));
    let create = |name: &str| format!("CREATE INDEX CONCURRENTLY {name} ON $.users (name)");
    let (first, second) = (create("first"), create("second"));
    let both = async { tokio::join!(place.run(&mut one, &first), place.run(&mut other, &second)) };
    let (first, second) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    // PostgreSQL itself may find the two in each other's way; then the loser is told, and nothing hangs.
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    place.remove().await;
}

async fn dropped_half_way(way: Way) {
    let place = Place::new(way).await;
    for mode in [Mode::Transactional, Mode::Plain] {
        let mut session = match mode {
            Mode::Transactional => place.begun().await,
            Mode::Plain => place.target.open(mode).await.unwrap(),
        };
        let long = "INSERT INTO $.users SELECT pg_sleep(20)::text || 'dropped half-way'";
        let half_way = place.run(&mut session, long);
        tokio::time::timeout(Duration::from_millis(300), half_way).await.unwrap_err();
        assert_eq!(place.running("dropped half-way").await, 1, "it is at work");
        let started = Instant::now();
        session.abort().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!(place.running("dropped half-way").await, 0, "it was not ended");
        assert_eq!((place.users().await, place.marker().await), (0, None));
        assert_eq!(place.target.raise_fence(&place.fence).await.unwrap(), FenceRaised::Raised);
    }
    place.remove().await;
}

async fn a_statement_dropped_half_way_is_stopped_before_abort_returns() {
    dropped_half_way(Way::Direct).await;
}

async fn behind_a_pooler_a_statement_dropped_half_way_is_stopped_before_abort_returns() {
    dropped_half_way(Way::Pooled).await;
}

async fn a_change_that_renamed_its_session_is_waited_for() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    place.run(&mut session, "SET application_name = 'somebody else'").await.unwrap();
    let long = "INSERT INTO $.users SELECT pg_sleep(1.5)::text || 'renamed itself'";
    let half_way = place.run(&mut session, long);
    tokio::time::timeout(Duration::from_millis(300), half_way).await.unwrap_err();
    session.abort().await.unwrap();
    let users = place.users().await;
    assert_eq!(place.running("renamed itself").await, 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(place.users().await, users, "it took effect after the abort");
    place.remove().await;
}

async fn behind_a_pooler_nobody_elses_session_is_ended() {
    let place = Place::new(Way::Pooled).await;
    // The pooler lends the connection of a session that is over to others.
    let mut session = place.begun().await;
    session.finish_marker(&update()).await.unwrap();
    session.commit().await.unwrap();
    let name = place.target.marker(&orders(), "add-users").await.unwrap().unwrap().session.unwrap();
    let mut others = Vec::new();
    for _ in 0..8 {
        let pool = place.pool.clone();
        others.push(tokio::spawn(async move { pool.execute(sqlx::raw_sql("SELECT pg_sleep(1)")).await }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    place.target.end_session(&name).await.unwrap();
    for other in others {
        other.await.unwrap().expect("it was none of theirs");
    }
    place.remove().await;
}

async fn behind_a_pooler_the_prepared_statements_of_changes_do_not_collide() {
    let place = Place::new(Way::Pooled).await;
    for round in 0..10 {
        let mut session = place.target.open(Mode::Transactional).await.unwrap();
        let update = MarkerUpdate { change: format!("change-{round}"), ..update() };
        assert_eq!(session.begin_marker(&place.fence, &update).await.unwrap(), Begun::Written);
        for name in ["ann", "bob"] {
            // Each round another statement, of the same name.
            let insert = format!("INSERT INTO {}.users SELECT $1::text || '{round}'", place.schema.quoted());
            sqlx::query(AssertSqlSafe(insert)).bind(name).execute(connection(&mut session)).await.unwrap();
        }
        session.finish_marker(&update).await.unwrap();
        session.commit().await.unwrap();
    }
    assert_eq!(place.users().await, 20);
    place.remove().await;
}

async fn a_session_that_the_server_ended_leaves_nothing() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    place.run(&mut session, INSERT).await.unwrap();
    let pid = process(&mut session).await;
    place.schema.run(&format!("SELECT pg_terminate_backend({pid})")).await.unwrap();
    let finished = session.finish_marker(&update()).await;
    assert_fails(finished, BackendErrorKind::Unavailable, &[]);
    session.commit().await.unwrap_err();
    assert_eq!((place.users().await, place.marker().await), (0, None));

    // A rollback that cannot be sent says so; the marker decides.
    let mut session = place.begun().await;
    let pid = process(&mut session).await;
    place.schema.run(&format!("SELECT pg_terminate_backend({pid})")).await.unwrap();
    session.rollback().await.unwrap_err();
    assert_eq!((place.users().await, place.marker().await), (0, None));
    place.remove().await;
}

async fn a_transaction_that_stands_still_is_ended_by_the_server() {
    let place = Place::new(Way::Direct).await;
    let frozen = PostgresTarget::new("orders-db", place.pool.clone())
        .schema(&place.schema.name)
        .idle_timeout(Duration::from_millis(300));
    let mut session = frozen.open(Mode::Transactional).await.unwrap();
    assert_eq!(session.begin_marker(&place.fence, &update()).await.unwrap(), Begun::Written);
    place.run(&mut session, INSERT).await.unwrap();
    // Its successor waits no longer than that.
    assert_eq!(place.target.raise_fence(&fence(3)).await.unwrap(), FenceRaised::Raised);
    assert_fails(session.finish_marker(&update()).await, BackendErrorKind::Unavailable, &[]);
    session.commit().await.unwrap_err();
    assert_eq!((place.users().await, place.marker().await), (0, None));
    place.remove().await;
}

async fn who_is_in_the_way_is_named() {
    let place = Place::new(Way::Direct).await;
    let holder = PostgresTarget::new(
        "orders-db",
        Schema::pool_of(place.schema.options().application_name("orders of replica 7")),
    )
    .schema(&place.schema.name);
    let mut session = holder.open(Mode::Transactional).await.unwrap();
    assert_eq!(session.begin_marker(&place.fence, &update()).await.unwrap(), Begun::Written);
    let pid = process(&mut session).await;
    let pid = format!("session {pid}/");
    let words =
        ["lock timeout", "in the way", &pid, "orders of replica 7", "idle in transaction", "open since"];

    let unavailable = BackendErrorKind::Unavailable;
    let started = Instant::now();
    assert_fails(place.target.marker(&orders(), "add-users").await, unavailable, &words);
    assert!(started.elapsed() > Duration::from_millis(700) && started.elapsed() < Duration::from_secs(3));
    assert_fails(place.target.raise_fence(&fence(3)).await, unavailable, &words);
    let mut second = place.target.open(Mode::Transactional).await.unwrap();
    assert_fails(second.begin_marker(&place.fence, &update()).await, unavailable, &words);
    second.rollback().await.unwrap();
    session.rollback().await.unwrap();
    assert_eq!(place.target.raise_fence(&fence(3)).await.unwrap(), FenceRaised::Raised);
    place.remove().await;
}

async fn what_a_change_does_to_its_connection_is_gone_with_it() {
    let place = Place::new(Way::Direct).await;
    for mode in [Mode::Plain, Mode::Transactional] {
        let mut session = match mode {
            Mode::Transactional => place.begun().await,
            Mode::Plain => place.target.open(mode).await.unwrap(),
        };
        place.run(&mut session, "SET search_path = $; CREATE TEMP TABLE t (a INT)").await.unwrap();
        place.run(&mut session, "SELECT pg_advisory_lock(7)").await.unwrap();
        if mode == Mode::Plain {
            place.run(&mut session, "BEGIN; INSERT INTO $.users VALUES ('bob')").await.unwrap();
        }
        session.commit().await.unwrap();
        let mut next = place.target.open(Mode::Plain).await.unwrap();
        let (path,): (String,) =
            sqlx::query_as("SHOW search_path").fetch_one(connection(&mut next)).await.unwrap();
        assert!(!path.contains(&place.schema.name), "{path}");
        place.run(&mut next, "SELECT * FROM t").await.unwrap_err();
        next.commit().await.unwrap();
    }
    assert_eq!(place.users().await, 0, "a transaction that was left open is rolled back");
    place.remove().await;
}

async fn a_connection_that_a_change_left_as_it_was_serves_the_next() {
    let place = Place::new(Way::Direct).await;
    let hooked = PgPoolOptions::new()
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(sqlx::raw_sql("SET statement_timeout = 12345")).await.map(drop)
            })
        })
        .connect_lazy_with(place.schema.options());
    // What a hook of the pool sets cannot be told from what a change sets.
    let hooked = PostgresTarget::new("orders-db", hooked).schema(&place.schema.name);
    for (target, serves_again) in [(&place.target, true), (&hooked, false)] {
        let mut pids = Vec::new();
        for mode in [Mode::Transactional, Mode::Plain, Mode::Transactional] {
            let mut session = target.open(mode).await.unwrap();
            pids.push(process(&mut session).await);
            session.commit().await.unwrap();
        }
        pids.dedup();
        assert_eq!(pids.len() == 1, serves_again, "{pids:?}");
    }

    // A transaction that a plain change left open.
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    let left = process(&mut session).await;
    place.run(&mut session, "BEGIN").await.unwrap();
    session.commit().await.unwrap();
    let mut next = place.target.open(Mode::Transactional).await.unwrap();
    assert_ne!(process(&mut next).await, left);
    next.rollback().await.unwrap();
    place.remove().await;
}

async fn a_connection_that_was_lost_between_two_changes_is_replaced() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.target.open(Mode::Transactional).await.unwrap();
    let lost = process(&mut session).await;
    session.commit().await.unwrap();
    // Given back, which is not waited for.
    tokio::time::sleep(Duration::from_millis(300)).await;
    place.schema.run(&format!("SELECT pg_terminate_backend({lost}, 5000)")).await.unwrap();
    let session = place.begun().await;
    session.rollback().await.unwrap();
    place.remove().await;
}

async fn a_commit_whose_answer_is_lost_is_an_error_and_the_marker_tells() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    place.run(&mut session, INSERT).await.unwrap();
    session.finish_marker(&update()).await.unwrap();
    place.schema.proxy().swallow_answers();
    let lost = tokio::time::timeout(Duration::from_secs(1), session.commit()).await;
    assert!(!matches!(lost, Ok(Ok(()))), "it was acknowledged by nobody");
    // Over connections that work.
    let pool = Schema::pool_of(place.schema.options());
    let other = PostgresTarget::new("orders-db", pool).schema(&place.schema.name);
    let marker = other.marker(&orders(), "add-users").await.unwrap().map(|marker| marker.state);
    assert_eq!((place.users().await, marker), (1, Some(MarkerState::Done)));
    place.remove().await;
}

async fn a_change_waits_for_the_rows_of_others_no_longer_than_the_lock_timeout() {
    let place = Place::new(Way::Direct).await;
    let mut other = place.schema.options().connect().await.unwrap();
    let hold = "BEGIN; LOCK TABLE $.users IN ACCESS EXCLUSIVE MODE";
    other.execute(sqlx::raw_sql(place.sql(hold))).await.unwrap();
    let mut session = place.begun().await;
    let started = Instant::now();
    let error = place.run(&mut session, INSERT).await.unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    session.rollback().await.unwrap();
    other.close().await.unwrap();
    place.remove().await;
}

async fn a_server_that_cannot_be_written_is_refused() {
    let place = Place::new(Way::Direct).await;
    place.target.check().await.unwrap();
    let options = place.schema.options().options([("default_transaction_read_only", "on")]);
    let target = PostgresTarget::new("orders-db", Schema::pool_of(options));
    let words = ["read-only", "default_transaction_read_only"];
    assert_fails(target.check().await, BackendErrorKind::ReadOnly, &words);
    place.remove().await;
}

async fn who_is_not_let_in_is_told_so_without_the_password() {
    let schema = Schema::new(Way::Direct).await.unwrap();
    let place =
        Place::of(schema, |options| options.username("nobody-of-this-name").password("s3cret-and-wrong"));
    for outcome in [
        place.target.check().await,
        place.target.open(Mode::Transactional).await.map(drop),
        place.target.open(Mode::Plain).await.map(drop),
        place.target.raise_fence(&place.fence).await.map(drop),
        place.target.marker(&orders(), "a").await.map(drop),
        place.target.end_session("1/2/three").await,
    ] {
        let error = outcome.expect_err("nobody");
        assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
        let shown = format!("{error} {error:?} {:?}", place.target);
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    place.remove().await;
}

async fn the_pool_is_offered_to_plain_changes_only() {
    let place = Place::new(Way::Direct).await;
    assert!(place.target.resources(Mode::Plain).get::<PgPool>().is_some());
    assert!(place.target.resources(Mode::Transactional).get::<PgPool>().is_none());
    place.remove().await;
}

async fn tables_are_checked_where_creating_is_switched_off() {
    let schema = Schema::new(Way::Direct).await.unwrap();
    let target = PostgresTarget::new("orders-db", schema.pool())
        .schema(&schema.name)
        .table_prefix("my_")
        .create_tables(false);
    let words = ["`my_fences`", "`my_markers`", "ddl()"];
    assert_fails(target.raise_fence(&fence(2)).await, BackendErrorKind::Schema, &words);
    assert_eq!(target.marker(&orders(), "a").await.unwrap(), None);
    assert_eq!(target.survey(&orders(), &["a"]).await.unwrap().done, 0);
    schema.run(&target.ddl()).await.unwrap();
    assert_eq!(target.raise_fence(&fence(2)).await.unwrap(), FenceRaised::Raised);
    schema.remove().await.unwrap();
}

/// What a run does, with everything in one schema and through one pool of two connections.
async fn store_and_target_share_one_pool_of_two() {
    let place = Place::new(Way::Direct).await;
    let pool = PgPoolOptions::new().max_connections(2).connect_with(place.schema.options()).await.unwrap();
    let store = PostgresAuditStore::new(pool.clone()).schema(&place.schema.name);
    let target = PostgresTarget::new("orders-db", pool).schema(&place.schema.name);
    AuditStore::initialize(&store).await.unwrap();
    let run = Execution { id: "run-2".to_owned(), owner: "orders@here".to_owned() };
    let office = store.take_office(&orders(), FencingToken(1), &run).await.unwrap();
    let mut chain = Chain::of(&office);
    let started = Instant::now();
    for index in 0..50 {
        let expected = chain.sequence();
        let change = format!("change-{index}");
        let entries = [chain.next(&change, flamingock_core::audit::AuditState::Started)];
        store
            .append(&office, &Append { expected, entries: &entries, head: chain.head_change() })
            .await
            .unwrap();
        let mut session = target.open(Mode::Transactional).await.unwrap();
        let update = MarkerUpdate { change, ..update() };
        assert_eq!(session.begin_marker(&place.fence, &update).await.unwrap(), Begun::Written);
        place.run(&mut session, INSERT).await.unwrap();
        session.finish_marker(&update).await.unwrap();
        session.commit().await.unwrap();
    }
    println!("50 changes in {:?}", started.elapsed());
    assert_eq!(place.users().await, 50);
    assert_eq!(target.survey(&orders(), &[]).await.unwrap().done, 50);
    place.remove().await;
}
