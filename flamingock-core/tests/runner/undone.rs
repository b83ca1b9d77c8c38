//! Undo.

use crate::support::{House, count, on_db, on_flags, put};
use flamingock_core::RunErrorKind;
use flamingock_core::report::RunStatus;

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
