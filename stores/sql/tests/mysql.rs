//! What is particular to MySQL and MariaDB, on each of the two that is given: round trips as the server
//! counts them, ids as bytes, settings that are refused, text in any `sql_mode`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

mod server;

use std::process::ExitCode;
use std::time::Duration;

use flamingock_core::audit::{Append, AuditEntry, AuditState, AuditStore, EntryFilter, Execution, Office};
use flamingock_core::lock::{Acquisition, FencingToken, LockRequest, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_store_sql::MySqlAuditStore;
use flamingock_testing::conformance::{Suite, run};
use flamingock_testing::entries::Chain;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};

use self::server::add_cases;
use self::server::mysql::{Brand, Database, PASSWORD};

fn main() -> ExitCode {
    run(Brand::ALL.map(|brand| {
        let mut suite = Suite::new("store", brand.name(), move || brand.available());
        add_cases!(
            suite of brand,
            the_head_is_one_statement_and_one_round_trip_whatever_is_there,
            each_write_is_one_round_trip,
            a_script_that_failed_in_the_middle_leaves_nothing,
            text_comes_back_in_any_sql_mode,
            connections_on_which_nothing_is_safe_are_refused,
            a_connection_that_was_led_to_another_database_finds_the_audit,
            owners_that_differ_in_a_trailing_space_are_different,
            errors_of_connecting_say_what_is_wrong_and_show_no_password,
            what_ddl_prints_creates_what_is_checked,
        );
        suite
    }))
}

fn orders() -> History {
    History::new("orders")
}

fn execution(id: &str) -> Execution {
    Execution { id: id.to_owned(), owner: format!("orders@host#{id}") }
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

/// A pool whose connections start with this statement.
fn pool_with(database: &Database, statement: &'static str) -> MySqlPool {
    MySqlPoolOptions::new()
        .max_connections(2)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(statement).await.map(drop) })
        })
        .connect_lazy_with(database.options())
}

/// Appends an entry of this change.
async fn append(store: &MySqlAuditStore, office: &Office, chain: &mut Chain, change: &str) {
    let expected = chain.head_change().sequence;
    let entries: [AuditEntry; 1] = [chain.next(change, AuditState::Started)];
    let append = Append { expected, entries: &entries, head: chain.head_change() };
    store.append(office, &append).await.unwrap();
}

/// Statements of the connection of a pool of one, as the server counts them.
async fn questions(pool: &MySqlPool) -> u64 {
    let row = pool.fetch_one("SHOW SESSION STATUS LIKE 'Questions'").await.unwrap();
    row.get::<String, _>(1).parse().unwrap()
}

async fn the_head_is_one_statement_and_one_round_trip_whatever_is_there(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    let pool =
        MySqlPoolOptions::new().max_connections(2).connect_with(database.through_proxy()).await.unwrap();
    let store = MySqlAuditStore::new(pool.clone());
    let count = async || {
        // So that there is one that all have to take.
        let held = pool.acquire().await.unwrap();
        let before = questions(&pool).await;
        // What gives a connection back tests it, in the background.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let trips = database.proxy().round_trips();
        let head = store.head(&orders()).await.unwrap();
        let trips = database.proxy().round_trips() - trips;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let after = questions(&pool).await;
        drop(held);
        // The second `SHOW` counts itself.
        (head.is_some(), after - before - 1, trips)
    };
    // Also while there is no table.
    assert_eq!(count().await, (false, 1, 1));
    AuditStore::initialize(&store).await.unwrap();
    assert_eq!(count().await, (false, 1, 1));
    let office = store.take_office(&orders(), FencingToken(1), &execution("run-1")).await.unwrap();
    let mut chain = Chain::new(&orders());
    for index in 0..100 {
        append(&store, &office, &mut chain, &format!("change-{index}")).await;
    }
    assert_eq!(count().await, (true, 1, 1));
    pool.close().await;
    database.remove().await.unwrap();
}

