//! What is particular to SQLite: bodies that end their own transaction, statements that are dropped
//! half-way, and an audit store in the same file.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests panic like tests")]

use std::any::TypeId;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flamingock_core::audit::{Append, AuditStore, ChainHash, Execution, HeadChange};
use flamingock_core::lock::{Acquisition, FencingToken, LockRequest, LockStore};
use flamingock_core::target::{
    Begun, Fence, FenceRaised, MarkerState, MarkerUpdate, Markers, Mode, Session, TargetSystem,
};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_store_sql::SqliteAuditStore;
use flamingock_target_sql::SqliteTarget;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{Acquire as _, Executor as _, Sqlite, SqliteConnection, Transaction};
use tempfile::TempDir;

const JOURNALS: [SqliteJournalMode; 2] = [SqliteJournalMode::Wal, SqliteJournalMode::Delete];

/// A target with a raised fence and a table `users`.
struct Place {
    directory: TempDir,
    pool: SqlitePool,
    target: Arc<SqliteTarget>,
    fence: Fence,
}

fn orders() -> History {
    History::new("orders")
}

fn options(directory: &Path, journal: SqliteJournalMode) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(directory.join("orders.db"))
        .create_if_missing(true)
        .journal_mode(journal)
}

fn update() -> MarkerUpdate {
    MarkerUpdate { change: "add-users".to_owned(), state: MarkerState::Begun, sequence: 1, outranks: 0 }
}

impl Place {
    async fn new(journal: SqliteJournalMode) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options(directory.path(), journal))
            .await
            .unwrap();
        pool.execute("CREATE TABLE users (name TEXT)").await.unwrap();
        let target = SqliteTarget::new("orders-db", pool.clone()).lock_timeout(Duration::from_millis(800));
        let fence = Fence { history: orders(), token: FencingToken(2), execution: "run-1".to_owned() };
        assert_eq!(target.raise_fence(&fence).await.unwrap(), FenceRaised::Raised);
        Self { directory, pool, target: Arc::new(target), fence }
    }

    /// A session in which a change has begun.
    async fn begun(&self) -> Box<dyn Session> {
        let mut session = self.target.open(Mode::Transactional).await.unwrap();
        assert_eq!(session.begin_marker(&self.fence, &update()).await.unwrap(), Begun::Written);
        session
    }

    async fn users(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(&self.pool).await.unwrap()
    }

    async fn marker(&self) -> Option<MarkerState> {
        self.target.marker(&orders(), "add-users").await.unwrap().map(|marker| marker.state)
    }
}

