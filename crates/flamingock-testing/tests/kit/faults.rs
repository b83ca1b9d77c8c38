use flamingock::audit::Evidence;
use flamingock::report::ChangeOutcome;
use flamingock_testing::{FlamingockTest, Moment, after, before, crash_now, entry};

use crate::app::World;
use crate::app::flags::SetFlags;
use crate::app::orders::{AddCode, CreateOrders};

#[tokio::test]
async fn a_crash_before_the_commit_leaves_nothing_and_the_next_start_applies() {
    let world = World::new();
    let crashed = FlamingockTest::given(world.orders())
        .crash_at(before(Moment::Commit.of::<CreateOrders>()))
        .when_run()
        .await
        .then_crashed()
        .then_audit([entry::<CreateOrders>().started()]);
    assert_eq!(world.db.get("orders"), None);
    crashed
        .when_run_again()
        .await
        .then_audit([
            entry::<CreateOrders>().started().attempt(2),
            entry::<CreateOrders>().applied().evidence(Evidence::None),
            entry::<AddCode>().started(),
            entry::<AddCode>().applied(),
        ])
        .then_nothing_more();
}

#[tokio::test]
async fn a_crash_after_the_commit_is_settled_by_the_marker() {
    let world = World::new();
    FlamingockTest::given(world.orders())
        .crash_at(after(Moment::Commit.of::<CreateOrders>()))
        .when_run()
        .await
        .then_audit([entry::<CreateOrders>().started()])
        .crash_at(Moment::Started.of::<AddCode>())
        .when_run_again()
        .await
        .then_nothing_more()
        .when_run_again()
        .await
        .then_audit([
            entry::<CreateOrders>().applied().evidence(Evidence::Marker),
            entry::<AddCode>().started(),
            entry::<AddCode>().applied(),
        ]);
}

#[tokio::test]
async fn a_crash_at_a_step_of_apply_leaves_a_plain_target_half_changed() {
    let world = World::new();
    let crashed = FlamingockTest::given(world.flags())
        .crash_at(Moment::ApplyStep(1).of::<SetFlags>())
        .when_run()
        .await
        .then_audit([entry::<SetFlags>().started()]);
    assert_eq!(world.flags.get("dark-mode").as_deref(), Some("on"));
    assert_eq!(world.flags.get("beta"), None);
    crashed.when_run_again().await.then_issue::<SetFlags>().then_nothing_more();
}

#[tokio::test]
async fn a_crash_where_apply_waits_is_rolled_back() {
    let world = World::new();
    let crashed = FlamingockTest::given(world.orders())
        .crash_at(Moment::ApplyWait(1).of::<CreateOrders>())
        .when_run()
        .await
        .then_crashed();
    assert_eq!(world.db.get("orders"), None);
    crashed.when_run_again().await.then_report(|report| assert_eq!(report.changes.applied, 2));
}

#[tokio::test]
async fn a_lost_answer_of_a_commit_is_settled_within_the_run() {
    FlamingockTest::given(World::new().orders())
        .lose_answer(Moment::Commit.of::<CreateOrders>())
        .lose_answer(Moment::Started.of::<AddCode>())
        .when_run()
        .await
        .then_audit([
            entry::<CreateOrders>().started(),
            entry::<CreateOrders>().applied().evidence(Evidence::Marker),
            entry::<AddCode>().started(),
            entry::<AddCode>().applied(),
        ]);
}

#[tokio::test]
async fn a_lost_answer_of_apply_is_compensated() {
    let world = World::new();
    FlamingockTest::given(world.flags())
        .lose_answer(Moment::Apply.of::<SetFlags>())
        .when_run()
        .await
        .then_audit([
            entry::<SetFlags>().started(),
            entry::<SetFlags>().failed().error_contains("the connection was lost"),
            entry::<SetFlags>().rolled_back(),
        ])
        .then_error(|error| {
            let failing = error.report().failing().next().unwrap();
            assert_eq!(failing.outcome, ChangeOutcome::RolledBack);
        });
    assert_eq!(world.flags.get("beta"), None);
}

#[tokio::test]
async fn a_crash_in_the_compensation_is_an_issue() {
    let world = World::new();
    FlamingockTest::given(world.flags())
        .fail_at(Moment::Apply.of::<SetFlags>())
        .crash_at(before(Moment::Rollback.of::<SetFlags>()))
        .when_run()
        .await
        .then_audit([entry::<SetFlags>().started(), entry::<SetFlags>().failed()])
        .when_run_again()
        .await
        .then_issue::<SetFlags>()
        .then_nothing_more();
}

#[tokio::test]
async fn a_crash_in_an_undo_leaves_the_change_or_takes_it_back() {
    for (crash, then) in [
        (before(Moment::Commit.of::<AddCode>()), entry::<AddCode>().applied().evidence(Evidence::Marker)),
        (after(Moment::Commit.of::<AddCode>()), entry::<AddCode>().rolled_back().evidence(Evidence::Marker)),
    ] {
        let ran = FlamingockTest::given(World::new().orders())
            .when_run()
            .await
            .crash_at(crash)
            .when_undone::<AddCode>()
            .await
            .then_audit([entry::<AddCode>().started()])
            .when_run_again()
            .await;
        let again = [entry::<AddCode>().started(), entry::<AddCode>().applied()];
        let rolled_back = then == entry::<AddCode>().rolled_back().evidence(Evidence::Marker);
        let settled = [then].into_iter().chain(again.into_iter().filter(|_| rolled_back));
        ran.then_audit(settled).then_nothing_more();
    }
}

#[tokio::test]
async fn a_fake_can_let_the_process_die() {
    use flamingock::prelude::*;

    struct Fragile;

    struct CallIt;

    #[change(id = "call-it", order = 1, target_system = "fake")]
    impl CallIt {
        #[apply]
        async fn apply(fake: &Fragile) -> ChangeResult {
            let Fragile = fake;
            crash_now()
        }
    }

    let call_it = ChangeSet::everything_linked().into_iter().find(|change| change.id == "call-it");
    let builder = Flamingock::builder()
        .service("orders")
        .change(call_it.unwrap())
        .target(NonTransactionalTarget::new("fake").with(Fragile));
    FlamingockTest::given(builder)
        .when_run()
        .await
        .then_crashed()
        .then_audit([entry::<CallIt>().started()])
        .when_run_again()
        .await
        .then_issue::<CallIt>();
}
