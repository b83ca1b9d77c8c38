//! What is particular to SQLite: how it is set up, and how it fails.

#![expect(clippy::expect_used, reason = "the helpers of tests panic like tests")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flamingock_core::audit::{Append, AuditStore, ChainHash, Execution, Head, HeadChange, Office};
use flamingock_core::lock::{Acquisition, FencingToken, LockRequest, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_sql::Sqlite;
use flamingock_store_sql::{SqliteAuditStore, StoreDialect as _};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

fn orders() -> History {
    History::new("orders")
}

fn execution(id: &str) -> Execution {
    Execution { id: id.to_owned(), owner: format!("orders@here#{id}") }
}

fn request(owner: &str) -> LockRequest {
    LockRequest {
        history: orders(),
        owner: owner.to_owned(),
        execution: format!("run of {owner}"),
        lease: Duration::from_secs(60),
    }
}

fn options(directory: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(directory.join("audit.db")).create_if_missing(true)
}

async fn office(store: &SqliteAuditStore, run: &str) -> Office {
    store.take_office(&orders(), FencingToken(1), &execution(run)).await.expect("office")
}

/// An append without entries: it only writes the head.
async fn append_digest(
    store: &SqliteAuditStore,
    office: &Office,
    digest: impl Into<String>,
) -> Result<(), BackendError> {
    let head =
        HeadChange { sequence: 0, hash: ChainHash::GENESIS, digests: vec![digest.into()], verdict: None };
    store.append(office, &Append { expected: 0, entries: &[], head }).await
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

#[tokio::test]
async fn connect_creates_the_file_in_wal_mode_and_keeps_the_mode_of_one_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let mode = async |name: &str| {
        let url = format!("sqlite://{}", directory.path().join(name).display());
        let store = SqliteAuditStore::connect(&url).await.unwrap();
        AuditStore::initialize(&store).await.unwrap();
        let mut connection: sqlx::SqliteConnection =
            url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
        sqlx::query_scalar::<_, String>("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap()
    };
    assert_eq!(mode("new.db").await, "wal");

    let mut old = SqliteConnectOptions::new()
        .filename(directory.path().join("old.db"))
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    old.execute("CREATE TABLE users (name TEXT)").await.unwrap();
    old.close().await.unwrap();
    assert_eq!(mode("old.db").await, "delete");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_that_start_at_once_on_no_file_all_come_up() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("audit.db").display());
    let starts: Vec<_> = (0..16)
        .map(|index| {
            let url = url.clone();
            tokio::spawn(async move {
                let store = SqliteAuditStore::connect(&url).await?;
                AuditStore::initialize(&store).await?;
                let acquired = store.try_acquire(&request(&format!("owner {index}"))).await?;
                Ok::<_, BackendError>(matches!(acquired, Acquisition::Acquired(_)))
            })
        })
        .collect();
    let mut winners = 0;
    for start in starts {
        winners += u32::from(start.await.unwrap().unwrap());
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn before_it_is_initialized_a_store_is_read_and_nothing_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(options(directory.path())).await.unwrap();
    let store = SqliteAuditStore::new(pool.clone());
    assert_eq!(store.head(&orders()).await.unwrap(), None);
    assert_eq!(store.inspect(&orders()).await.unwrap(), None);
    assert_eq!(store.latest(&orders()).await.unwrap(), []);
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master").fetch_one(&pool).await.unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn where_creating_is_switched_off_the_error_names_what_is_missing_and_ddl_creates_it() {
    let directory = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(options(directory.path())).await.unwrap();
    let store = SqliteAuditStore::new(pool.clone()).table_prefix("changes_").create_tables(false);
    let missing = ["`changes_entries`", "`changes_heads`", "`changes_locks`", "ddl()"];
    assert_fails(AuditStore::initialize(&store).await, BackendErrorKind::Schema, &missing);
    pool.execute(sqlx::AssertSqlSafe(store.ddl())).await.unwrap();
    AuditStore::initialize(&store).await.unwrap();
    assert_eq!(office(&store, "run-1").await.token, FencingToken(2));
}

#[tokio::test]
async fn a_table_of_another_shape_is_named_with_what_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(options(directory.path())).await.unwrap();
    pool.execute("CREATE TABLE flamingock_locks (service TEXT, tenant TEXT, owner TEXT)").await.unwrap();
    let store = SqliteAuditStore::new(pool);
    let words = ["`flamingock_locks`", "`execution_id`", "`expires_at`", "prefix"];
    assert_fails(LockStore::initialize(&store).await, BackendErrorKind::Schema, &words);
}

#[tokio::test]
async fn stores_with_different_prefixes_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(options(directory.path())).await.unwrap();
    let [one, other] =
        ["one_", "other_"].map(|prefix| SqliteAuditStore::new(pool.clone()).table_prefix(prefix));
    AuditStore::initialize(&one).await.unwrap();
    AuditStore::initialize(&other).await.unwrap();
    office(&one, "run-1").await;
    assert_eq!(other.head(&orders()).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let one = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options(directory.path()));
    let memory = SqlitePool::connect_lazy_with("sqlite::memory:".parse().unwrap());
    let private = SqlitePool::connect_lazy_with(SqliteConnectOptions::new());
    let good = SqlitePool::connect_lazy_with(options(directory.path()));
    for (store, word) in [
        (SqliteAuditStore::new(one), "at least two"),
        (SqliteAuditStore::new(memory), "in memory"),
        (SqliteAuditStore::new(private), "in memory"),
        (SqliteAuditStore::new(good.clone()).table_prefix("a\"; DROP TABLE users; --"), "table prefix"),
        (SqliteAuditStore::new(good).table_prefix("sqlite_"), "table prefix"),
    ] {
        assert_fails(AuditStore::initialize(&store).await, BackendErrorKind::Misconfigured, &[word]);
        assert_fails(store.head(&orders()).await, BackendErrorKind::Misconfigured, &[word]);
        assert_fails(store.dedicated().await.map(drop), BackendErrorKind::Misconfigured, &[word]);
    }
    assert!(!directory.path().join("audit.db").exists());
}

