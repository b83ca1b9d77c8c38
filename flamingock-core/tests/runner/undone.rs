//! Undo.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, count, on_db, on_flags, orders, plain, put};
use flamingock_core::change::{Change, RecoveryStrategy};
use flamingock_core::memory::MemoryTarget;
use flamingock_core::operate::{Operator, Resolution, Ruling, UndoSelection};
use flamingock_core::report::RunStatus;
use flamingock_core::{Flamingock, RunErrorKind};

#[tokio::test]
async fn undo_runs_the_rollbacks_newest_first_and_the_next_run_applies_again() {
    let house = House::new();
    let changes = || {
        let mut a = put("a", "1");
        a.rollback = Some(on_db(|db| Ok(db.remove("a")?)));
        let mut b = count("b", "2");
        b.rollback = Some(on_flags(|flags| {
            flags.remove("b");
            Ok(())
        }));
        [a, b, put("c", "3")]
    };
    let app = house.app(changes());
    app.run().await.expect("applies");
    let refused = app.undo(&["a", "c", "nonsense"]).await.expect_err("c has no rollback");
    assert_eq!(refused.kind(), RunErrorKind::Refused);
    assert!(house.db.get("a").is_some());

    let report = app.undo(&["a", "b"]).await.expect("undoes");
    assert_eq!(report.changes.undone, 2);
    assert_eq!((house.db.get("a"), house.flags.get("b")), (None, None));
    assert_eq!(house.log().await[6..], ["b STARTED", "b ROLLED_BACK", "a STARTED", "a ROLLED_BACK"]);

    let report = house.app(changes()).run().await.expect("applies");
    assert_eq!((report.changes.applied, report.changes.already_applied), (2, 1));
    assert!(house.db.get("a").is_some());
}

#[tokio::test]
async fn an_undo_that_fails_in_a_transaction_leaves_the_change_applied() {
    let house = House::new();
    let mut a = put("a", "1");
    a.rollback = Some(on_db(|db| {
        db.remove("a")?;
        Err("still referenced".into())
    }));
    let app = house.app([a]);
    app.run().await.expect("applies");
    app.undo(&["a"]).await.expect_err("fails");
    assert_eq!(house.db.get("a").as_deref(), Some("applied"));
    assert_eq!(house.log().await[2..], ["a STARTED", "a APPLIED"]);
    assert_eq!(app.run().await.expect("is up to date").status, RunStatus::NoChanges);
}

/// `a` was applied before `b`; then its undo has failed.
async fn after_a_failed_undo(house: &House) -> Flamingock {
    let undoable = |id: &str, order: &str| {
        let mut change = put(id, order);
        change.rollback = Some(on_db(|_| Err("still referenced".into())));
        change
    };
    house.app([undoable("a", "1")]).run().await.expect("applies");
    let operator = Operator::new(Arc::new(house.store.clone()), Arc::new(house.store.clone()), orders());
    operator.tag("release-1", "jane").await.expect("tags");
    let app = house.app([undoable("a", "1"), undoable("b", "2")]);
    app.run().await.expect("applies");
    app.undo(&["a"]).await.expect_err("fails");
    app
}

async fn selected(app: &Flamingock, selection: UndoSelection) -> Vec<String> {
    let entries = app.undoable(&selection, false).await.expect("selects");
    entries.into_iter().map(|entry| entry.change).collect()
}