async fn each_write_is_one_round_trip(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    let pool = MySqlPoolOptions::new()
        .max_connections(2)
        .min_connections(1)
        .test_before_acquire(false)
        .connect_with(database.through_proxy())
        .await
        .unwrap();
    let store = MySqlAuditStore::new(pool.clone());
    AuditStore::initialize(&store).await.unwrap();
    let trips = async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        database.proxy().round_trips()
    };
    let before = trips().await;
    let office = store.take_office(&orders(), FencingToken(1), &execution("run-1")).await.unwrap();
    // And one that tests the connection when it is given back.
    assert_eq!(trips().await - before, 2);
    let mut chain = Chain::new(&orders());
    let before = trips().await;
    append(&store, &office, &mut chain, "a").await;
    assert_eq!(trips().await - before, 2);
    pool.close().await;
    database.remove().await.unwrap();
}

async fn a_script_that_failed_in_the_middle_leaves_nothing(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    let pool = database.pool();
    let store = MySqlAuditStore::new(pool.clone());
    AuditStore::initialize(&store).await.unwrap();
    let office = store.take_office(&orders(), FencingToken(1), &execution("run-1")).await.unwrap();
    let mut chain = Chain::new(&orders());
    let first = chain.next("a", AuditState::Started);
    // More than a key holds: refused by the server, after the first entry was inserted.
    let second = chain.next(&"b".repeat(256), AuditState::Started);
    let entries = [first, second];
    let sent = Append { expected: 0, entries: &entries, head: chain.head_change() };
    assert_fails(store.append(&office, &sent).await, BackendErrorKind::InvalidData, &["too long"]);

    assert_eq!(store.entries(&orders(), &EntryFilter::default()).await.unwrap(), []);
    assert_eq!(store.head(&orders()).await.unwrap().unwrap().sequence, 0);
    append(&store, &office, &mut Chain::new(&orders()), "a").await;
    pool.close().await;
    database.remove().await.unwrap();
}

async fn text_comes_back_in_any_sql_mode(brand: Brand) {
    const AWKWARD: [&str; 6] =
        ["it's", "back\\slash", "\\'; DROP TABLE x; --", "\\", "漢字 'x' \\", "\u{bf}\u{27}"];
    for mode in [
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
    ] {
        let database = Database::new(brand).await.unwrap();
        let pool = pool_with(&database, mode);
        let store = MySqlAuditStore::new(pool.clone());
        AuditStore::initialize(&store).await.unwrap();
        for text in AWKWARD {
            let history = History::new(text).tenant(text);
            let office = store.take_office(&history, FencingToken(1), &execution(text)).await.unwrap();
            append(&store, &office, &mut Chain::new(&history), text).await;
            let filter = EntryFilter { change: Some(text.to_owned()), ..EntryFilter::default() };
            let entries = store.entries(&history, &filter).await.unwrap();
            assert_eq!(entries.len(), 1, "{mode}: {text}");
            assert_eq!((entries[0].change.as_str(), entries[0].service.as_str()), (text, text));
        }
        assert_eq!(store.histories().await.unwrap().len(), AWKWARD.len());
        pool.close().await;
        database.remove().await.unwrap();
    }
}

async fn connections_on_which_nothing_is_safe_are_refused(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    for (statement, words) in [
        ("SET SESSION autocommit = 0", ["autocommit = 0", "set it to 1"]),
        ("SET SESSION sql_mode = ''", ["sql_mode", "STRICT_TRANS_TABLES"]),
    ] {
        let pool = pool_with(&database, statement);
        let store = MySqlAuditStore::new(pool.clone());
        assert_fails(AuditStore::initialize(&store).await, BackendErrorKind::Misconfigured, &words);
        pool.close().await;
    }
    let pool = MySqlPoolOptions::new().max_connections(1).connect_lazy_with(database.options());
    let store = MySqlAuditStore::new(pool.clone());
    let refused = AuditStore::initialize(&store).await;
    assert_fails(refused, BackendErrorKind::Misconfigured, &["one connection", "at least two"]);
    pool.close().await;
    database.remove().await.unwrap();
}

