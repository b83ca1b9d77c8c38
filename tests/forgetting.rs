//! A Redis that loses its data, or dies, while real processes run: as the lock of an audit in
//! PostgreSQL, and as the audit store itself.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flamingock::audit::AuditState;
use flamingock_testing::conformance::{Suite, run};
use flamingock_tests::changes::fifty;
use flamingock_tests::kinds::{Fresh, Kind};
use flamingock_tests::place::Place;
use flamingock_tests::redis::OwnRedis;
use flamingock_tests::replicas::Replicas;

fn main() -> ExitCode {
    let mut lock = Suite::new("forgetting", "postgres-redis-lock", || {
        Kind::Postgres.available().and_then(|()| OwnRedis::available())
    })
    .timeout(Duration::from_secs(240));
    let mut audit =
        Suite::new("forgetting", "redis-own", OwnRedis::available).timeout(Duration::from_secs(240));
    macro_rules! cases {
        ($suite:ident, $($case:ident),* $(,)?) => {{
            $($suite.case(stringify!($case), || Box::pin($case()));)*
        }};
    }
    cases![
        lock,
        a_run_whose_lock_forgets_applies_nothing_twice_and_records_nothing_more,
        a_frozen_run_whose_lock_forgets_applies_nothing_twice_and_records_nothing_more,
        a_plain_change_whose_lock_forgets_is_an_issue_and_not_run_again,
        of_eight_whose_lock_forgets_again_and_again_no_change_is_applied_twice,
        a_run_whose_lock_is_gone_ends_and_the_next_one_goes_on,
        a_lock_that_is_not_reached_is_one_clear_error_in_time,
    ];
    cases![
        audit,
        an_audit_on_disk_survives_a_server_that_is_killed,
        an_audit_that_is_forgotten_is_noticed_by_a_target_with_transactions,
    ];
    run([lock, audit])
}

/// How Redis loses everything that it has.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Flush,
    /// Killed, and started again with nothing on disk.
    Restart,
}

impl Loss {
    const ALL: [Self; 2] = [Self::Flush, Self::Restart];

    fn of(self, redis: &mut OwnRedis) {
        match self {
            Self::Flush => redis.forget(),
            Self::Restart => redis.restart(),
        }
        .expect("forgets");
    }
}

/// The audit and the database in PostgreSQL, the lock in a Redis of the test's own.
async fn with_lock(redis: &OwnRedis) -> Fresh {
    let mut fresh = Kind::Postgres.fresh().await.expect("a place");
    fresh.place.lock = Some(redis.url());
    fresh
}

/// The audit in a Redis of the test's own, the database a file.
async fn with_audit(redis: &OwnRedis) -> Fresh {
    let mut fresh = Kind::Sqlite.fresh().await.expect("a place");
    fresh.place.audit = redis.url();
    fresh
}

fn replicas<'a>(place: &'a Place, scenario: &'static str) -> Replicas<'a> {
    Replicas { program: env!("CARGO_BIN_EXE_replica"), scenario, place }
}

/// Each of the three changes took effect once, and each is recorded as applied in the end.
async fn assert_once(place: &Place, when: &str) {
    let ids = ["one", "two", "three"].map(str::to_owned);
    let once: BTreeMap<_, _> = ids.iter().map(|id| (id.clone(), 1)).collect();
    assert_eq!(place.effects().await.expect("is readable"), once, "{when}");
    let last: BTreeMap<_, _> = place.log().await.expect("holds").into_iter().collect();
    assert_eq!(last, ids.into_iter().map(|id| (id, AuditState::Applied)).collect(), "{when}");
}

async fn a_run_whose_lock_forgets_applies_nothing_twice_and_records_nothing_more() {
    for point in ["two:started", "two:applying", "two:finished"] {
        for loss in Loss::ALL {
            deposed(point, loss, false).await;
        }
    }
}

async fn a_frozen_run_whose_lock_forgets_applies_nothing_twice_and_records_nothing_more() {
    for point in ["two:started", "two:finished"] {
        for loss in Loss::ALL {
            deposed(point, loss, true).await;
        }
    }
}

/// A run stands still at `point`; the lock forgets it, and another takes its place.
async fn deposed(point: &'static str, loss: Loss, frozen: bool) {
    let when = format!("at {point}, {loss:?}, frozen: {frozen}");
    let mut redis = OwnRedis::forgetful().expect("a server");
    let Fresh { place, .. } = &with_lock(&redis).await;
    let replicas = replicas(place, "transactional");
    let held = replicas.hold(point).expect("stands still");
    if frozen {
        held.freeze().expect("is frozen");
    }
    loss.of(&mut redis);
    let (ended_well, said) = if point == "two:applying" {
        // Its transaction holds the fence: the successor waits for it.
        let successor = replicas.start_together(1).expect("starts");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let ended = held.thaw().expect("goes on");
        successor.end().into_iter().for_each(|ended| drop(ended.expect("goes on")));
        ended
    } else {
        replicas.run().expect("takes over");
        let before = place.log().await.expect("holds");
        let ended = held.thaw().expect("goes on");
        assert_eq!(place.log().await.expect("holds"), before, "{when}");
        ended
    };
    assert!(!ended_well && said.contains("lease was lost"), "{when}: {said}");
    assert_once(place, &when).await;
    assert!(replicas.run().expect("is up to date").contains("NO CHANGES"), "{when}");
}

