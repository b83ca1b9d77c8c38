//! What is said when something else happened than was expected.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::sync::Once;

use flamingock::RunErrorKind;
use flamingock::audit::Evidence;
use flamingock::report::RunStatus;
use flamingock_testing::{FlamingockTest, Moment, before, entry, entry_of, event};
use futures_util::FutureExt as _;

use crate::app::World;
use crate::app::broken::Broken;
use crate::app::flags::SetFlags;
use crate::app::orders::{AddCode, CreateOrders};

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The message of the panic that `test` ends in.
pub(crate) async fn failure(test: impl Future) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
            PLACE.with_borrow_mut(|last| *last = place);
            before(panic);
        }));
    });
    let Err(panic) = AssertUnwindSafe(test).catch_unwind().await else {
        panic!("it did not fail");
    };
    *panic.downcast::<String>().expect("a message")
}

/// The message without the places of the calls, and that the panic was at the line of `there`.
#[track_caller]
fn at(there: &Location<'_>, message: &str) -> String {
    let place = PLACE.with_borrow(|place| place.clone().unwrap());
    assert!(place.starts_with(there.file()), "{place}");
    let lines = message.lines().map(|line| {
        let varies = ["(run at ", "took "].into_iter().find_map(|cut| Some((line.split_once(cut)?.0, cut)));
        varies.map_or_else(|| line.to_owned(), |(start, cut)| format!("{start}{cut}.."))
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn ran() -> flamingock_testing::Ran {
    FlamingockTest::given(World::new().orders()).when_run().await
}

#[tokio::test]
async fn a_wrong_audit_shows_both_sequences() {
    let ran = ran().await;
    let message = failure(async {
        ran.then_audit([
            entry::<CreateOrders>().started().attempt(2),
            entry::<CreateOrders>().failed().error_contains("boom"),
            entry::<CreateOrders>().applied().evidence(Evidence::Marker).attempt(1),
            entry::<AddCode>().started(),
        ]);
    })
    .await;
    assert_eq!(
        at(Location::caller(), &message),
        "the run recorded something else (- expected, + happened):
  - create-orders STARTED, attempt 2
  + create-orders STARTED, attempt 1
  - create-orders FAILED, error contains `boom`
  - create-orders APPLIED, evidence marker, attempt 1
  + create-orders APPLIED, evidence none, attempt 1
    add-code STARTED
  + add-code APPLIED
The run ended well: Flamingock: 2 change(s) newly applied, 0 before; took ..
(run at .."
    );
}

#[tokio::test]
async fn an_entry_without_a_state_fits_any() {
    let message = failure(async {
        ran().await.then_audit([
            entry::<CreateOrders>(),
            entry_of("create-orders").attempt(7),
            entry_of("other"),
        ]);
    })
    .await;
    assert!(
        message.contains(
            "    create-orders in any state
  - create-orders in any state, attempt 7
  + create-orders APPLIED, attempt 1
  - other in any state
  + add-code STARTED
  + add-code APPLIED\n"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn wrong_final_states_show_both() {
    let message = failure(async {
        ran().await.then_final_states([entry::<AddCode>().applied(), entry::<CreateOrders>().rolled_back()]);
    })
    .await;
    assert!(
        message.starts_with("the changes ended in other states (- expected, + happened):\n"),
        "{message}"
    );
    assert!(
        message.contains("  + create-orders APPLIED\n    add-code APPLIED\n  - create-orders ROLLED_BACK\n"),
        "{message}"
    );
}

#[tokio::test]
async fn wrong_events_show_both() {
    let ran = ran().await.when_run_again().await;
    let message = failure(async {
        ran.then_events([event::pipeline_started(), event::pipeline_finished(RunStatus::Success)]);
    })
    .await;
    assert!(
        message.contains(
            "    pipeline started
  - pipeline finished: SUCCESS
  + pipeline finished: NO_CHANGES\n"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_change_that_is_no_issue_is_named_with_those_that_are() {
    let message = failure(async { ran().await.then_issue::<AddCode>() }).await;
    assert!(
        message.starts_with("change `add-code` is no issue: there is none:\nThe run ended well"),
        "{message}"
    );
    let issue = FlamingockTest::given(World::new().flags())
        .existing_audit([entry_of("set-flags").started()])
        .when_run()
        .await;
    let message = failure(async { issue.then_issue::<AddCode>() }).await;
    assert!(message.starts_with("change `add-code` is no issue: those are [\"set-flags\"]"), "{message}");
}

#[tokio::test]
async fn an_error_that_nobody_expects_fails_the_test() {
    let broken = || FlamingockTest::given(World::new().broken()).when_run();
    let message = failure(async { drop(broken().await) }).await;
    assert!(
        message.starts_with(
            "the run failed, and the test does not expect it:\nThe run ended with CHANGE_FAILED"
        ),
        "{message}"
    );
    assert!(message.contains("no such column"), "{message}");
    let ran = broken().await.then_audit([
        entry::<Broken>().started(),
        entry::<Broken>().failed(),
        entry::<Broken>().rolled_back(),
    ]);
    let message = failure(ran.when_run_again_later()).await;
    assert!(message.starts_with("the run failed, and nothing above expects it"), "{message}");
}

/// Calls inside of the future, so that the panic is caught.
trait Later {
    async fn when_run_again_later(self) -> Self;
}

impl Later for flamingock_testing::Ran {
    async fn when_run_again_later(self) -> Self {
        self.when_run_again().await
    }
}

#[tokio::test]
async fn an_error_or_a_crash_that_does_not_come_is_missed() {
    let message = failure(async { ran().await.then_error(|_| ()) }).await;
    assert!(message.starts_with("there is no error:\nThe run ended well"), "{message}");
    let message = failure(async { ran().await.then_error_kind(RunErrorKind::Issue) }).await;
    assert!(message.starts_with("there is no error ISSUE"), "{message}");
    let message = failure(async { ran().await.then_crashed() }).await;
    assert!(message.starts_with("it did not crash"), "{message}");
}

#[tokio::test]
async fn what_was_not_named_is_more() {
    let message = failure(async { ran().await.then_nothing_more() }).await;
    assert!(message.starts_with("more was recorded than was named"), "{message}");
    assert!(message.contains("  + create-orders STARTED\n  + create-orders APPLIED\n"), "{message}");
}

#[tokio::test]
async fn an_issue_that_was_not_named_is_more() {
    let ran = || {
        let gone = entry_of("gone").stage("old").started();
        let test = FlamingockTest::given(World::new().flags());
        test.existing_audit([entry::<SetFlags>().started(), gone]).when_run()
    };
    let message = failure(async { ran().await.then_issue::<SetFlags>().then_nothing_more() }).await;
    assert!(message.starts_with("these are issues, too: [\"gone\"]"), "{message}");
    // Also where the error was named.
    let named = async { ran().await.then_error_kind(RunErrorKind::Issue).then_nothing_more() };
    let message = failure(named).await;
    assert!(message.starts_with("these are issues, too: [\"set-flags\", \"gone\"]"), "{message}");
}

#[tokio::test]
async fn a_crash_that_is_never_come_to_fails_the_test() {
    let message = failure(async {
        let test = FlamingockTest::given(World::new().orders());
        test.crash_at(before(Moment::RollbackFailed.of::<AddCode>())).when_run().await
    })
    .await;
    assert!(message.contains("messages.rs:"), "{message}");
    assert!(
        message
            .contains("the run never came to:\n  - a crash before `RollbackFailed` of change `add-code` ("),
        "{message}"
    );
    assert!(message.contains("The run ended well"), "{message}");
}

#[tokio::test]
async fn a_fault_for_a_run_that_never_comes_fails_the_test() {
    let ran = ran().await;
    let message = failure(async { drop(ran.crash_at(before(Moment::Apply.of::<AddCode>()))) }).await;
    assert!(
        message.starts_with(
            "no run came after this one, for:\n  - a crash before `Apply` of change `add-code` ("
        ),
        "{message}"
    );
    let places: Vec<_> = message.lines().filter(|line| line.contains(file!())).collect();
    assert_eq!(places.len(), 2, "{message}");
}

#[tokio::test]
async fn of_the_changes_that_are_named_everything_is() {
    let message = failure(async { ran().await.then_audit_includes([entry::<AddCode>().applied()]) }).await;
    assert!(
        message.starts_with(
            "the run recorded something else of these changes (- expected, + happened):
  + add-code STARTED
    add-code APPLIED\nThe run ended well"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_change_of_another_application_is_said_to_be_none_of_this_one() {
    let of_this = "`broken` is no change of this application\nThe run ended well";
    let message = failure(async { ran().await.then_audit([entry::<Broken>().applied()]) }).await;
    assert!(message.contains(of_this), "{message}");
    let message = failure(async { ran().await.then_final_states([entry::<Broken>().applied()]) }).await;
    assert!(message.contains(of_this), "{message}");
    let crash = || FlamingockTest::given(World::new().orders()).crash_at(Moment::Apply.of::<Broken>());
    let message = failure(async { crash().when_run().await }).await;
    assert!(message.contains(of_this), "{message}");
    let message = failure(async { ran().await.then_issue::<Broken>() }).await;
    let none = "change `broken` is no issue: there is none, and it is no change of this application";
    assert!(message.starts_with(none), "{message}");
}

#[tokio::test]
async fn a_run_that_ends_before_it_sets_up_its_store_says_why() {
    let world = World::new();
    world.db.set_online(false);
    FlamingockTest::given(world.orders())
        .when_run()
        .await
        .then_audit([])
        .then_final_states([])
        .then_error_kind(RunErrorKind::Target);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let message = failure(async {
        FlamingockTest::given(World::new().orders()).lose_answer(Moment::ApplyStep(1).of::<AddCode>())
    })
    .await;
    assert!(message.contains("has no answer"), "{message}");
    let message = failure(async {
        FlamingockTest::given(World::new().orders()).existing_audit([entry::<AddCode>()]).when_run().await
    })
    .await;
    assert!(message.contains("the entry of `add-code` has no state"), "{message}");
    let message = failure(async { FlamingockTest::given(flamingock::Flamingock::builder()) }).await;
    assert!(message.starts_with("the application is wired wrong:\n"), "{message}");
}
