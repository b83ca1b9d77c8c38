//! What is particular to PostgreSQL: how many messages it takes, how it is set up, and how it fails.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a case fails by a panic")]

mod server;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use flamingock_core::audit::AuditState::Started;
use flamingock_core::audit::{Append, AuditStore, ChainHash, EntryFilter, Execution, HeadChange, Office};
use flamingock_core::lock::{Acquisition, FencingToken, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_sql::Postgres;
use flamingock_store_sql::{PostgresAuditStore, StoreDialect as _};
use flamingock_testing::conformance::{Suite, run};
use flamingock_testing::entries::Chain;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use self::server::add_cases;
use self::server::postgres::{Schema, Way};

fn main() -> ExitCode {
    let mut suite = Suite::new("store", Way::Direct.name(), || Way::Direct.available());
    add_cases!(
        suite,
        a_head_is_read_in_one_round_trip_also_over_a_pool_that_tests_its_connections,
        each_write_is_one_round_trip,
        a_head_is_read_after_the_server_has_ended_the_connection,
        an_append_takes_no_notice_of_connections_that_the_server_has_ended,
        idle_connections_that_died_without_a_word_are_left_after_seconds,
        a_pool_gets_back_what_was_in_use_when_its_server_was_gone_without_a_word,
        an_append_has_what_the_pool_sets_up_before_it_lends_a_connection,
        sixteen_that_start_at_once_in_an_empty_schema_all_come_up,
        where_creating_is_switched_off_the_error_names_what_is_missing_and_ddl_creates_it,
        a_schema_that_is_not_there_is_one_clear_error,
        what_cannot_work_is_refused_before_anything_runs,
        text_is_text_whatever_the_server_takes_a_backslash_for,
        under_the_strictest_isolation_lost_races_are_tried_again,
        an_append_whose_answer_is_lost_is_an_error_that_says_unavailable,
        a_dropped_append_leaves_nothing_open,
        a_head_that_cannot_be_read_is_corrupt_and_no_panic,
        settings_under_which_a_crash_loses_entries_are_told,
        the_heartbeat_has_what_the_pool_sets_up_on_its_connections,
        who_is_not_let_in_is_told_so_without_the_password,
        a_url_that_is_not_understood_is_not_shown,
    );
    run([suite])
}

fn orders() -> History {
    History::new("orders")
}

fn request(owner: &str) -> LockRequest {
    LockRequest {
        history: orders(),
        owner: owner.to_owned(),
        execution: format!("run of {owner}"),
        lease: Duration::from_secs(60),
    }
}

async fn schema() -> Schema {
    Schema::new(Way::Direct).await.expect("a schema")
}

/// A store with its tables.
async fn ready(schema: &Schema) -> PostgresAuditStore {
    let store = PostgresAuditStore::new(schema.pool()).schema(&schema.name);
    AuditStore::initialize(&store).await.expect("initialize");
    store
}

async fn office(store: &PostgresAuditStore, run: &str) -> Office {
    let execution = Execution { id: run.to_owned(), owner: format!("orders@here#{run}") };
    store.take_office(&orders(), FencingToken(1), &execution).await.expect("office")
}

async fn acquire(store: &PostgresAuditStore, owner: &str) -> Lease {
    match store.try_acquire(&request(owner)).await.expect("acquire") {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held(holder) => panic!("held by {holder:?}"),
    }
}

/// Appends the next entries of a chain.
async fn append(
    store: &PostgresAuditStore,
    office: &Office,
    chain: &mut Chain,
    changes: &[&str],
) -> Result<(), BackendError> {
    let expected = chain.sequence();
    let entries: Vec<_> = changes.iter().map(|change| chain.next(change, Started)).collect();
    store.append(office, &Append { expected, entries: &entries, head: chain.head_change() }).await
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

async fn a_head_is_read_in_one_round_trip_also_over_a_pool_that_tests_its_connections() {
    let schema = schema().await;
    let store = PostgresAuditStore::new(schema.pool()).schema(&schema.name);
    // What is given back to the pool is tested then, after the answer: counted when all is quiet.
    let quiet = async || {
        loop {
            let trips = schema.proxy().round_trips();
            tokio::time::sleep(Duration::from_millis(200)).await;
            if schema.proxy().round_trips() == trips {
                return trips;
            }
        }
    };
    let count = async || {
        let before = quiet().await;
        let head = store.head(&orders()).await.unwrap();
        (head.is_some(), quiet().await - before - 1)
    };
    count().await; // It connects.
    // Also while there is no table.
    assert_eq!(count().await, (false, 1));
    AuditStore::initialize(&store).await.unwrap();
    assert_eq!(count().await, (false, 1));
    let office = office(&store, "run-1").await;
    assert_eq!(count().await, (true, 1));
    let mut chain = Chain::of(&office);
    append(&store, &office, &mut chain, &["a"; 500]).await.unwrap();
    assert_eq!(count().await, (true, 1));
    schema.remove().await.unwrap();
}

async fn each_write_is_one_round_trip() {
    let schema = schema().await;
    ready(&schema).await;
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .test_before_acquire(false)
        .connect_with(schema.through_proxy())
        .await
        .unwrap();
    let store = PostgresAuditStore::new(pool).schema(&schema.name);
    // What is given back to the pool is tested, a little later.
    let trips = async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        schema.proxy().round_trips()
    };
    // The work itself, and the test.
    let count = async |before: usize| trips().await - before - 1;

    let before = trips().await;
    let lease = acquire(&store, "a").await;
    assert_eq!(count(before).await, 2, "acquire: a look and the lock");
    let before = trips().await;
    let office = office(&store, "run-1").await;
    assert_eq!(count(before).await, 1, "take office");
    let mut chain = Chain::of(&office);
    let before = trips().await;
    append(&store, &office, &mut chain, &["a", "b", "c"]).await.unwrap();
    assert_eq!(count(before).await, 1, "append");
    let before = trips().await;
    store.extend(&lease).await.unwrap();
    assert_eq!(count(before).await, 1, "extend");
    let before = trips().await;
    assert!(matches!(store.try_acquire(&request("b")).await.unwrap(), Acquisition::Held(_)));
    assert_eq!(count(before).await, 1, "held");
    let before = trips().await;
    assert!(store.break_lock(&orders()).await.unwrap().is_some());
    assert_eq!(count(before).await, 1, "break");
    let before = trips().await;
    store.release(&lease).await.unwrap();
    assert_eq!(count(before).await, 1, "release");
    schema.remove().await.unwrap();
}

async fn a_head_is_read_after_the_server_has_ended_the_connection() {
    let schema = schema().await;
    ready(&schema).await;
    let options = schema.through_proxy().application_name("to be ended");
    let store = PostgresAuditStore::new(Schema::pool_of(options)).schema(&schema.name);
    office(&store, "run-1").await;
    for _ in 0..3 {
        schema
            .run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'to be ended' AND pid <> pg_backend_pid()",
            )
            .await
            .unwrap();
        assert!(store.head(&orders()).await.unwrap().is_some());
    }
    schema.remove().await.unwrap();
}

