//! What is particular to MySQL and MariaDB, on each of the two that is given: DDL that commits by itself,
//! sessions that are ended from outside, who is in the way, limits.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

#[path = "../../../stores/sql/tests/server/mod.rs"]
mod server;

use std::any::TypeId;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flamingock_core::lock::FencingToken;
use flamingock_core::target::{
    Begun, Fence, FenceRaised, Marker, MarkerState, MarkerUpdate, Markers, Mode, Session, TargetSystem,
};
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_target_sql::MySqlTarget;
use flamingock_testing::conformance::{Suite, run};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use self::server::add_cases;
use self::server::mysql::{Brand, Database, pool_of};

fn main() -> ExitCode {
    run(Brand::ALL.map(|brand| {
        let mut suite = Suite::new("target", brand.name(), move || brand.available());
        add_cases!(
            suite of brand,
            a_second_ddl_statement_that_fails_leaves_begun,
            a_change_that_goes_to_another_database_is_done,
            who_locks_whole_tables_is_not_waited_for_longer_than_the_lock_timeout,
            a_ddl_statement_that_fails_has_committed_what_was_before_it,
            a_change_with_ddl_that_succeeds_is_done,
            a_plain_change_that_leaves_a_transaction_open_fails_and_nothing_of_that_stays,
            what_follows_a_ddl_statement_is_rolled_back,
            a_newer_fence_raised_after_a_ddl_statement_is_noticed_whatever_was_read_before,
            the_error_of_a_wait_says_which_change_is_in_the_way,
            a_fence_that_something_else_has_locked_is_not_waited_for_for_ever,
            a_session_in_the_middle_of_a_statement_is_ended_from_outside,
            a_session_that_is_aborted_in_the_middle_of_a_statement_is_gone,
            the_session_of_another_server_cannot_be_told_to_be_gone,
            sessions_have_their_own_settings_and_the_pool_keeps_its_own,
            ids_that_differ_in_trailing_spaces_or_case_have_markers_of_their_own,
            a_frozen_session_is_ended_by_the_server,
            check_says_what_is_wrong,
        );
        suite
    }))
}

