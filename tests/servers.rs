//! What servers do to changes: implicit commits, lost answers, failures, waiting indexes.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flamingock::RunErrorKind;
use flamingock::report::{ChangeOutcome, Report, RunStatus};
use flamingock::sqlx::{PgPool, Row as _, raw_sql};
use flamingock::{Flamingock, RunError};
use flamingock_testing::conformance::{Suite, run};
use flamingock_tests::changes::Hold;
use flamingock_tests::kinds::{Fresh, Kind};
use flamingock_tests::place::{Place, Scenario};
use flamingock_tests::proxy::{self, Proxy};
use flamingock_tests::replicas::Replicas;

fn main() -> ExitCode {
    run(Kind::ALL.into_iter().map(|kind| {
        let mut suite =
            Suite::new("servers", kind.name(), move || kind.available()).timeout(Duration::from_secs(120));
        macro_rules! cases {
            ($($case:ident),* $(,)?) => {{
                $(suite.case(stringify!($case), move || Box::pin($case(kind)));)*
            }};
        }
        cases![a_failed_change_leaves_the_lock_free_and_the_corrected_one_goes_on];
        match kind {
            Kind::Sqlite | Kind::SqliteOneFile | Kind::PostgresRedisLock => {
                cases![ddl_that_fails_half_way_leaves_nothing];
            }
            Kind::Redis | Kind::MongoDb | Kind::DynamoDb => {
                cases![a_server_that_never_answers_is_one_clear_error_in_time];
            }
            Kind::Postgres => cases![
                ddl_that_fails_half_way_leaves_nothing,
                a_commit_whose_answer_is_lost_takes_effect_once_and_is_known,
                of_two_that_build_an_index_concurrently_both_end_well,
                a_start_with_nothing_to_do_is_one_statement,
            ],
            Kind::PgBouncer => cases![
                ddl_that_fails_half_way_leaves_nothing,
                of_two_that_build_an_index_concurrently_both_end_well,
            ],
            Kind::MariaDb | Kind::MySql => cases![
                ddl_that_fails_half_way_is_an_issue_that_says_partially_applied,
                a_commit_whose_answer_is_lost_takes_effect_once_and_is_known,
            ],
        }
        suite
    }))
}

async fn fresh(kind: Kind) -> Fresh {
    kind.fresh().await.expect("a place")
}

async fn app(place: &Place, scenario: Scenario) -> Flamingock {
    let builder = place.builder().await.expect("opens");
    let builder = builder.dependency(Hold(None)).operation_timeout(Duration::from_secs(5));
    place.changes(scenario, builder).build().expect("is right")
}

async fn start(place: &Place, scenario: Scenario) -> Result<Report, RunError> {
    app(place, scenario).await.run().await
}

async fn effects(place: &Place) -> BTreeMap<String, usize> {
    place.effects().await.expect("is readable")
}

fn once<const N: usize>(ids: [&str; N]) -> BTreeMap<String, usize> {
    ids.into_iter().map(|id| (id.to_owned(), 1)).collect()
}

async fn a_failed_change_leaves_the_lock_free_and_the_corrected_one_goes_on(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    let error = start(place, Scenario::Before).await.expect_err("the second change fails");
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed, "{error}");
    assert!(error.to_string().contains("no_such_table"), "{error}");
    let began = Instant::now();
    let report = start(place, Scenario::After).await.expect("goes on");
    assert!(began.elapsed() < Duration::from_secs(10), "waited for the lock: {:?}", began.elapsed());
    assert_eq!((report.changes.applied, report.changes.already_applied), (1, 1));
    assert_eq!(effects(place).await, once(["first", "second"]));
}

async fn ddl_that_fails_half_way_leaves_nothing(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    for _ in 0..2 {
        // The second time, too: the column of the first statement is not there.
        let error = start(place, Scenario::SecondStatement).await.expect_err("fails");
        let failing = error.report().failing().next().expect("is reported");
        assert_eq!(failing.outcome, ChangeOutcome::RolledBack, "{error}");
        assert!(error.to_string().contains("no_such_table"), "{error}");
    }
}

async fn ddl_that_fails_half_way_is_an_issue_that_says_partially_applied(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    let error = start(place, Scenario::SecondStatement).await.expect_err("fails");
    let failing = error.report().failing().next().expect("is reported");
    assert_eq!(failing.outcome, ChangeOutcome::Failed, "{error}");
    for _ in 0..2 {
        let error = start(place, Scenario::SecondStatement).await.expect_err("is not run again by itself");
        assert_eq!(error.kind(), RunErrorKind::Issue);
        assert!(error.to_string().contains("partially applied"), "{error}");
    }
}

async fn a_commit_whose_answer_is_lost_takes_effect_once_and_is_known(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    let proxy = Proxy::in_front_of(proxy::server(&place.database).expect("a server")).await.expect("listens");
    let proxy = proxy.losing_a_commit();
    let database = proxy.url(&place.database).expect("a URL");
    let proxied = Place { database, ..place.clone() };
    let outcome = start(&proxied, Scenario::Transactional).await;
    assert!(proxy.has_swallowed(), "no commit went through the proxy");
    if let Err(error) = outcome {
        let failing = error.report().failing().next().expect("is reported");
        assert_eq!(failing.outcome, ChangeOutcome::Unknown, "never rolled back while it lands: {error}");
    }
    start(place, Scenario::Transactional).await.expect("ends up to date");
    assert_eq!(effects(place).await, once(["one", "two", "three"]));
}

async fn of_two_that_build_an_index_concurrently_both_end_well(kind: Kind) {
    for _ in 0..3 {
        let Fresh { place, .. } = &fresh(kind).await;
        let program = env!("CARGO_BIN_EXE_replica");
        Replicas { program, scenario: "concurrently", place }.run_together(2).expect("both end well");
    }
}

async fn a_server_that_never_answers_is_one_clear_error_in_time(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    let silent = proxy::Silent::new().await.expect("listens");
    let audit = silent.url(&place.audit).expect("a URL");
    let place = Place { audit, ..place.clone() };
    let began = Instant::now();
    // Some connect at once, others with the first operation.
    let error = match place.builder().await {
        Ok(builder) => {
            let builder = builder.dependency(Hold(None)).operation_timeout(Duration::from_secs(5));
            let app = place.changes(Scenario::Manual, builder).build();
            app.expect("is right").run().await.expect_err("nobody answers").to_string()
        }
        Err(error) => error.to_string(),
    };
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // A client does not tell the endpoint that it was given.
    assert!(error.contains(&silent.address()) || error.contains("dynamodb://?table="), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

async fn a_start_with_nothing_to_do_is_one_statement(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    start(place, Scenario::Transactional).await.expect("applies");
    let app = app(place, Scenario::Transactional).await;
    // The first statement on a connection is sqlx's own.
    app.run().await.expect("is up to date");
    let statistics = PgPool::connect(&place.database).await.expect("connects");
    raw_sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        .execute(&statistics)
        .await
        .expect("is installed");
    let statements = async || {
        let count = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements \
                     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                     AND query NOT LIKE '%pg_stat_statements%'";
        let row = raw_sql(count).fetch_one(&statistics).await.expect("counts");
        row.try_get::<i64, _>(0).expect("a number")
    };
    let before = statements().await;
    for _ in 0..10 {
        assert_eq!(app.run().await.expect("is up to date").status, RunStatus::NoChanges);
    }
    assert_eq!(statements().await - before, 10);
}