async fn an_append_takes_no_notice_of_connections_that_the_server_has_ended() {
    let schema = schema().await;
    ready(&schema).await;
    let options = schema.options().application_name("to be ended");
    let pool =
        PgPoolOptions::new().max_connections(20).min_connections(20).connect_with(options).await.unwrap();
    let store = PostgresAuditStore::new(pool.clone()).schema(&schema.name);
    let office = office(&store, "run-1").await;
    while pool.num_idle() < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                 WHERE application_name = 'to be ended' AND pid <> pg_backend_pid()";
    schema.run(ended).await.unwrap();
    append(&store, &office, &mut Chain::of(&office), &["a"]).await.unwrap();
    schema.remove().await.unwrap();
}

async fn idle_connections_that_died_without_a_word_are_left_after_seconds() {
    let schema = schema().await;
    ready(&schema).await;
    let pool =
        PgPoolOptions::new().max_connections(8).min_connections(8).connect_with(schema.through_proxy());
    let store = PostgresAuditStore::new(pool.await.unwrap()).schema(&schema.name);
    let office = office(&store, "run-1").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    schema.proxy().forget();
    let append = async { append(&store, &office, &mut Chain::of(&office), &["a"]).await.unwrap() };
    tokio::time::timeout(Duration::from_secs(8), append).await.expect("is appended");
    tokio::time::sleep(Duration::from_millis(500)).await;
    schema.proxy().forget();
    let head = async { store.head(&orders()).await.unwrap().map(|head| head.sequence) };
    let head = tokio::time::timeout(Duration::from_secs(12), head).await.expect("is read");
    assert_eq!(head, Some(1));
    schema.remove().await.unwrap();
}