async fn a_connection_that_was_led_to_another_database_finds_the_audit(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    AuditStore::initialize(&MySqlAuditStore::new(database.pool())).await.unwrap();
    // As a change may leave those that it gives back; this one is there for everybody.
    let pool = pool_with(&database, "USE information_schema");
    let store = MySqlAuditStore::new(pool.clone());
    AuditStore::initialize(&store).await.unwrap();
    let office = store.take_office(&orders(), FencingToken(1), &execution("run-1")).await.unwrap();
    append(&store, &office, &mut Chain::new(&orders()), "a").await;
    assert_eq!(store.head(&orders()).await.unwrap().map(|head| head.sequence), Some(1));
    assert_eq!(store.latest(&orders()).await.unwrap().len(), 1);
    pool.close().await;
    database.remove().await.unwrap();
}

async fn owners_that_differ_in_a_trailing_space_are_different(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    let pool = database.pool();
    let store = MySqlAuditStore::new(pool.clone());
    AuditStore::initialize(&store).await.unwrap();
    let request = |run: &str| LockRequest {
        history: orders(),
        owner: format!("orders@host#{run}"),
        execution: run.to_owned(),
        lease: Duration::from_secs(60),
    };
    // Two owners that a comparison which takes no notice of trailing spaces takes for one.
    let acquired = store.try_acquire(&request("run-1")).await.unwrap();
    assert!(matches!(acquired, Acquisition::Acquired(_)), "{acquired:?}");
    let held = store.try_acquire(&request("run-1 ")).await.unwrap();
    assert!(matches!(held, Acquisition::Held(_)), "{held:?}");
    let broken = store.break_lock(&orders()).await.unwrap().expect("a holder");
    assert_eq!(broken.execution, "run-1");
    let acquired = store.try_acquire(&request("run-1 ")).await.unwrap();
    assert!(matches!(acquired, Acquisition::Acquired(_)), "{acquired:?}");
    pool.close().await;
    database.remove().await.unwrap();
}

async fn errors_of_connecting_say_what_is_wrong_and_show_no_password(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    let wrong = database.options().password("wr0ng-s3cret");
    let error = MySqlAuditStore::connect_with(wrong).await.expect_err("a wrong password");
    assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
    for shown in [format!("{error}"), format!("{error:#?}")] {
        assert!(!shown.contains("wr0ng-s3cret") && !shown.contains(PASSWORD), "{shown}");
    }
    let missing = database.options().database("no_such_database");
    let error = MySqlAuditStore::connect_with(missing).await.expect_err("a missing database");
    // A user with rights on one database only is not told whether another is there.
    let kinds = [BackendErrorKind::Misconfigured, BackendErrorKind::Denied];
    assert!(kinds.contains(&error.kind()), "{error}");
    let url = database.options().to_url_lossy().to_string();
    let store = MySqlAuditStore::connect(&url).await.unwrap();
    assert!(!format!("{store:?}").contains(PASSWORD));
    database.remove().await.unwrap();
    let error = MySqlAuditStore::connect("mysql://ann:s3cret@host:port/db").await.expect_err("no port");
    assert_eq!(error.kind(), BackendErrorKind::Misconfigured, "{error}");
    assert!(!format!("{error:#?}").contains("s3cret"), "{error:#?}");
}

async fn what_ddl_prints_creates_what_is_checked(brand: Brand) {
    let database = Database::new(brand).await.unwrap();
    let pool = database.pool();
    let store = MySqlAuditStore::new(pool.clone()).table_prefix("my_").create_tables(false);
    let words = ["`my_entries`", "`my_heads`", "`my_locks`", "ddl()"];
    assert_fails(AuditStore::initialize(&store).await, BackendErrorKind::Schema, &words);
    database.run_in(&store.ddl()).await.unwrap();
    AuditStore::initialize(&store).await.unwrap();
    pool.close().await;
    database.remove().await.unwrap();
}
