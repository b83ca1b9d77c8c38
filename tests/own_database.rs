//! `#[flamingock::test]`: databases of a test's own, made, removed, kept, and shared by nobody.
#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use flamingock::FlamingockBuilder;
use flamingock::prelude::CodeChange;
use flamingock::sqlx::{AssertSqlSafe, MySqlPool, PgPool, Row as _, SqlitePool, raw_sql};
use flamingock::testing::conformance::{Suite, run};
use flamingock::testing::{FlamingockTest, Moment, after, apply_rollback_apply, before, entry};
use flamingock_tests::kinds::Kind;

fn main() -> ExitCode {
    macro_rules! suites {
        ($($kind:expr => $module:ident),* $(,)?) => {
            [$({
                let mut suite = Suite::new("own-database", $kind.name(), move || $kind.available())
                    .timeout(Duration::from_secs(120));
                for (name, case) in $module::CASES {
                    // A test makes a runtime of its own.
                    suite.case(name, move || Box::pin(async move {
                        if let Err(panic) = tokio::task::spawn_blocking(case).await.map_err(|e| e.into_panic()) {
                            std::panic::resume_unwind(panic);
                        }
                    }));
                }
                suite
            }),*]
        };
    }
    run(suites![
        Kind::Sqlite => sqlite,
        Kind::Postgres => postgres,
        Kind::MariaDb => mariadb,
        Kind::MySql => mysql,
    ])
}

/// What a test that was run leaves behind for the one that looks at it.
type Seen = Mutex<Option<String>>;

fn note(seen: &Seen, name: String) {
    *seen.lock().expect("nobody panics here") = Some(name);
}

fn noted(seen: &Seen) -> String {
    seen.lock().expect("nobody panics here").take().expect("the test ran")
}

/// The message of a test that fails.
fn failure(test: fn()) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(test)) else { panic!("it passed") };
    *panic.downcast::<String>().expect("a message")
}

/// Dies before and after each moment of the application's only change; the next start settles it.
async fn crash_everywhere<C: CodeChange>(app: impl Fn() -> FlamingockBuilder) {
    let moments =
        [Moment::Started, Moment::Marker, Moment::Apply, Moment::Finish, Moment::Commit, Moment::Applied];
    for moment in moments {
        for crash in [before(moment.of::<C>()), after(moment.of::<C>())] {
            let settled = FlamingockTest::given(app())
                .crash_at(crash)
                .when_run()
                .await
                .then_crashed()
                .when_run_again()
                .await
                .then_final_states([entry::<C>().applied()]);
            // So that it is to be applied in the next round.
            settled.when_undone::<C>().await.then_final_states([entry::<C>().rolled_back()]);
        }
    }
    FlamingockTest::given(app())
        .lose_answer(Moment::Commit.of::<C>())
        .when_run()
        .await
        .then_audit([entry::<C>().started(), entry::<C>().applied()]);
}

mod sqlite {
    use std::path::Path;

    use flamingock::prelude::*;
    use flamingock::sqlx::SqliteConnection;

    use super::*;

    flamingock::change_set!(CHANGES);

    struct CreateOrders;

    #[change(id = "create-orders", order = 1, target_system = "orders-db")]
    impl CreateOrders {
        #[apply]
        async fn apply(db: &mut SqliteConnection) -> ChangeResult {
            raw_sql("CREATE TABLE orders (id INTEGER)").execute(db).await?;
            Ok(())
        }

        #[rollback]
        async fn rollback(db: &mut SqliteConnection) -> ChangeResult {
            raw_sql("DROP TABLE orders").execute(db).await?;
            Ok(())
        }
    }

    pub(super) const CASES: [(&str, fn()); 7] = [
        ("a_crash_at_any_moment_is_settled_by_the_next_start", crashes),
        ("what_is_applied_can_be_undone_and_applied_again", stairway),
        ("each_has_a_file_that_goes", each_has_a_file_that_goes),
        ("a_failed_one_keeps_it_and_says_where", a_failed_one_keeps_it_and_says_where),
        ("one_that_should_panic_passes_when_it_does", one_that_should_panic_passes_when_it_does),
        ("changes_are_applied", changes_are_applied),
        ("there_may_be_several_or_none", there_may_be_several_or_none),
    ];