async fn a_pool_gets_back_what_was_in_use_when_its_server_was_gone_without_a_word() {
    let schema = schema().await;
    ready(&schema).await;
    let store = PostgresAuditStore::new(Schema::pool_of(schema.through_proxy())).schema(&schema.name);
    let lease = acquire(&store, "a").await;
    let heartbeat = store.dedicated().await.unwrap();
    heartbeat.extend(&lease).await.unwrap();
    // Something is slow in the server, and then its machine is gone.
    let mut slow = schema.options().connect().await.unwrap();
    let lock = format!("BEGIN; SELECT * FROM {}.flamingock_locks FOR UPDATE", schema.quoted());
    slow.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(lock))).await.unwrap();
    let gone = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        schema.proxy().forget();
    };
    let extended = tokio::time::timeout(Duration::from_secs(1), heartbeat.extend(&lease));
    tokio::join!(extended, gone).0.expect_err("waits");
    slow.close().await.unwrap();
    let back = async { while heartbeat.extend(&lease).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("extends again");
    schema.remove().await.unwrap();
}

async fn an_append_has_what_the_pool_sets_up_before_it_lends_a_connection() {
    let schema = schema().await;
    let set = format!("SET search_path = {}", schema.quoted());
    let (once, again) = (set.clone(), set);
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .after_connect(move |connection, _| {
            let set = once.clone();
            Box::pin(async move { connection.execute(sqlx::AssertSqlSafe(set)).await.map(drop) })
        })
        .before_acquire(move |connection, _| {
            let set = again.clone();
            Box::pin(async move { connection.execute(sqlx::AssertSqlSafe(set)).await.map(|_| true) })
        })
        .after_release(|connection, _| {
            Box::pin(async move { connection.execute("RESET ALL").await.map(|_| true) })
        })
        .connect_with(schema.options())
        .await
        .unwrap();
    let store = PostgresAuditStore::new(pool);
    AuditStore::initialize(&store).await.unwrap();
    let office = office(&store, "run-1").await;
    append(&store, &office, &mut Chain::of(&office), &["a"]).await.unwrap();
    schema.remove().await.unwrap();
}