/// A target with a raised fence and a table `users`.
struct Place {
    database: Database,
    pool: MySqlPool,
    target: MySqlTarget,
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

fn connection(session: &mut Box<dyn Session>) -> &mut MySqlConnection {
    session.handle(TypeId::of::<MySqlConnection>()).unwrap().downcast_mut().unwrap()
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

impl Place {
    async fn new(brand: Brand) -> Self {
        let database = Database::new(brand).await.unwrap();
        database.run_in("CREATE TABLE users (name VARCHAR(100))").await.unwrap();
        let pool = database.pool();
        let target = MySqlTarget::new("orders-db", pool.clone()).lock_timeout(Duration::from_secs(1));
        let fence = fence(2);
        assert_eq!(target.raise_fence(&fence).await.unwrap(), FenceRaised::Raised);
        Self { database, pool, target, fence }
    }

    /// A session in which a change has begun.
    async fn begun(&self) -> Box<dyn Session> {
        let mut session = self.target.open(Mode::Transactional).await.unwrap();
        assert_eq!(session.begin_marker(&self.fence, &update()).await.unwrap(), Begun::Written);
        session
    }

    async fn marker(&self) -> Option<Marker> {
        self.target.marker(&orders(), "add-users").await.unwrap()
    }

    async fn state(&self) -> Option<MarkerState> {
        self.marker().await.map(|marker| marker.state)
    }

    async fn users(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(&self.pool).await.unwrap()
    }

    async fn remove(self) {
        self.pool.close().await;
        self.database.remove().await.unwrap();
    }
}

const INSERT: &str = "INSERT INTO users VALUES ('ann')";
const ALTER: &str = "ALTER TABLE users ADD COLUMN age INT";

async fn a_second_ddl_statement_that_fails_leaves_begun(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(ALTER).await.unwrap();
    let failed = connection(&mut session).execute("ALTER TABLE missing ADD COLUMN age INT").await;
    assert!(failed.is_err());
    session.rollback().await.unwrap();
    assert_eq!(place.state().await, Some(MarkerState::Begun));
    place.remove().await;
}

async fn a_ddl_statement_that_fails_has_committed_what_was_before_it(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(INSERT).await.unwrap();
    let failed = connection(&mut session).execute("ALTER TABLE users DROP COLUMN no_such_column").await;
    assert!(failed.is_err());
    session.rollback().await.unwrap();
    // The marker says what is so: something in the change committed by itself.
    assert_eq!((place.state().await, place.users().await), (Some(MarkerState::Begun), 1));
    place.remove().await;
}

async fn a_change_with_ddl_that_succeeds_is_done(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(INSERT).await.unwrap();
    connection(&mut session).execute(ALTER).await.unwrap();
    // In a new transaction, with the marker's last word.
    connection(&mut session).execute("INSERT INTO users VALUES ('bob', 42)").await.unwrap();
    assert_eq!(place.users().await, 1);
    session.finish_marker(&update()).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(place.state().await, Some(MarkerState::Done));
    assert_eq!(place.users().await, 2);
    place.remove().await;
}

async fn a_change_that_goes_to_another_database_is_done(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(INSERT).await.unwrap();
    // As dumps of several databases do; this one is there for everybody.
    connection(&mut session).execute("USE information_schema").await.unwrap();
    session.finish_marker(&update()).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!((place.state().await, place.users().await), (Some(MarkerState::Done), 1));
    place.remove().await;
}

async fn who_locks_whole_tables_is_not_waited_for_longer_than_the_lock_timeout(brand: Brand) {
    let place = Place::new(brand).await;
    let mut other = place.database.options().connect().await.unwrap();
    other.execute("LOCK TABLES flamingock_fences WRITE, flamingock_markers WRITE").await.unwrap();
    let fence = fence(3);
    let raised = tokio::time::timeout(Duration::from_secs(8), place.target.raise_fence(&fence)).await;
    assert_fails(raised.expect("is not waited for"), BackendErrorKind::Unavailable, &["another session"]);
    other.close().await.unwrap();
    place.remove().await;
}

async fn a_plain_change_that_leaves_a_transaction_open_fails_and_nothing_of_that_stays(brand: Brand) {
    let place = Place::new(brand).await;
    for left in ["BEGIN", "SET autocommit = 0"] {
        let mut session = place.target.open(Mode::Plain).await.unwrap();
        for statement in [INSERT, left, INSERT] {
            connection(&mut session).execute(statement).await.unwrap();
        }
        assert_fails(session.commit().await, BackendErrorKind::Other, &["left a transaction open", "COMMIT"]);
    }
    assert_eq!(place.users().await, 2);
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    for statement in ["BEGIN", INSERT, "COMMIT"] {
        connection(&mut session).execute(statement).await.unwrap();
    }
    session.commit().await.unwrap();
    assert_eq!(place.users().await, 3);
    place.remove().await;
}

async fn what_follows_a_ddl_statement_is_rolled_back(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(ALTER).await.unwrap();
    connection(&mut session).execute("INSERT INTO users VALUES ('bob', 42)").await.unwrap();
    session.rollback().await.unwrap();
    assert_eq!((place.state().await, place.users().await), (Some(MarkerState::Begun), 0));
    place.remove().await;
}

async fn a_newer_fence_raised_after_a_ddl_statement_is_noticed_whatever_was_read_before(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(ALTER).await.unwrap();
    // The new transaction has its view of the database now, with the old fence in it.
    connection(&mut session).execute("SELECT * FROM flamingock_fences").await.unwrap();
    assert_eq!(place.target.raise_fence(&fence(3)).await.unwrap(), FenceRaised::Raised);
    let finished = session.finish_marker(&update()).await;
    // MariaDB refuses to lock a row that has changed since it was read, from 11.6.2 on.
    let error = finished.expect_err("the fence is another's");
    assert!(error.is_lease_lost() || error.is_temporary(), "{error}");
    session.rollback().await.unwrap();
    assert_eq!(place.state().await, Some(MarkerState::Begun));
    place.remove().await;
}

async fn the_error_of_a_wait_says_which_change_is_in_the_way(brand: Brand) {
    let place = Place::new(brand).await;
    let session = place.begun().await;
    let began = Instant::now();
    let looked = place.target.marker(&orders(), "another").await;
    let words = ["change `add-users`", "run run-2", "session "];
    assert_fails(looked, BackendErrorKind::Unavailable, &words);
    assert!(began.elapsed() < Duration::from_secs(5));
    session.rollback().await.unwrap();
    place.remove().await;
}

async fn a_fence_that_something_else_has_locked_is_not_waited_for_for_ever(brand: Brand) {
    let place = Place::new(brand).await;
    let mut other = place.database.options().connect().await.unwrap();
    other.execute("START TRANSACTION; SELECT * FROM flamingock_fences FOR UPDATE").await.unwrap();
    let raised = place.target.raise_fence(&fence(3)).await;
    assert_fails(raised, BackendErrorKind::Unavailable, &["another session holds a lock"]);
    other.close().await.unwrap();
    assert_eq!(place.target.raise_fence(&fence(3)).await.unwrap(), FenceRaised::Raised);
    place.remove().await;
}

async fn a_session_in_the_middle_of_a_statement_is_ended_from_outside(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(ALTER).await.unwrap();
    let name = place.marker().await.unwrap().session.expect("a session");
    let sleeping = tokio::spawn(async move {
        let slept = connection(&mut session).execute("INSERT INTO users SELECT SLEEP(20), 1").await;
        (session, slept.is_err())
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    place.target.end_session(&name).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let (session, failed) = sleeping.await.unwrap();
    assert!(failed);
    assert!(session.commit().await.is_err());
    assert_eq!((place.state().await, place.users().await), (Some(MarkerState::Begun), 0));
    // Again, of one that is gone.
    place.target.end_session(&name).await.unwrap();
    place.remove().await;
}

async fn a_session_that_is_aborted_in_the_middle_of_a_statement_is_gone(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    connection(&mut session).execute(INSERT).await.unwrap();
    let body = connection(&mut session).execute("SELECT SLEEP(20)");
    assert!(tokio::time::timeout(Duration::from_millis(300), body).await.is_err());
    let began = Instant::now();
    session.abort().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((place.state().await, place.users().await), (None, 0));
    place.remove().await;
}

async fn the_session_of_another_server_cannot_be_told_to_be_gone(brand: Brand) {
    let place = Place::new(brand).await;
    let elsewhere = "12/flamingock-00000000000000000000000000000000@elsewhere:3306";
    assert_fails(place.target.end_session(elsewhere).await, BackendErrorKind::Other, &["on another server"]);
    assert_fails(place.target.end_session("nonsense").await, BackendErrorKind::Corrupt, &["nonsense"]);
    place.remove().await;
}

async fn sessions_have_their_own_settings_and_the_pool_keeps_its_own(brand: Brand) {
    const SETTINGS: &str = "SELECT @@autocommit, @@innodb_lock_wait_timeout, @@wait_timeout";
    let place = Place::new(brand).await;
    let settings = async |connection: &mut MySqlConnection| -> (i64, u64, u64) {
        sqlx::query_as(SETTINGS).fetch_one(connection).await.unwrap()
    };
    let before = settings(&mut *place.pool.acquire().await.unwrap()).await;
    let mut session = place.begun().await;
    assert_eq!(settings(connection(&mut session)).await, (0, 1, 60));
    session.commit().await.unwrap();
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    assert_eq!(settings(connection(&mut session)).await, (1, 1, before.2));
    session.commit().await.unwrap();
    assert_eq!(settings(&mut *place.pool.acquire().await.unwrap()).await, before);
    place.remove().await;
}

async fn ids_that_differ_in_trailing_spaces_or_case_have_markers_of_their_own(brand: Brand) {
    let place = Place::new(brand).await;
    for (sequence, change) in (1..).zip(["add", "add ", "Add", "ädd"]) {
        assert_eq!(place.target.marker(&orders(), change).await.unwrap(), None, "`{change}`");
        let update = MarkerUpdate { change: change.to_owned(), sequence, ..update() };
        let mut session = place.target.open(Mode::Transactional).await.unwrap();
        assert_eq!(session.begin_marker(&place.fence, &update).await.unwrap(), Begun::Written);
        session.finish_marker(&update).await.unwrap();
        session.commit().await.unwrap();
    }
    assert_eq!(place.target.survey(&orders(), &[]).await.unwrap().done, 4);
    place.remove().await;
}

async fn a_frozen_session_is_ended_by_the_server(brand: Brand) {
    let place = Place::new(brand).await;
    let mut session = place.begun().await;
    // One that has none open is not in anybody's way: what is done is done.
    let mut plain = place.target.open(Mode::Plain).await.unwrap();
    for session in [&mut session, &mut plain] {
        connection(session).execute("SET SESSION wait_timeout = 1").await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1800)).await;
    assert!(plain.commit().await.unwrap_err().is_temporary());
    assert_eq!(place.target.raise_fence(&fence(3)).await.unwrap(), FenceRaised::Raised);
    assert!(session.finish_marker(&update()).await.is_err());
    drop(session);
    assert_eq!(place.state().await, None);
    place.remove().await;
}

async fn check_says_what_is_wrong(brand: Brand) {
    let place = Place::new(brand).await;
    place.target.check().await.unwrap();
    let wrong = place.database.options().password("wr0ng-s3cret");
    let target = MySqlTarget::new("orders-db", pool_of(wrong));
    let error = target.check().await.expect_err("a wrong password");
    assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
    assert!(!format!("{error:#?} {target:?}").contains("wr0ng-s3cret"));
    place.remove().await;
}