    static FILE: Seen = Mutex::new(None);

    async fn file(pool: &SqlitePool) -> String {
        let row = raw_sql("SELECT file FROM pragma_database_list").fetch_one(pool).await.expect("is open");
        row.try_get(0).expect("a path")
    }

    fn app(pool: &SqlitePool) -> FlamingockBuilder {
        Flamingock::builder()
            .service("orders")
            .changes(CHANGES)
            .audit_store(SqliteAuditStore::new(pool.clone()))
            .target(SqliteTarget::new("orders-db", pool.clone()))
    }

    #[flamingock::test(harness = false)]
    async fn crashes(pool: SqlitePool) {
        crash_everywhere::<CreateOrders>(|| app(&pool)).await;
    }

    #[flamingock::test(harness = false)]
    async fn stairway(pool: SqlitePool) {
        apply_rollback_apply::<CreateOrders>(app(&pool)).await;
    }

    #[flamingock::test(harness = false)]
    async fn passes(pool: SqlitePool) {
        raw_sql("CREATE TABLE t (id INTEGER)").execute(&pool).await.expect("is empty");
        note(&FILE, file(&pool).await);
    }

    fn each_has_a_file_that_goes() {
        passes();
        let first = noted(&FILE);
        passes();
        assert_ne!(first, noted(&FILE));
        assert!(!Path::new(&first).parent().expect("a folder").exists());
    }

    #[flamingock::test(harness = false)]
    async fn fails(pool: SqlitePool) -> Result<(), flamingock::sqlx::Error> {
        raw_sql("SELECT * FROM nowhere").execute(&pool).await.map(drop)
    }

    fn a_failed_one_keeps_it_and_says_where() {
        let message = failure(fails);
        assert!(message.contains("no such table: nowhere"), "{message}");
        let (_, file) = message.split_once("\nkept: sqlite://").expect("it says where");
        assert!(Path::new(file).exists());
        std::fs::remove_dir_all(Path::new(file).parent().expect("a folder")).expect("goes");
    }

    #[flamingock::test(harness = false)]
    #[should_panic]
    async fn panics(pool: SqlitePool) {
        note(&FILE, file(&pool).await);
        panic!("nothing is in stock");
    }

    #[flamingock::test(harness = false)]
    #[should_panic(expected = "in stock")]
    async fn panics_as_expected(pool: SqlitePool) {
        note(&FILE, file(&pool).await);
        panic!("{} is in stock", "nothing");
    }

    #[flamingock::test(harness = false)]
    #[should_panic(expected = "out of stock")]
    async fn panics_otherwise(pool: SqlitePool) {
        note(&FILE, file(&pool).await);
        panic!("nothing is in stock");
    }

    #[flamingock::test(harness = false)]
    #[should_panic]
    async fn does_not_panic(pool: SqlitePool) {
        note(&FILE, file(&pool).await);
    }

