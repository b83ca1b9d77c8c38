use flamingock::RunErrorKind;
use flamingock::audit::{AuditState, Evidence, Operation, TxStrategy};
use flamingock::change::RecoveryStrategy;
use flamingock::operate::{Resolution, Ruling};
use flamingock::report::{ChangeOutcome, RunStatus, StageState};
use flamingock::target::MarkerState;
use flamingock_testing::{FlamingockTest, entry, entry_of, event};

use crate::app::World;
use crate::app::broken::Broken;
use crate::app::flags::SetFlags;
use crate::app::orders::{AddCode, CreateOrders};

#[tokio::test]
async fn what_a_run_does_is_named_entry_by_entry_and_event_by_event() {
    let world = World::new();
    FlamingockTest::given(world.orders())
        .when_run()
        .await
        .then_audit([
            entry::<CreateOrders>().started().attempt(1).author("shipping").stage("default"),
            entry::<CreateOrders>().applied().operation(Operation::Apply).evidence(Evidence::None),
            entry::<AddCode>().started().target("db").tx_strategy(TxStrategy::TxWithMarker),
            entry_of("add-code").applied().recovery(RecoveryStrategy::ManualIntervention).without_error(),
        ])
        .then_final_states([entry::<CreateOrders>().applied(), entry::<AddCode>().applied()])
        .then_events([
            event::pipeline_started(),
            event::stage_started("default"),
            event::change_started::<CreateOrders>(),
            event::change_progress::<CreateOrders>(1, 2),
            event::change_progress::<CreateOrders>(2, 2),
            event::change_finished::<CreateOrders>(ChangeOutcome::Applied),
            event::change_started::<AddCode>(),
            event::change_finished::<AddCode>(ChangeOutcome::Applied),
            event::stage_finished("default", StageState::Completed),
            event::pipeline_finished(RunStatus::Success),
        ])
        .then_report(|report| assert_eq!(report.changes.applied, 2))
        .then_nothing_more()
        .when_run_again()
        .await
        .then_nothing_more();
    assert_eq!(world.db.get("orders.code").as_deref(), Some("column"));
}

#[tokio::test]
async fn an_application_without_an_audit_store_gets_one_in_memory() {
    let world = World::new();
    let builder = flamingock::Flamingock::builder()
        .service("orders")
        .changes(crate::app::orders::CHANGES)
        .target(world.db.clone());
    FlamingockTest::given(builder).when_run().await.then_report(|report| {
        assert_eq!(report.changes.applied, 2);
    });
}

#[tokio::test]
async fn what_is_there_before_is_not_run_again() {
    let world = World::new();
    FlamingockTest::given(world.orders())
        .existing_audit([entry::<CreateOrders>().started(), entry::<CreateOrders>().applied()])
        .when_run()
        .await
        .then_audit([entry::<AddCode>().started(), entry::<AddCode>().applied()])
        .then_final_states([entry::<CreateOrders>().applied(), entry::<AddCode>().applied()]);
    assert_eq!(world.db.get("orders"), None, "what the change did is not there: only that it was done");
}

#[tokio::test]
async fn a_start_after_a_crash_looks_at_the_marker() {
    // Before the commit: nothing is there.
    FlamingockTest::given(World::new().orders())
        .existing_audit([entry::<CreateOrders>().started()])
        .when_run()
        .await
        .then_audit([
            entry::<CreateOrders>().started().attempt(2),
            entry::<CreateOrders>().applied(),
            entry::<AddCode>().started(),
            entry::<AddCode>().applied(),
        ]);
    // After it: it is applied.
    FlamingockTest::given(World::new().orders())
        .existing_audit([entry::<CreateOrders>().started().marker(MarkerState::Done)])
        .when_run()
        .await
        .then_audit([
            entry::<CreateOrders>().applied().evidence(Evidence::Marker),
            entry::<AddCode>().started(),
            entry::<AddCode>().applied(),
        ]);
    // A part of it committed by itself.
    FlamingockTest::given(World::new().orders())
        .existing_audit([entry::<CreateOrders>().started().marker(MarkerState::Begun)])
        .when_run()
        .await
        .then_issue::<CreateOrders>()
        .then_nothing_more();
}

#[tokio::test]
async fn an_uncertain_plain_change_is_an_issue_until_somebody_rules() {
    let world = World::new();
    FlamingockTest::given(world.flags())
        .existing_audit([entry::<SetFlags>().started()])
        .when_run()
        .await
        .then_issue::<SetFlags>()
        .then_error(|error| assert_eq!(error.kind(), RunErrorKind::Issue))
        .then_final_states([entry::<SetFlags>().started().tx_strategy(TxStrategy::NonTx)])
        .then_nothing_more();

    let app = world.flags().build().unwrap();
    let ruling = Ruling::new("set-flags", Resolution::RolledBack, "looked");
    app.operator().rule(&ruling).await.unwrap();
    FlamingockTest::given(world.flags())
        .when_run()
        .await
        .then_audit([entry::<SetFlags>().started(), entry::<SetFlags>().applied()]);
}

#[tokio::test]
async fn a_change_that_the_code_no_longer_has_is_an_issue_with_or_without_its_stage() {
    for stage in ["default", "old"] {
        FlamingockTest::given(World::new().flags())
            .existing_audit([entry::<SetFlags>().started(), entry_of("gone").stage(stage).started()])
            .when_run()
            .await
            .then_issue::<SetFlags>()
            .then_issue_of("gone")
            .then_nothing_more();
    }
}