async fn a_plain_change_whose_lock_forgets_is_an_issue_and_not_run_again() {
    for loss in Loss::ALL {
        let mut redis = OwnRedis::forgetful().expect("a server");
        let Fresh { place, .. } = &with_lock(&redis).await;
        let replicas = replicas(place, "manual");
        let held = replicas.hold("effect:before").expect("stands still");
        loss.of(&mut redis);
        let error = replicas.fail().expect("its successor is blocked");
        assert!(error.contains("manual intervention required for: effect"), "{error}");
        let (ended_well, said) = held.thaw().expect("goes on");
        assert!(!ended_well && said.contains("lease was lost"), "{loss:?}: {said}");
        assert_eq!(place.folder().expect("is there").lines("effect"), 1, "{loss:?}");
        let log = place.log().await.expect("holds");
        assert_eq!(log, [("effect".to_owned(), AuditState::Started)], "{loss:?}");
    }
}

async fn of_eight_whose_lock_forgets_again_and_again_no_change_is_applied_twice() {
    let mut deposed = 0;
    for round in 0..5 {
        let redis = OwnRedis::forgetful().expect("a server");
        let Fresh { place, .. } = &with_lock(&redis).await;
        let mut running = replicas(place, "fifty").start_together(8).expect("start");
        while running.is_running().expect("is known") {
            redis.forget().expect("forgets");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for ended in running.end() {
            let Err(error) = ended else { continue };
            let said = error.to_string();
            // Whoever was deposed in a plain change leaves an issue, as ever.
            let expected = ["lease was lost", "manual intervention required"];
            assert!(expected.iter().any(|words| said.contains(words)), "round {round}: {said}");
            deposed += usize::from(said.contains(expected[0]));
        }
        let effects = place.effects().await.expect("is readable");
        assert!(effects.values().all(|count| *count == 1), "round {round}: {effects:?}");
        let folder = place.folder().expect("is there");
        for id in (0..fifty::COUNT).filter(|number| fifty::is_counter(*number)).map(fifty::id) {
            assert!(folder.lines(&id) <= 1, "round {round}: {id}");
        }
        // One APPLIED of each at most, and each of those took effect.
        let mut applied = BTreeMap::new();
        for (id, state) in place.log().await.expect("holds") {
            *applied.entry(id).or_insert(0) += usize::from(state == AuditState::Applied);
        }
        for (id, count) in applied {
            let effects = effects.get(&id).copied().unwrap_or_default().max(folder.lines(&id));
            assert!(count <= 1 && count <= effects, "round {round}: {id}: {count}, {effects}");
        }
    }
    assert!(deposed > 0, "nobody's lock was ever taken: nothing was tried");
}

async fn a_run_whose_lock_is_gone_ends_and_the_next_one_goes_on() {
    let mut redis = OwnRedis::forgetful().expect("a server");
    let Fresh { place, .. } = &with_lock(&redis).await;
    let replicas = replicas(place, "transactional");
    let held = replicas.hold("two:started").expect("stands still");
    redis.kill().expect("is killed");
    tokio::time::sleep(Duration::from_millis(2 * place.lease)).await;
    let before = place.log().await.expect("holds");
    let (ended_well, said) = held.thaw().expect("goes on");
    assert!(!ended_well && said.contains("lease was lost"), "{said}");
    assert_eq!(place.log().await.expect("holds"), before);
    redis.restart().expect("comes back");
    replicas.run().expect("goes on");
    assert_once(place, "after it came back").await;
}

async fn a_lock_that_is_not_reached_is_one_clear_error_in_time() {
    let mut redis = OwnRedis::forgetful().expect("a server");
    let Fresh { place, .. } = &with_lock(&redis).await;
    redis.kill().expect("is killed");
    let began = Instant::now();
    let error = replicas(place, "transactional").fail().expect("fails");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(error.contains(&redis.url()), "{error}");
    assert_eq!(place.effects().await.expect("is readable"), BTreeMap::new());
}

async fn an_audit_on_disk_survives_a_server_that_is_killed() {
    for point in ["two:started", "two:applying", "two:finished"] {
        let mut redis = OwnRedis::durable().expect("a server");
        let Fresh { place, .. } = &with_audit(&redis).await;
        let replicas = replicas(place, "transactional");
        let held = replicas.hold(point).expect("stands still");
        let before = place.log().await.expect("holds");
        redis.restart().expect("comes back");
        assert_eq!(place.log().await.expect("holds"), before, "killed at {point}");
        let (ended_well, said) = held.thaw().expect("goes on");
        assert!(ended_well, "killed at {point}: {said}");
        assert_once(place, point).await;
    }
}

async fn an_audit_that_is_forgotten_is_noticed_by_a_target_with_transactions() {
    let redis = OwnRedis::durable().expect("a server");
    let Fresh { place, .. } = &with_audit(&redis).await;
    let replicas = replicas(place, "transactional");
    replicas.run().expect("applies");
    redis.forget().expect("forgets");
    let error = replicas.fail().expect("stops");
    assert!(error.contains("the audit store is older than its targets"), "{error}");
    let once = ["one", "two", "three"].map(|id| (id.to_owned(), 1));
    assert_eq!(place.effects().await.expect("is readable"), BTreeMap::from(once));
}