async fn sixteen_that_start_at_once_in_an_empty_schema_all_come_up() {
    for _ in 0..3 {
        let schema = Arc::new(schema().await);
        let starts: Vec<_> = (0..16)
            .map(|index| {
                let schema = Arc::clone(&schema);
                tokio::spawn(async move {
                    let store = PostgresAuditStore::new(schema.pool()).schema(&schema.name);
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
        schema.remove().await.unwrap();
    }
}

async fn where_creating_is_switched_off_the_error_names_what_is_missing_and_ddl_creates_it() {
    let schema = schema().await;
    let store = PostgresAuditStore::new(schema.pool())
        .schema(&schema.name)
        .table_prefix("changes_")
        .create_tables(false);
    let missing = ["`changes_entries`", "`changes_heads`", "`changes_locks`", "ddl()"];
    assert_fails(AuditStore::initialize(&store).await, BackendErrorKind::Schema, &missing);
    schema.run(&store.ddl()).await.unwrap();
    AuditStore::initialize(&store).await.unwrap();
    assert_eq!(office(&store, "run-1").await.token, FencingToken(2));
    schema.remove().await.unwrap();
}

async fn a_schema_that_is_not_there_is_one_clear_error() {
    let schema = schema().await;
    let store = PostgresAuditStore::new(schema.pool()).schema("no such schema");
    assert_eq!(store.head(&orders()).await.unwrap(), None);
    let words = ["no such schema", "create the schema"];
    assert_fails(AuditStore::initialize(&store).await, BackendErrorKind::Schema, &words);
    schema.remove().await.unwrap();
}

async fn what_cannot_work_is_refused_before_anything_runs() {
    let schema = schema().await;
    let one = PgPoolOptions::new().max_connections(1).connect_lazy_with(schema.through_proxy());
    let pool = schema.pool();
    let before = schema.proxy().round_trips();
    for (store, word) in [
        (PostgresAuditStore::new(one), "at least two"),
        (PostgresAuditStore::new(pool.clone()).table_prefix("a\"; DROP TABLE users; --"), "table prefix"),
        (PostgresAuditStore::new(pool.clone()).schema(""), "schema"),
        (PostgresAuditStore::new(pool).schema("a\0b"), "schema"),
    ] {
        assert_fails(AuditStore::initialize(&store).await, BackendErrorKind::Misconfigured, &[word]);
        assert_fails(store.head(&orders()).await, BackendErrorKind::Misconfigured, &[word]);
        assert_fails(store.dedicated().await.map(drop), BackendErrorKind::Misconfigured, &[word]);
    }
    assert_eq!(schema.proxy().round_trips(), before);
    schema.remove().await.unwrap();
}

async fn text_is_text_whatever_the_server_takes_a_backslash_for() {
    let schema = schema().await;
    let settings = [("standard_conforming_strings", "off"), ("backslash_quote", "on")];
    let pool = Schema::pool_of(schema.through_proxy().options(settings));
    let store = PostgresAuditStore::new(pool).schema(&schema.name);
    AuditStore::initialize(&store).await.unwrap();
    for text in ["\\", "\\'", "'\\''", "\\\\'; DROP SCHEMA public; --", "$$ $1 %s ?", "\u{1F9A9}", "a\nb\tc"]
    {
        let execution = Execution { id: text.to_owned(), owner: text.to_owned() };
        let history = History::new(text).tenant(text);
        store.take_office(&history, FencingToken(1), &execution).await.unwrap();
        let head = store.head(&history).await.unwrap().unwrap();
        assert_eq!((head.owner.as_str(), head.execution.as_str()), (text, text));
    }
    schema.remove().await.unwrap();
}

async fn under_the_strictest_isolation_lost_races_are_tried_again() {
    let schema = Arc::new(schema().await);
    ready(&schema).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let schema = Arc::clone(&schema);
            tokio::spawn(async move {
                let options = schema.options().options([("default_transaction_isolation", "serializable")]);
                let store = PostgresAuditStore::new(Schema::pool_of(options)).schema(&schema.name);
                for round in 0..5 {
                    office(&store, &format!("run-{task}-{round}")).await;
                    store.try_acquire(&request(&format!("owner-{task}"))).await.expect("acquire");
                    store.break_lock(&orders()).await.expect("break");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    schema.remove().await.unwrap();
}

async fn an_append_whose_answer_is_lost_is_an_error_that_says_unavailable() {
    let schema = schema().await;
    let store = ready(&schema).await;
    let office = office(&store, "run-1").await;
    schema.proxy().swallow_answers(true);
    let mut chain = Chain::of(&office);
    let lost = append(&store, &office, &mut chain, &["a"]);
    // It hangs as long as the connection does: the run bounds it. Then the connection breaks.
    let lost = tokio::time::timeout(Duration::from_millis(500), lost).await;
    assert!(lost.is_err() || lost.is_ok_and(|lost| lost.is_err_and(|error| error.is_temporary())));
    // Whether it took effect is in the head, for whoever reaches it.
    let other = PostgresAuditStore::new(Schema::pool_of(schema.options())).schema(&schema.name);
    let head = other.head(&orders()).await.unwrap().unwrap();
    let entries = other.entries(&orders(), &EntryFilter::default()).await.unwrap();
    assert_eq!(head.sequence, entries.len() as u64);
    schema.remove().await.unwrap();
}

async fn a_dropped_append_leaves_nothing_open() {
    let schema = schema().await;
    ready(&schema).await;
    let options = schema.options().application_name("dropped appends");
    let store = PostgresAuditStore::new(Schema::pool_of(options)).schema(&schema.name);
    let in_office = office(&store, "run-1").await;
    for micros in (0..4000).step_by(200) {
        let digests = vec![micros.to_string()];
        let head = HeadChange { sequence: 0, hash: ChainHash::GENESIS, digests, verdict: None };
        let append = Append { expected: 0, entries: &[], head };
        let _ = tokio::time::timeout(Duration::from_micros(micros), store.append(&in_office, &append)).await;
    }
    let mut chain = Chain::of(&in_office);
    append(&store, &in_office, &mut chain, &["a"]).await.unwrap();
    let mut connection = schema.options().connect().await.unwrap();
    let open: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM pg_stat_activity \
         WHERE application_name = 'dropped appends' AND state LIKE 'idle in transaction%'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(open, 0);
    connection.close().await.unwrap();
    schema.remove().await.unwrap();
}

async fn a_head_that_cannot_be_read_is_corrupt_and_no_panic() {
    let schema = schema().await;
    let store = ready(&schema).await;
    for damage in ["token = -1", "hash = 'v1:00'", "digests = 'none'", "verdict = '{}'", "sequence = -1"] {
        office(&store, "run-1").await;
        let quoted = schema.quoted();
        schema.run(&format!("UPDATE {quoted}.flamingock_heads SET {damage}")).await.unwrap();
        assert_fails(store.head(&orders()).await, BackendErrorKind::Corrupt, &["head of orders"]);
        schema.run(&format!("DELETE FROM {quoted}.flamingock_heads")).await.unwrap();
    }
    schema.remove().await.unwrap();
}

async fn settings_under_which_a_crash_loses_entries_are_told() {
    let schema = schema().await;
    for (mode, weak) in [("off", true), ("local", false), ("on", false)] {
        let options = schema.options().options([("synchronous_commit", mode)]);
        let mut connection = options.connect().await.unwrap();
        let weakness = Postgres::weakness(&mut connection).await.unwrap();
        // A test server may run without fsync.
        let told = weakness.as_ref().is_some_and(|told| !told.contains("fsync"));
        let fast = weakness.as_ref().is_some_and(|told| told.contains("fsync"));
        assert!(told == weak || fast, "{mode}: {weakness:?}");
        // It is a warning, not a refusal.
        let store = PostgresAuditStore::new(Schema::pool_of(options)).schema(&schema.name);
        AuditStore::initialize(&store).await.unwrap();
    }
    schema.remove().await.unwrap();
}

async fn the_heartbeat_has_what_the_pool_sets_up_on_its_connections() {
    let schema = schema().await;
    let set = format!("SET search_path = {}", schema.quoted());
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .after_connect(move |connection, _| {
            let set = set.clone();
            Box::pin(async move { connection.execute(sqlx::AssertSqlSafe(set)).await.map(drop) })
        })
        .connect_with(schema.options())
        .await
        .unwrap();
    // Without a schema: it is found by the search path.
    let store = PostgresAuditStore::new(pool);
    AuditStore::initialize(&store).await.unwrap();
    let lease = acquire(&store, "a").await;
    let heartbeat = store.dedicated().await.unwrap();
    heartbeat.extend(&lease).await.unwrap();
    assert!(heartbeat.inspect(&orders()).await.unwrap().is_some());
    heartbeat.release(&lease).await.unwrap();
    schema.remove().await.unwrap();
}

async fn who_is_not_let_in_is_told_so_without_the_password() {
    let schema = schema().await;
    let options = schema.options().username("nobody-of-this-name").password("s3cret-and-wrong");
    let error = PostgresAuditStore::connect_with(options).await.expect_err("nobody");
    assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
    let shown = format!("{error} {error:?} {:?}", Error::source(&error));
    assert!(!shown.contains("s3cret") && !shown.contains("nobody-of-this-name@"), "{shown}");

    let nowhere = schema.options().database("no-such-database");
    let error = PostgresAuditStore::connect_with(nowhere).await;
    assert_fails(error, BackendErrorKind::Misconfigured, &["create the database"]);
    schema.remove().await.unwrap();
}

async fn a_url_that_is_not_understood_is_not_shown() {
    for url in
        ["postgres://ann:s3cret@host:port/db", "ann:s3cret@host", "postgres://ann:s3cret@host/db?sslmode=x"]
    {
        let error = PostgresAuditStore::connect(url).await.expect_err("no URL");
        assert_eq!(error.kind(), BackendErrorKind::Misconfigured, "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
    let options: PgConnectOptions = "postgres://ann:s3cret@127.0.0.1:1/db".parse().unwrap();
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(300)).connect_lazy_with(options);
    let store = PostgresAuditStore::new(pool);
    let error = store.head(&orders()).await.expect_err("nobody is there");
    assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
    let shown = format!("{store:?} {} {error} {error:?}", store.address());
    assert!(!shown.contains("s3cret"), "{shown}");
}