#[tokio::test]
async fn an_undo_that_failed_does_not_make_its_change_the_one_applied_last() {
    let house = House::new();
    let app = after_a_failed_undo(&house).await;
    assert_eq!(selected(&app, UndoSelection::Tag("release-1".to_owned())).await, ["b"]);
    assert_eq!(selected(&app, UndoSelection::Last(1)).await, ["b"]);
    assert_eq!(selected(&app, UndoSelection::To("a".to_owned())).await, ["b"]);
    let applied = house.entries().await.into_iter().rfind(|entry| entry.change == "b").expect("is applied");
    assert_eq!(selected(&app, UndoSelection::Since(applied.recorded_at)).await, ["b"]);
    let both = UndoSelection::Changes(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(selected(&app, both).await, ["b", "a"]);
}

#[tokio::test]
async fn a_ruling_about_a_failed_undo_leaves_the_change_where_it_was_and_one_about_a_failed_apply_counts() {
    let house = House::new();
    let failing = |id: &str, order: &str| -> Change {
        let mut change = count(id, order);
        change.rollback = Some(on_flags(|_| Err("503".into())));
        change
    };
    let app = house.app([failing("a", "1"), failing("b", "2")]);
    app.run().await.expect("applies");
    app.undo(&["a"]).await.expect_err("fails");
    let rule = |id, resolution| Ruling::new(id, resolution, "looked").by("jane").correct(true);
    let wait = Duration::from_millis(300);
    app.rule(&rule("a", Resolution::Applied), wait).await.expect("rules");
    assert_eq!(selected(&app, UndoSelection::Last(1)).await, ["b"]);

    app.rule(&rule("a", Resolution::RolledBack), wait).await.expect("rules");
    app.rule(&rule("a", Resolution::Applied), wait).await.expect("rules");
    assert_eq!(selected(&app, UndoSelection::Last(1)).await, ["a"], "it was not applied in between");
}

#[tokio::test]
async fn a_change_is_undone_only_on_the_target_that_has_it() {
    let house = House::new();
    house
        .app([put("a", "1"), plain("b", "2", |_| Err("half done".into()))])
        .run()
        .await
        .expect_err("b fails");
    let (mut a, mut b) = (put("a", "1"), put("b", "2"));
    for change in [&mut a, &mut b] {
        change.target_system = "other".to_owned();
        change.rollback = Some(on_db(|db| Ok(db.put("undone", "here")?)));
    }
    b.transactional = Some(false);
    let other = MemoryTarget::new("other");
    let app = house.builder([a, b]).target(other.clone()).build().expect("is wired");
    let error = app.undo(&["a", "b"]).await.expect_err("the target that has them is not asked");
    assert_eq!(error.kind(), RunErrorKind::Refused);
    let text = error.to_string();
    assert!(
        text.contains("`a` is on target system `db` (memory, memory:db), but the code now has it on `other`")
    );
    assert!(text.contains("`b` is on target system `flags` (memory, memory:flags)"), "{text}");
    for ruling in ["-c a --service orders -r ROLLED_BACK --override", "-c b --service orders -r ROLLED_BACK"]
    {
        assert!(text.contains(&format!("`flamingock audit fix {ruling} --reason ..`")), "{text}");
    }
    assert_eq!((other.get("undone"), house.db.get("a").as_deref()), (None, Some("applied")));
    assert_eq!(house.log().await.len(), 4, "nothing was recorded");
}

#[tokio::test]
async fn what_is_proposed_for_a_change_that_is_on_another_target_is_accepted() {
    let house = House::new();
    let retried = |id: &str| {
        let mut change = plain(id, "1", |_| Err("half done".into()));
        change.recovery = RecoveryStrategy::AlwaysRetry;
        change
    };
    let app = |change| house.builder([change]).tenant("acme").target(MemoryTarget::new("other")).build();
    app(retried("a b")).expect("is wired").run().await.expect_err("fails");
    let mut moved = put("a b", "1");
    (moved.target_system, moved.transactional) = ("other".to_owned(), Some(false));
    moved.rollback = Some(on_db(|_| Ok(())));
    let app = app(moved).expect("is wired");
    let text = app.undo(&["a b"]).await.expect_err("is on another").to_string();
    let typed =
        "`flamingock audit fix -c 'a b' --service orders --tenant acme -r ROLLED_BACK --force --reason ..`";
    assert!(text.contains(typed), "{text}");
    let ruling = Ruling::new("a b", Resolution::RolledBack, "looked").force(true);
    app.operator().rule(&ruling).await.expect("rules");
}

#[tokio::test]
async fn a_change_is_undone_on_its_target_also_when_that_has_a_new_name() {
    let house = House::new();
    let app = |target: &str| {
        let mut change = count("a", "1");
        change.target_system = target.to_owned();
        change.rollback = Some(on_flags(|flags| {
            flags.remove("a");
            Ok(())
        }));
        let target = house.flags.target(target).at("https://flags.example");
        let builder = Flamingock::builder().service("orders").audit_store(house.store.clone());
        builder.target(target).change(change).build().expect("is wired")
    };
    app("flags").run().await.expect("applies");
    app("toggles").undo(&["a"]).await.expect("undoes");
    assert_eq!(house.flags.get("a"), None);
}