#[tokio::test]
async fn rulings_can_be_there_before() {
    FlamingockTest::given(World::new().flags())
        .existing_audit([
            entry::<SetFlags>().started(),
            entry::<SetFlags>().marked_as_rolled_back().operator("ada").reason("looked"),
        ])
        .when_run()
        .await
        .then_audit([entry::<SetFlags>().started(), entry::<SetFlags>().applied()]);
    FlamingockTest::given(World::new().flags())
        .existing_audit([entry::<SetFlags>().started(), entry::<SetFlags>().marked_as_applied()])
        .when_run()
        .await
        .then_nothing_more();
}

#[tokio::test]
async fn a_ruling_leaves_the_marker_that_was_there() {
    let applied = || [entry::<CreateOrders>().started(), entry::<CreateOrders>().applied()];
    let ruled = || entry::<CreateOrders>().marked_as_rolled_back();
    FlamingockTest::given(World::new().orders())
        .existing_audit(applied())
        .existing_audit([ruled()])
        .when_run()
        .await
        .then_issue::<CreateOrders>()
        .then_nothing_more();

    // An operator who insists outranks it, also for the attempts that follow.
    let insisted = || ruled().evidence(Evidence::Overruled);
    for died in [None, Some(entry::<CreateOrders>().started())] {
        FlamingockTest::given(World::new().orders())
            .existing_audit(applied())
            .existing_audit([insisted()].into_iter().chain(died))
            .when_run()
            .await
            .then_audit_includes([entry::<CreateOrders>().started(), entry::<CreateOrders>().applied()]);
    }
}

#[tokio::test]
async fn an_undo_that_died_leaves_the_marker_that_was_there() {
    let applied = || [entry::<CreateOrders>().started(), entry::<CreateOrders>().applied()];
    let undo = || entry::<CreateOrders>().operation(Operation::Undo);
    FlamingockTest::given(World::new().orders())
        .existing_audit(applied())
        .existing_audit([undo().started()])
        .when_run()
        .await
        .then_audit_includes([entry::<CreateOrders>().applied().evidence(Evidence::Marker)]);

    // One that ended leaves its own.
    for died in [None, Some(entry::<CreateOrders>().started())] {
        FlamingockTest::given(World::new().orders())
            .existing_audit(applied())
            .existing_audit([undo().started(), undo().rolled_back()].into_iter().chain(died))
            .when_run()
            .await
            .then_audit_includes([entry::<CreateOrders>().started(), entry::<CreateOrders>().applied()]);
    }
}

#[tokio::test]
async fn a_failure_is_named_with_its_error() {
    let world = World::new();
    FlamingockTest::given(world.broken())
        .when_run()
        .await
        .then_audit([
            entry::<Broken>().started(),
            entry::<Broken>().failed().error_contains("no such column"),
            entry::<Broken>().rolled_back(),
        ])
        .then_error(|error| assert!(error.to_string().contains("no such column")))
        .then_nothing_more()
        .when_run_again()
        .await
        .then_error_kind(RunErrorKind::ChangeFailed);
}

#[tokio::test]
async fn an_undo_is_a_run_too() {
    let world = World::new();
    FlamingockTest::given(world.orders())
        .when_run()
        .await
        .when_undone::<AddCode>()
        .await
        .then_audit([
            entry::<AddCode>().started().operation(Operation::Undo),
            entry::<AddCode>().rolled_back().operation(Operation::Undo),
        ])
        .then_final_states([entry::<CreateOrders>().applied(), entry::<AddCode>().rolled_back()]);
    assert_eq!(world.db.get("orders.code"), None);
}

#[tokio::test]
async fn every_state_operation_and_strategy_can_be_there_before_and_be_named() {
    let states = [
        "STARTED",
        "APPLIED",
        "FAILED",
        "ROLLED_BACK",
        "ROLLBACK_FAILED",
        "MANUAL_MARKED_AS_APPLIED",
        "MANUAL_MARKED_AS_ROLLED_BACK",
    ];
    let operations = [
        "apply",
        "rollback",
        "undo",
        "hold",
        "release",
        "ruling",
        "baseline",
        "accept_checksum",
        "import",
        "tag",
        "unlock",
    ];
    for state in states.map(|word| AuditState::parse(word).unwrap()) {
        for operation in operations.map(|word| Operation::parse(word).unwrap()) {
            for strategy in [TxStrategy::TxWithMarker, TxStrategy::NonTx] {
                for recovery in [RecoveryStrategy::ManualIntervention, RecoveryStrategy::AlwaysRetry] {
                    // The application no longer has it.
                    let gone = || entry_of("gone").state(state).operation(operation);
                    let gone = || gone().tx_strategy(strategy).recovery(recovery);
                    let ran = FlamingockTest::given(World::new().flags())
                        .existing_audit([entry::<SetFlags>().applied(), gone()])
                        .when_run()
                        .await
                        .then_final_states([entry::<SetFlags>().applied(), gone()]);
                    use AuditState::{Failed, RollbackFailed, Started};
                    if [Started, Failed, RollbackFailed].contains(&state) {
                        ran.then_issue_of("gone").then_nothing_more();
                    } else {
                        ran.then_nothing_more();
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn of_a_long_pipeline_one_change_can_be_looked_at() {
    FlamingockTest::given(World::new().orders())
        .when_run()
        .await
        .then_audit_includes([entry::<AddCode>().started(), entry::<AddCode>().applied()])
        .then_audit_includes([]);
}