    fn one_that_should_panic_passes_when_it_does() {
        let tests: [(fn(), bool, bool); 4] = [
            (panics, true, false),
            (panics_as_expected, true, false),
            (panics_otherwise, true, true),
            (does_not_panic, false, true),
        ];
        for (test, does, keeps) in tests {
            assert_eq!(catch_unwind(test).is_err(), does);
            let file = noted(&FILE);
            let folder = Path::new(&file).parent().expect("a folder");
            assert_eq!(folder.exists(), keeps, "{file}");
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    #[flamingock::test(harness = false, changes = CHANGES, service = "orders")]
    async fn with_changes(pool: SqlitePool) {
        raw_sql("INSERT INTO orders VALUES (1)").execute(&pool).await.expect("the table is there");
        let report = app(&pool).build().expect("is right").run().await.expect("is up to date");
        assert_eq!(report.changes.already_applied, 1);
    }

    fn changes_are_applied() {
        with_changes();
    }

    #[flamingock::test(harness = false)]
    async fn two(first: SqlitePool, mut second: SqlitePool) {
        assert_ne!(file(&first).await, file(&second).await);
        second = first;
        drop(second);
    }

    #[flamingock::test(harness = false)]
    async fn none() {
        tokio::task::yield_now().await;
    }

    fn there_may_be_several_or_none() {
        two();
        none();
    }
}

mod postgres {
    use flamingock::prelude::*;
    use flamingock::sqlx::PgConnection;

    use super::*;

    flamingock::change_set!(CHANGES);

    struct CreateOrders;

    #[change(id = "create-orders", order = 1, target_system = "orders-db")]
    impl CreateOrders {
        #[apply]
        async fn apply(db: &mut PgConnection) -> ChangeResult {
            raw_sql("CREATE TABLE orders (id INTEGER)").execute(db).await?;
            Ok(())
        }

        #[rollback]
        async fn rollback(db: &mut PgConnection) -> ChangeResult {
            raw_sql("DROP TABLE orders").execute(db).await?;
            Ok(())
        }
    }

    pub(super) const CASES: [(&str, fn()); 8] = [
        ("a_crash_at_any_moment_is_settled_by_the_next_start", crashes),
        ("what_is_applied_can_be_undone_and_applied_again", stairway),
        ("each_has_a_database_that_goes", each_has_a_database_that_goes),
        ("a_failed_one_keeps_it_and_says_where", a_failed_one_keeps_it_and_says_where),
        ("each_build_has_a_template_of_its_own", each_build_has_a_template_of_its_own),
        ("changes_are_applied", with_changes),
        ("a_missing_server_is_said", a_missing_server_is_said),
        ("what_was_abandoned_goes", what_was_abandoned_goes),
    ];

    static NAME: Seen = Mutex::new(None);

    async fn databases(like: &str) -> Vec<String> {
        let url = std::env::var("FLAMINGOCK_TEST_POSTGRES_URL").expect("is set");
        let server = PgPool::connect(&url).await.expect("is there");
        let sql = format!("SELECT datname::text FROM pg_database WHERE datname LIKE '{like}'");
        let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&server).await.expect("is readable");
        rows.iter().map(|row| row.try_get(0).expect("a name")).collect()
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }

    async fn current(pool: &PgPool) -> String {
        let row = raw_sql("SELECT current_database()::text").fetch_one(pool).await.expect("is open");
        row.try_get(0).expect("a name")
    }

    fn app(pool: &PgPool) -> FlamingockBuilder {
        Flamingock::builder()
            .service("orders")
            .changes(CHANGES)
            .audit_store(PostgresAuditStore::new(pool.clone()))
            .target(PostgresTarget::new("orders-db", pool.clone()))
    }

    #[flamingock::test(harness = false)]
    async fn crashes(pool: PgPool) {
        crash_everywhere::<CreateOrders>(|| app(&pool)).await;
    }

    #[flamingock::test(harness = false)]
    async fn stairway(pool: PgPool) {
        apply_rollback_apply::<CreateOrders>(app(&pool)).await;
    }

    #[flamingock::test(harness = false)]
    async fn passes(pool: PgPool) {
        note(&NAME, current(&pool).await);
        // A connection that is never given back does not keep the database.
        let _connection = std::mem::ManuallyDrop::new(pool.acquire().await.expect("connects"));
    }

    fn each_has_a_database_that_goes() {
        passes();
        let first = noted(&NAME);
        passes();
        assert_ne!(first, noted(&NAME));
        assert_eq!(now(databases(&first)), Vec::<String>::new());
    }

    #[flamingock::test(harness = false)]
    async fn fails(pool: PgPool) -> Result<(), flamingock::sqlx::Error> {
        raw_sql("SELECT * FROM nowhere").execute(&pool).await.map(drop)
    }

    fn a_failed_one_keeps_it_and_says_where() {
        let message = failure(fails);
        assert!(message.contains("nowhere"), "{message}");
        let (_, url) = message.split_once("\nkept: postgres").expect("it says where");
        let (server, name) = url.rsplit_once('/').expect("a URL");
        assert!(!server.contains("s3cret"), "{message}");
        assert_eq!(now(databases(name)), [name]);
    }

    #[flamingock::test(harness = false, changes = CHANGES, service = "orders")]
    async fn with_changes(pool: PgPool) {
        raw_sql("INSERT INTO orders VALUES (1)").execute(&pool).await.expect("the table is there");
        let row = raw_sql("SELECT count(*) FROM orders").fetch_one(&pool).await.expect("is readable");
        assert_eq!(row.try_get::<i64, _>(0).expect("a number"), 1, "nobody else writes here");
        let report = app(&pool).build().expect("is right").run().await.expect("is up to date");
        assert_eq!(report.changes.already_applied, 1);
    }

    fn each_build_has_a_template_of_its_own() {
        let templates = || now(databases("flamingock\\_template\\_%"));
        let before = templates().len();
        let tests: Vec<_> = (0..4).map(|_| std::thread::spawn(with_changes)).collect();
        for test in tests {
            test.join().expect("passes");
        }
        let made = templates().len() - before;
        assert!(made <= 1, "{made} templates were made");
        with_changes();
        assert_eq!(templates().len(), before + made);

        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("own-database");
        std::fs::copy(std::env::current_exe().expect("a program"), &program).expect("is copied");
        for _ in 0..2 {
            let case = ["--exact", "postgres::own-database::changes_are_applied"];
            let ran = std::process::Command::new(&program).args(case).output().expect("runs");
            assert!(ran.status.success(), "{ran:?}");
        }
        assert_eq!(templates().len(), before + made + 1);
    }

    #[flamingock::test(harness = false, env = "FLAMINGOCK_TEST_NOWHERE_URL")]
    async fn without_a_variable(_pool: PgPool) {}

    #[flamingock::test(harness = false, url = "postgres://ada:s3cret@127.0.0.1:1/orders")]
    async fn without_a_server(_pool: PgPool) {}

    #[flamingock::test(harness = false, url = "mysql://127.0.0.1:1/orders")]
    async fn with_another_server(_pool: PgPool) {}

    #[flamingock::test(harness = false, url = "postgres://ada:s3cret@localhost:port/orders")]
    async fn with_half_a_url(_pool: PgPool) {}

    fn a_missing_server_is_said() {
        assert_eq!(
            failure(without_a_variable),
            "this test needs a PostgreSQL server: set FLAMINGOCK_TEST_NOWHERE_URL to its URL, such as \
             `postgres://user:password@localhost:5432/postgres`, of a user that may create databases"
        );
        let message = failure(without_a_server);
        assert!(message.starts_with("postgres://ada@127.0.0.1:1/orders was not reached: "), "{message}");
        assert!(!message.contains("s3cret"), "{message}");
        let message = failure(with_half_a_url);
        assert!(
            message.contains("`url` is no URL of one (error with configuration: invalid port"),
            "{message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
        assert_eq!(
            failure(with_another_server),
            "this test needs a PostgreSQL server, and `url` names none: its value should be like \
             `postgres://user:password@localhost:5432/postgres`"
        );
    }

    fn what_was_abandoned_goes() {
        let url = std::env::var("FLAMINGOCK_TEST_POSTGRES_URL").expect("is set");
        let old = "flamingock_test_1700000000_1_0";
        now(async {
            let server = PgPool::connect(&url).await.expect("is there");
            let _ = raw_sql("CREATE DATABASE flamingock_test_1700000000_1_0").execute(&server).await;
        });
        // Another process: here it was looked for already, maybe.
        let program = std::env::current_exe().expect("a program");
        let case = "postgres::own-database::each_has_a_database_that_goes";
        let ran = std::process::Command::new(program).args(["--exact", case]).output().expect("runs");
        assert!(ran.status.success(), "{ran:?}");
        assert_eq!(now(databases(old)), Vec::<String>::new());
    }
}

/// MariaDB and MySQL.
macro_rules! mysql {
    ($module:ident, $env:literal) => {
        mod $module {
            use flamingock::prelude::*;
            use flamingock::sqlx::MySqlConnection;

            use super::*;

            flamingock::change_set!(CHANGES);

            struct CreateOrders;

            #[change(id = "create-orders", order = 1, target_system = "orders-db")]
            impl CreateOrders {
                #[apply]
                async fn apply(db: &mut MySqlConnection) -> ChangeResult {
                    raw_sql("CREATE TABLE orders (id INTEGER)").execute(db).await?;
                    Ok(())
                }
            }

            pub(super) const CASES: [(&str, fn()); 4] = [
                ("ddl_before_a_crash_is_an_issue", ddl_before_a_crash_is_an_issue),
                ("each_has_a_database_that_goes", each_has_a_database_that_goes),
                ("a_failed_one_keeps_it_and_says_where", a_failed_one_keeps_it_and_says_where),
                ("changes_are_applied", with_changes),
            ];

            static NAME: Seen = Mutex::new(None);

            fn exists(name: &str) -> bool {
                let url = std::env::var($env).expect("is set");
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    let server = MySqlPool::connect(&url).await.expect("is there");
                    let sql = format!("SHOW DATABASES LIKE '{name}'");
                    raw_sql(AssertSqlSafe(sql)).fetch_optional(&server).await.expect("is readable").is_some()
                })
            }

            #[flamingock::test(harness = false, env = $env)]
            async fn ddl_before_a_crash_is_an_issue(pool: MySqlPool) {
                let app = Flamingock::builder()
                    .service("orders")
                    .changes(CHANGES)
                    .audit_store(MySqlAuditStore::new(pool.clone()))
                    .target(MySqlTarget::new("orders-db", pool));
                FlamingockTest::given(app)
                    .crash_at(after(Moment::Apply.of::<CreateOrders>()))
                    .when_run()
                    .await
                    .then_audit([entry::<CreateOrders>().started()])
                    .when_run_again()
                    .await
                    .then_issue::<CreateOrders>()
                    .then_nothing_more();
            }

            #[flamingock::test(harness = false, env = $env)]
            async fn passes(pool: MySqlPool) {
                let row = raw_sql("SELECT DATABASE()").fetch_one(&pool).await.expect("is open");
                note(&NAME, row.try_get(0).expect("a name"));
            }

            fn each_has_a_database_that_goes() {
                passes();
                let first = noted(&NAME);
                passes();
                assert_ne!(first, noted(&NAME));
                assert!(!exists(&first));
            }

            #[flamingock::test(harness = false, env = $env)]
            async fn fails(pool: MySqlPool) -> Result<(), flamingock::sqlx::Error> {
                raw_sql("SELECT * FROM nowhere").execute(&pool).await.map(drop)
            }

            fn a_failed_one_keeps_it_and_says_where() {
                let message = failure(fails);
                assert!(message.contains("nowhere"), "{message}");
                let (_, url) = message.split_once("\nkept: mysql").expect("it says where");
                let (_, name) = url.rsplit_once('/').expect("a URL");
                assert!(exists(name), "{message}");
            }

            #[flamingock::test(
                                        harness = false, env = $env, changes = CHANGES, service = "orders"
                                    )]
            async fn with_changes(pool: MySqlPool) {
                raw_sql("INSERT INTO orders VALUES (1)").execute(&pool).await.expect("the table is there");
            }
        }
    };
}

mysql!(mariadb, "FLAMINGOCK_TEST_MARIADB_URL");
mysql!(mysql, "FLAMINGOCK_TEST_MYSQL_URL");