#[tokio::test]
async fn what_is_no_database_gets_one_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("sqlite://{}", directory.path().join(name).display());

    let nowhere = SqliteAuditStore::connect(&path("no/such/directory/audit.db")).await;
    assert_fails(nowhere, BackendErrorKind::Misconfigured, &["directory does not exist", "audit.db"]);

    let missing = SqliteAuditStore::connect(&(path("missing.db") + "?mode=rw")).await;
    assert_fails(missing, BackendErrorKind::Misconfigured, &["does not exist", "create_if_missing"]);

    let is_directory = SqliteAuditStore::connect(&path("")).await;
    assert_fails(is_directory, BackendErrorKind::Misconfigured, &["it is a directory"]);

    std::fs::write(directory.path().join("notes.txt"), "these are notes, not a database. ".repeat(100))
        .unwrap();
    let notes = async { AuditStore::initialize(&SqliteAuditStore::connect(&path("notes.txt")).await?).await };
    assert_fails(notes.await, BackendErrorKind::Corrupt, &["no SQLite database", "notes.txt"]);

    assert_fails(
        SqliteAuditStore::connect("sqlite://audit.db?mode=maybe").await,
        BackendErrorKind::Misconfigured,
        &["maybe"],
    );
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_read_and_refuses_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("audit.db").display());
    let writing = SqliteAuditStore::connect(&url).await.unwrap();
    AuditStore::initialize(&writing).await.unwrap();
    let in_office = office(&writing, "run-1").await;

    let reading = SqliteAuditStore::connect(&(url + "?mode=ro")).await.unwrap();
    AuditStore::initialize(&reading).await.unwrap();
    assert_eq!(reading.head(&orders()).await.unwrap(), Some(in_office.head.clone()));
    let words = ["may not be written", "audit.db"];
    assert_fails(append_digest(&reading, &in_office, "d").await, BackendErrorKind::ReadOnly, &words);
    assert_fails(reading.try_acquire(&request("a")).await, BackendErrorKind::ReadOnly, &words);
}

#[tokio::test]
async fn a_full_disk_is_one_clear_error_and_leaves_the_pool_clean() {
    let directory = tempfile::tempdir().unwrap();
    let full = options(directory.path()).pragma("max_page_count", "20");
    let pool = SqlitePoolOptions::new().max_connections(2).connect_with(full).await.unwrap();
    let store = SqliteAuditStore::new(pool.clone());
    AuditStore::initialize(&store).await.unwrap();
    let in_office = office(&store, "run-1").await;
    for _ in 0..5 {
        let append = append_digest(&store, &in_office, "d".repeat(200_000)).await;
        assert_fails(append, BackendErrorKind::StorageFull, &["free space", "audit.db"]);
    }
    // Nothing of it is there, no connection is left inside a transaction, and what fits goes in.
    assert_eq!(store.head(&orders()).await.unwrap(), Some(in_office.head.clone()));
    append_digest(&store, &in_office, "small").await.unwrap();
    drop((pool.begin_with("BEGIN").await.unwrap(), pool.begin_with("BEGIN").await.unwrap()));
}