fn connection(session: &mut Box<dyn Session>) -> &mut SqliteConnection {
    session.handle(TypeId::of::<SqliteConnection>()).unwrap().downcast_mut().unwrap()
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

/// Whether a body fails, whatever it ends its transaction with; nothing of it takes effect in any case.
async fn runs_a_body_that_ends_its_transaction(statements: &[&'static str]) {
    for journal in JOURNALS {
        let place = Place::new(journal).await;
        let mut session = place.begun().await;
        for statement in statements {
            // A body that carries on after every error is the worst case.
            let _ = connection(&mut session).execute(*statement).await;
        }
        let finished = session.finish_marker(&update()).await;
        assert_fails(finished, BackendErrorKind::Other, &["ended its own transaction", "`add-users`"]);
        session.rollback().await.unwrap();
        assert_eq!((place.users().await, place.marker().await), (0, None), "{statements:?}");

        // A run that commits nevertheless commits nothing.
        let mut session = place.begun().await;
        for statement in statements {
            let _ = connection(&mut session).execute(*statement).await;
        }
        let _ = session.commit().await;
        assert_eq!((place.users().await, place.marker().await), (0, None), "{statements:?}");
    }
}

const INSERT: &str = "INSERT INTO users VALUES ('ann')";

#[tokio::test]
async fn a_commit_in_a_change_is_refused_and_nothing_of_it_stays() {
    runs_a_body_that_ends_its_transaction(&[INSERT, "COMMIT", INSERT]).await;
}

#[tokio::test]
async fn a_rollback_in_a_change_is_noticed_and_nothing_after_it_takes_effect() {
    runs_a_body_that_ends_its_transaction(&[INSERT, "ROLLBACK", INSERT]).await;
}

#[tokio::test]
async fn a_commit_and_a_new_transaction_in_a_change_are_noticed() {
    runs_a_body_that_ends_its_transaction(&[INSERT, "COMMIT; BEGIN", INSERT]).await;
    runs_a_body_that_ends_its_transaction(&[INSERT, "COMMIT", "BEGIN", INSERT]).await;
    runs_a_body_that_ends_its_transaction(&[INSERT, "ROLLBACK", "BEGIN IMMEDIATE", INSERT, "COMMIT"]).await;
}

#[tokio::test]
async fn an_or_rollback_in_a_change_is_noticed() {
    let place = Place::new(SqliteJournalMode::Wal).await;
    place.pool.execute("CREATE UNIQUE INDEX names ON users (name)").await.unwrap();
    let mut session = place.begun().await;
    connection(&mut session).execute(INSERT).await.unwrap();
    connection(&mut session).execute("INSERT OR ROLLBACK INTO users VALUES ('ann')").await.unwrap_err();
    assert_fails(session.finish_marker(&update()).await, BackendErrorKind::Other, &["ended its own"]);
    session.rollback().await.unwrap();
    assert_eq!((place.users().await, place.marker().await), (0, None));
}

#[tokio::test]
async fn a_change_takes_the_transaction_and_nests_its_own_in_it() {
    let place = Place::new(SqliteJournalMode::Wal).await;
    let mut session = place.begun().await;
    let type_id = TypeId::of::<Transaction<'static, Sqlite>>();
    let transaction: &mut Transaction<'static, Sqlite> =
        session.handle(type_id).unwrap().downcast_mut().unwrap();
    transaction.execute("CREATE TABLE items (name TEXT)").await.unwrap();
    let mut kept = transaction.begin().await.unwrap();
    kept.execute(INSERT).await.unwrap();
    kept.commit().await.unwrap();
    let mut dropped = transaction.begin().await.unwrap();
    dropped.execute(INSERT).await.unwrap();
    drop(dropped);
    session.finish_marker(&update()).await.unwrap();
    assert_eq!(place.users().await, 0);
    session.commit().await.unwrap();
    assert_eq!((place.users().await, place.marker().await), (1, Some(MarkerState::Done)));
    place.pool.execute("SELECT * FROM items").await.unwrap();
}

/// Counts for minutes.
const LONG: &str = "INSERT INTO users WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) \
     SELECT i FROM n WHERE i % 1000 = 0";

#[tokio::test]
async fn a_statement_dropped_half_way_is_stopped_before_abort_returns() {
    for journal in JOURNALS {
        let place = Place::new(journal).await;
        for mode in [Mode::Transactional, Mode::Plain] {
            let mut session = match mode {
                Mode::Transactional => place.begun().await,
                Mode::Plain => place.target.open(mode).await.unwrap(),
            };
            let half_way = connection(&mut session).execute(LONG);
            tokio::time::timeout(Duration::from_millis(200), half_way).await.unwrap_err();
            let started = Instant::now();
            session.abort().await.unwrap();
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
            // The file is free at once, and nothing of the statement is in it.
            assert_eq!((place.users().await, place.marker().await), (0, None));
            assert_eq!(place.target.raise_fence(&place.fence).await.unwrap(), FenceRaised::Raised);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_dropped_lets_go_of_the_file_soon() {
    let place = Place::new(SqliteJournalMode::Delete).await;
    let mut session = place.begun().await;
    let half_way = connection(&mut session).execute(LONG);
    tokio::time::timeout(Duration::from_millis(200), half_way).await.unwrap_err();
    drop(session);
    assert_eq!((place.marker().await, place.users().await), (None, 0));
}

#[tokio::test]
async fn who_waits_longer_than_the_lock_timeout_is_told_that_another_writes() {
    for journal in JOURNALS {
        let place = Place::new(journal).await;
        let session = place.begun().await;
        let mut second = place.target.open(Mode::Transactional).await.unwrap();
        let words = ["another connection is writing", "orders.db"];
        let started = Instant::now();
        let began = second.begin_marker(&place.fence, &update()).await;
        assert_fails(began, BackendErrorKind::Busy, &words);
        assert!(started.elapsed() > Duration::from_millis(700) && started.elapsed() < Duration::from_secs(3));
        second.rollback().await.unwrap();
        assert_fails(place.target.marker(&orders(), "add-users").await, BackendErrorKind::Busy, &words);
        let newer = Fence { token: FencingToken(3), ..place.fence.clone() };
        assert_fails(place.target.raise_fence(&newer).await, BackendErrorKind::Busy, &words);
        session.rollback().await.unwrap();
        assert_eq!(place.target.raise_fence(&newer).await.unwrap(), FenceRaised::Raised);
    }
}

#[tokio::test]
async fn what_a_change_does_to_its_connection_is_gone_with_it() {
    let place = Place::new(SqliteJournalMode::Wal).await;
    for mode in [Mode::Plain, Mode::Transactional] {
        let mut session = match mode {
            Mode::Transactional => place.begun().await,
            Mode::Plain => place.target.open(mode).await.unwrap(),
        };
        connection(&mut session).execute("PRAGMA foreign_keys = OFF; CREATE TEMP TABLE t (a)").await.unwrap();
        session.commit().await.unwrap();
        let mut next = place.target.open(Mode::Plain).await.unwrap();
        let on: i64 =
            sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(connection(&mut next)).await.unwrap();
        assert_eq!(on, 1);
        connection(&mut next).execute("SELECT * FROM t").await.unwrap_err();
        next.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_plain_change_that_leaves_a_transaction_open_fails_and_nothing_of_that_stays() {
    let place = Place::new(SqliteJournalMode::Wal).await;
    for left in ["BEGIN", "BEGIN IMMEDIATE; INSERT INTO users VALUES ('bob')", "SAVEPOINT s"] {
        let mut session = place.target.open(Mode::Plain).await.unwrap();
        connection(&mut session).execute(INSERT).await.unwrap();
        connection(&mut session).execute(left).await.unwrap();
        assert_fails(session.commit().await, BackendErrorKind::Other, &["left a transaction open", "COMMIT"]);
    }
    assert_eq!(place.users().await, 3);
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    connection(&mut session).execute("BEGIN; INSERT INTO users VALUES ('bob'); COMMIT").await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(place.users().await, 4);
}

#[tokio::test]
async fn a_full_disk_in_a_change_leaves_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path(), SqliteJournalMode::Delete).pragma("max_page_count", "20");
    let pool = SqlitePool::connect_with(options).await.unwrap();
    pool.execute("CREATE TABLE users (name TEXT)").await.unwrap();
    let target = SqliteTarget::new("orders-db", pool.clone());
    let fence = Fence { history: orders(), token: FencingToken(2), execution: "run-1".to_owned() };
    target.raise_fence(&fence).await.unwrap();
    let mut session = target.open(Mode::Transactional).await.unwrap();
    session.begin_marker(&fence, &update()).await.unwrap();
    let filled = connection(&mut session).execute("INSERT INTO users VALUES (hex(randomblob(200000)))").await;
    assert!(filled.unwrap_err().to_string().contains("full"));
    session.rollback().await.unwrap();
    assert_eq!(target.marker(&orders(), "add-users").await.unwrap(), None);
}

#[tokio::test]
async fn the_pool_is_offered_to_plain_changes_only() {
    let place = Place::new(SqliteJournalMode::Wal).await;
    assert!(place.target.resources(Mode::Plain).get::<SqlitePool>().is_some());
    assert!(place.target.resources(Mode::Transactional).get::<SqlitePool>().is_none());
    let target = SqliteTarget::new("orders-db", place.pool.clone()).with(42_u32);
    assert_eq!(target.resources(Mode::Transactional).get::<u32>(), Some(&42));
    assert_eq!(target.resources(Mode::Plain).get::<u32>(), Some(&42));
}

#[tokio::test]
async fn check_reaches_the_file_and_says_what_is_wrong_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let options = SqliteConnectOptions::new().filename(directory.path().join(name));
        SqliteTarget::new("orders-db", SqlitePool::connect_lazy_with(options))
    };
    assert_fails(at("missing.db").check().await, BackendErrorKind::Misconfigured, &["does not exist"]);
    std::fs::write(directory.path().join("notes.txt"), "these are notes, not a database. ".repeat(100))
        .unwrap();
    assert_fails(at("notes.txt").check().await, BackendErrorKind::Corrupt, &["no SQLite database"]);
    let memory = SqlitePool::connect_lazy_with("sqlite::memory:".parse().unwrap());
    let memory = SqliteTarget::new("orders-db", memory);
    assert_fails(memory.check().await, BackendErrorKind::Misconfigured, &["in memory"]);
    std::fs::write(directory.path().join("empty.db"), "").unwrap();
    at("empty.db").check().await.unwrap();
}

#[tokio::test]
async fn tables_are_checked_where_creating_is_switched_off() {
    let directory = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(options(directory.path(), SqliteJournalMode::Wal)).await.unwrap();
    let target = SqliteTarget::new("orders-db", pool.clone()).table_prefix("my_").create_tables(false);
    let fence = Fence { history: orders(), token: FencingToken(2), execution: "run-1".to_owned() };
    let words = ["`my_fences`", "`my_markers`", "ddl()"];
    assert_fails(target.raise_fence(&fence).await, BackendErrorKind::Schema, &words);
    assert_eq!(target.marker(&orders(), "a").await.unwrap(), None);
    assert_eq!(target.survey(&orders(), &["a"]).await.unwrap().done, 0);
    pool.execute(sqlx::AssertSqlSafe(target.ddl())).await.unwrap();
    assert_eq!(target.raise_fence(&fence).await.unwrap(), FenceRaised::Raised);
}

/// What a run does, with everything in one file and through one pool of two connections.
#[tokio::test]
async fn store_and_target_share_one_file_and_one_pool_of_two() {
    for journal in JOURNALS {
        let place = Place::new(journal).await;
        let store = SqliteAuditStore::new(place.pool.clone());
        AuditStore::initialize(&store).await.unwrap();
        let request = LockRequest {
            history: orders(),
            owner: "orders@here".to_owned(),
            execution: "run-1".to_owned(),
            lease: Duration::from_secs(60),
        };
        let Acquisition::Acquired(lease) = store.try_acquire(&request).await.unwrap() else {
            panic!("it is free")
        };
        let heartbeat = store.dedicated().await.unwrap();
        let run = Execution { id: "run-1".to_owned(), owner: "orders@here".to_owned() };
        let office = store.take_office(&orders(), lease.token, &run).await.unwrap();
        let fence = Fence { history: orders(), token: office.token, execution: "run-1".to_owned() };
        place.target.raise_fence(&fence).await.unwrap();

        let started = Instant::now();
        for index in 0..20 {
            let head = HeadChange {
                sequence: 0,
                hash: ChainHash::GENESIS,
                digests: vec![index.to_string()],
                verdict: None,
            };
            store.append(&office, &Append { expected: 0, entries: &[], head }).await.unwrap();
            let mut session = place.target.open(Mode::Transactional).await.unwrap();
            let update = MarkerUpdate { change: format!("change-{index}"), ..update() };
            assert_eq!(session.begin_marker(&fence, &update).await.unwrap(), Begun::Written);
            connection(&mut session).execute(INSERT).await.unwrap();
            session.finish_marker(&update).await.unwrap();
            if index == 0 {
                // The lease cannot be extended while the change writes; nobody else can take it either.
                assert_fails(heartbeat.extend(&lease).await, BackendErrorKind::Busy, &[]);
                assert!(store.inspect(&orders()).await.unwrap().is_some());
            }
            session.commit().await.unwrap();
            heartbeat.extend(&lease).await.unwrap();
        }
        println!("20 changes in {:?}", started.elapsed());
        assert_eq!(place.users().await, 20);
        assert_eq!(place.target.survey(&orders(), &[]).await.unwrap().done, 20);
        store.release(&lease).await.unwrap();
        assert!(place.directory.path().join("orders.db").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_changes_at_once_wait_for_each_other() {
    for journal in JOURNALS {
        let place = Place::new(journal).await;
        let tasks: Vec<_> = (0..16)
            .map(|index| {
                let target = SqliteTarget::new("orders-db", place.pool.clone());
                let fence = place.fence.clone();
                tokio::spawn(async move {
                    let mut session = target.open(Mode::Transactional).await?;
                    let update = MarkerUpdate { change: format!("change-{index}"), ..update() };
                    assert_eq!(session.begin_marker(&fence, &update).await?, Begun::Written);
                    connection(&mut session).execute(INSERT).await.unwrap();
                    session.finish_marker(&update).await?;
                    session.commit().await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(place.users().await, 16);
    }
}
