//! Real processes on every kind of audit store and database: started together, killed half-way, frozen for too long.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use flamingock::audit::AuditState;
use flamingock_testing::conformance::{Suite, run};
use flamingock_tests::changes::fifty;
use flamingock_tests::kinds::{Fresh, Kind};
use flamingock_tests::place::Place;
use flamingock_tests::replicas::Replicas;

fn main() -> ExitCode {
    run(Kind::ALL.into_iter().map(|kind| {
        let mut suite =
            Suite::new("processes", kind.name(), move || kind.available()).timeout(Duration::from_secs(240));
        macro_rules! cases {
            ($($case:ident),* $(,)?) => {{
                $(suite.case(stringify!($case), move || Box::pin($case(kind)));)*
            }};
        }
        cases![
            of_eight_that_start_together_none_fails_and_each_change_is_applied_once,
            killed_around_transactional_changes_nothing_is_applied_twice_and_nothing_is_an_issue,
            killed_in_a_change_without_a_transaction_it_leaves_an_issue_that_names_it,
            verify_settles_a_change_that_was_killed,
            a_change_that_may_be_retried_is_applied_again_after_a_kill,
            frozen_in_a_change_without_a_transaction_it_records_nothing_more,
        ];
        if !kind.database_is_file() {
            cases![frozen_in_a_transaction_it_takes_effect_once_and_does_not_block_for_ever];
        }
        suite
    }))
}

fn replicas<'a>(place: &'a Place, scenario: &'static str) -> Replicas<'a> {
    Replicas { program: env!("CARGO_BIN_EXE_replica"), scenario, place }
}

async fn fresh(kind: Kind) -> Fresh {
    kind.fresh().await.expect("a place")
}

async fn log(place: &Place) -> Vec<(String, AuditState)> {
    place.log().await.expect("is readable, and its chain holds")
}

fn lines(place: &Place, file: &str) -> usize {
    place.folder().expect("is there").lines(file)
}

async fn of_eight_that_start_together_none_fails_and_each_change_is_applied_once(kind: Kind) {
    for round in 0..5 {
        let Fresh { place, .. } = &fresh(kind).await;
        replicas(place, "fifty").run_together(8).expect("none fails");
        let (counters, rows): (Vec<u32>, Vec<u32>) =
            (0..fifty::COUNT).partition(|number| fifty::is_counter(*number));
        for id in counters.into_iter().map(fifty::id) {
            assert_eq!(lines(place, &id), 1, "round {round}: {id}");
        }
        let once: BTreeMap<String, usize> = rows.into_iter().map(|number| (fifty::id(number), 1)).collect();
        assert_eq!(place.effects().await.expect("is readable"), once, "round {round}");
        assert_eq!(log(place).await.len(), 100, "round {round}");
    }
}

async fn killed_around_transactional_changes_nothing_is_applied_twice_and_nothing_is_an_issue(kind: Kind) {
    // Before the transaction, inside it, between its commit and its record, and between two changes.
    for point in
        ["one:started", "two:started", "two:applying", "two:finished", "three:started", "three:finished"]
    {
        let Fresh { place, .. } = &fresh(kind).await;
        let replicas = replicas(place, "transactional");
        replicas.kill_at(point).expect("is killed");
        replicas.run().expect("goes on");
        let once = ["one", "two", "three"].map(|id| (id.to_owned(), 1));
        assert_eq!(place.effects().await.expect("is readable"), BTreeMap::from(once), "killed at {point}");
        let applied = log(place).await.into_iter().filter(|(_, state)| *state == AuditState::Applied);
        assert_eq!(applied.count(), 3, "killed at {point}");
        assert!(replicas.run().expect("is up to date").contains("NO CHANGES"), "killed at {point}");
    }
}

async fn killed_in_a_change_without_a_transaction_it_leaves_an_issue_that_names_it(kind: Kind) {
    for (point, effects) in [("effect:before", 0), ("effect:after", 1)] {
        let Fresh { place, .. } = &fresh(kind).await;
        let replicas = replicas(place, "manual");
        replicas.kill_at(point).expect("is killed");
        for _ in 0..2 {
            let error = replicas.fail().expect("is blocked");
            assert!(error.contains("manual intervention required for: effect"), "{error}");
        }
        assert_eq!(lines(place, "effect"), effects, "{point}");
        assert_eq!(log(place).await, [("effect".to_owned(), AuditState::Started)]);
    }
}

async fn verify_settles_a_change_that_was_killed(kind: Kind) {
    for point in ["effect:before", "effect:after"] {
        let Fresh { place, .. } = &fresh(kind).await;
        let replicas = replicas(place, "verified");
        replicas.kill_at(point).expect("is killed");
        replicas.run().expect("is settled");
        assert_eq!(lines(place, "effect"), 1, "{point}");
    }
}

async fn a_change_that_may_be_retried_is_applied_again_after_a_kill(kind: Kind) {
    for (point, effects) in [("effect:before", 1), ("effect:after", 2)] {
        let Fresh { place, .. } = &fresh(kind).await;
        let replicas = replicas(place, "retried");
        replicas.kill_at(point).expect("is killed");
        replicas.run().expect("applies");
        assert_eq!(lines(place, "effect"), effects, "{point}");
    }
}

/// Sleeps for longer than the lease.
async fn outlast_lease(place: &Place) {
    tokio::time::sleep(Duration::from_millis(2 * place.lease)).await;
}

async fn frozen_in_a_change_without_a_transaction_it_records_nothing_more(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    let replicas = replicas(place, "manual");
    let frozen = replicas.hold("effect:before").expect("stands still");
    frozen.freeze().expect("is frozen");
    outlast_lease(place).await;
    let error = replicas.fail().expect("its successor is blocked");
    assert!(error.contains("manual intervention required for: effect"), "{error}");
    let (ended_well, said) = frozen.thaw().expect("goes on");
    assert!(!ended_well && said.contains("the lease was lost"), "{said}");
    // No protocol can keep a frozen process from an effect that has no transaction: it happens, once.
    assert_eq!(lines(place, "effect"), 1);
    assert_eq!(log(place).await, [("effect".to_owned(), AuditState::Started)]);
}

async fn frozen_in_a_transaction_it_takes_effect_once_and_does_not_block_for_ever(kind: Kind) {
    let Fresh { place, .. } = &fresh(kind).await;
    let replicas = replicas(place, "transactional");
    let frozen = replicas.hold("two:applying").expect("stands still");
    frozen.freeze().expect("is frozen");
    outlast_lease(place).await;
    // Its transaction holds the fence: the successor waits for it, but not for ever.
    let began = std::time::Instant::now();
    let successor = replicas.fail();
    assert!(began.elapsed() < Duration::from_secs(60), "blocked for {:?}", began.elapsed());
    if let Ok(error) = &successor {
        // Who has it is named: on PostgreSQL the session, on MariaDB and MySQL also its change.
        let named = match kind {
            Kind::MariaDb | Kind::MySql => "change `two` of run",
            _ => "idle in transaction",
        };
        assert!(error.contains("in the way") && error.contains(named), "{error}");
    }
    let (ended_well, said) = frozen.thaw().expect("goes on");
    assert!(ended_well || said.contains("lease was lost") || said.contains("FAILED"), "{said}");
    replicas.run().expect("ends up to date");
    let once = ["one", "two", "three"].map(|id| (id.to_owned(), 1));
    assert_eq!(place.effects().await.expect("is readable"), BTreeMap::from(once));
}