#[tokio::test]
async fn another_writer_is_waited_for_and_then_named_busy() {
    let directory = tempfile::tempdir().unwrap();
    for journal in [SqliteJournalMode::Wal, SqliteJournalMode::Delete] {
        let options =
            options(directory.path()).journal_mode(journal).busy_timeout(Duration::from_millis(1500));
        let store = SqliteAuditStore::connect_with(options.clone()).await.unwrap();
        AuditStore::initialize(&store).await.unwrap();
        let Acquisition::Acquired(lease) = store.try_acquire(&request("a")).await.unwrap() else {
            panic!("it is free")
        };
        let heartbeat: Arc<dyn LockStore> = store.dedicated().await.unwrap();
        heartbeat.extend(&lease).await.unwrap();

        let mut writer = options.connect().await.unwrap();
        writer
            .execute(
                "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS big (n INTEGER); INSERT INTO big VALUES (1)",
            )
            .await
            .unwrap();
        // The heartbeat gives up soon: it has other things to watch.
        let started = Instant::now();
        assert_fails(
            heartbeat.extend(&lease).await,
            BackendErrorKind::Busy,
            &["another connection is writing"],
        );
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        // Who only reads is not in the way, and has nothing in its way.
        assert!(store.inspect(&orders()).await.unwrap().is_some());
        assert!(matches!(store.try_acquire(&request("b")).await.unwrap(), Acquisition::Held(_)));
        assert_eq!(store.head(&orders()).await.unwrap(), None);

        let waiting = {
            let store = store.clone();
            tokio::spawn(async move { office(&store, "run-1").await })
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished());
        writer.execute("ROLLBACK").await.unwrap();
        writer.close().await.unwrap();
        waiting.await.unwrap();
        heartbeat.extend(&lease).await.unwrap();
        store.break_lock(&orders()).await.unwrap();
        std::fs::remove_file(directory.path().join("audit.db")).unwrap();
        for end in ["audit.db-wal", "audit.db-shm"] {
            let _ = std::fs::remove_file(directory.path().join(end));
        }
    }
}

#[tokio::test]
async fn a_dropped_append_leaves_no_transaction_in_the_pool() {
    let directory = tempfile::tempdir().unwrap();
    let pool =
        SqlitePoolOptions::new().max_connections(2).connect_with(options(directory.path())).await.unwrap();
    let store = SqliteAuditStore::new(pool.clone());
    AuditStore::initialize(&store).await.unwrap();
    let in_office = office(&store, "run-1").await;
    for micros in (0..2000).step_by(50) {
        let append = append_digest(&store, &in_office, format!("{micros}"));
        let _ = tokio::time::timeout(Duration::from_micros(micros), append).await;
    }
    append_digest(&store, &in_office, "last").await.unwrap();
    let digests = store.head(&orders()).await.unwrap().map(|head: Head| head.digests);
    assert_eq!(digests, Some(vec!["last".to_owned()]));
    // Refused on a connection that is in a transaction.
    drop((pool.begin_with("BEGIN").await.unwrap(), pool.begin_with("BEGIN").await.unwrap()));
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_corrupt_and_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(options(directory.path())).await.unwrap();
    let store = SqliteAuditStore::new(pool.clone());
    AuditStore::initialize(&store).await.unwrap();
    for damage in [
        "token = -1",
        "token = 'x'",
        "token = x'00'",
        "hash = 'v1:00'",
        "hash = x'ff'",
        "owner = CAST(x'ff' AS TEXT)",
        "digests = 'none'",
        "verdict = '{}'",
        "sequence = 1.5",
    ] {
        office(&store, "run-1").await;
        let sql = format!("UPDATE flamingock_heads SET {damage}");
        pool.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        assert_fails(store.head(&orders()).await, BackendErrorKind::Corrupt, &["head of orders"]);
        pool.execute("DELETE FROM flamingock_heads").await.unwrap();
    }
}

#[tokio::test]
async fn settings_under_which_a_power_cut_loses_entries_are_told() {
    use SqliteJournalMode::{Delete, Wal};
    use SqliteSynchronous::{Full, Normal, Off};
    for (journal, synchronous, weak) in [
        (Wal, Full, false),
        (Wal, Normal, true),
        (Wal, Off, true),
        (Delete, Full, false),
        (Delete, Normal, false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path()).journal_mode(journal).synchronous(synchronous);
        let mut connection = options.connect().await.unwrap();
        let weakness = Sqlite::weakness(&mut connection).await.unwrap();
        assert_eq!(weakness.is_some(), weak, "{journal:?} {synchronous:?}: {weakness:?}");
        // It is a warning, not a refusal.
        AuditStore::initialize(&SqliteAuditStore::connect_with(options).await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn no_debug_output_and_no_error_shows_the_key_of_an_encrypted_file() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path()).pragma("key", "'s3cret'").synchronous(SqliteSynchronous::Full);
    let store = SqliteAuditStore::connect_with(options).await.unwrap();
    let error = store.break_lock(&orders()).await.expect_err("no tables");
    let shown = format!("{store:?} {} {error} {error:?} {:?}", store.address(), Error::source(&error));
    assert!(!shown.contains("s3cret"), "{shown}");
}
