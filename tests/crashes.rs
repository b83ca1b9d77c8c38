//! The server crashes and recovers in the middle of a run. Alone in its binary: it would disturb other
//! tests.
#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::Duration;

use flamingock::sqlx::{PgPool, Row as _, raw_sql};
use flamingock_testing::conformance::{Suite, run};
use flamingock_tests::kinds::{Fresh, Kind};
use flamingock_tests::place::Place;
use flamingock_tests::replicas::Replicas;

fn main() -> ExitCode {
    let kind = Kind::Postgres;
    let mut suite =
        Suite::new("crashes", kind.name(), move || kind.available()).timeout(Duration::from_secs(120));
    for point in ["two:started", "two:applying", "two:finished"] {
        let name = format!("a_server_that_crashes_at_{}_is_survived", point.replace(':', "_"));
        suite.case(&name, move || Box::pin(crashed_at(point)));
    }
    run([suite])
}

/// One crash at a time.
static SERVER: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn crashed_at(point: &'static str) {
    let _alone = SERVER.lock().await;
    let Fresh { place, .. } = &Kind::Postgres.fresh().await.expect("a place");
    let replicas = Replicas { program: env!("CARGO_BIN_EXE_replica"), scenario: "transactional", place };
    let held = replicas.hold(point).expect("stands still");
    crash(place).await;
    let (_, said) = held.thaw().expect("goes on");
    if let Err(error) = replicas.run() {
        panic!("{error:?}\nbefore that: {said}");
    }
    let once = ["one", "two", "three"].map(|id| (id.to_owned(), 1));
    assert_eq!(place.effects().await.expect("is readable"), BTreeMap::from(once), "{said}");
}

/// Kills one of the server's processes, as the kernel does when memory runs out: the server then ends
/// all the others, throws its shared memory away and recovers from its log, as after
/// `pg_ctl restart -m immediate`.
async fn crash(place: &Place) {
    let pool = PgPool::connect(&place.database).await.expect("connects");
    let row = raw_sql("SELECT pg_backend_pid()").fetch_one(&pool).await.expect("answers");
    let pid: i32 = row.try_get(0).expect("a number");
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status().expect("runs");
    assert!(killed.success(), "the server must run on this machine, as a user whose processes we may kill");
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answer = async { raw_sql("SELECT 1").execute(&PgPool::connect(&place.database).await?).await };
        if answer.await.is_ok() {
            return;
        }
    }
    panic!("the server did not come back");
}
