//! What changes do in their sessions: end their own transaction, ignore errors, need no transaction.

use std::any::TypeId;
use std::time::Duration;

use flamingock_core::BackendErrorKind;
use flamingock_core::target::{MarkerState, Mode, TargetSystem};
use flamingock_testing::conformance::Suite;
use sqlx::postgres::Postgres;
use sqlx::{Acquire as _, Executor as _, Transaction};

use crate::place::{INSERT, Place, assert_fails, process, update};
use crate::server::add_cases;
use crate::server::postgres::Way;

/// Adds the cases of this file.
pub(crate) fn add(direct: &mut Suite) {
    add_cases!(
        direct,
        a_commit_in_a_change_is_noticed_and_its_marker_says_begun,
        a_rollback_in_a_change_is_noticed,
        a_statement_that_failed_and_was_ignored_fails_the_change,
        a_change_takes_the_transaction_and_nests_its_own_in_it,
        a_plain_change_that_leaves_a_transaction_open_fails_and_nothing_of_that_stays,
        an_index_is_created_concurrently_in_a_plain_change,
        two_that_create_indexes_concurrently_at_once_both_end_well,
    );
}

/// Whether a body fails that ends its transaction by these statements, and what stays of it.
async fn ends_its_transaction(statements: &[&str], users: i64, marker: Option<MarkerState>) {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    for statement in statements {
        // A body that carries on after every error is the worst case.
        let _ = place.run(&mut session, statement).await;
    }
    let finished = session.finish_marker(&update()).await;
    assert_fails(finished, BackendErrorKind::Other, &["ended its own transaction", "`add-users`"]);
    let _ = session.rollback().await;
    assert_eq!((place.users().await, place.marker().await), (users, marker), "{statements:?}");
    place.remove().await;
}

async fn a_commit_in_a_change_is_noticed_and_its_marker_says_begun() {
    let begun = Some(MarkerState::Begun);
    ends_its_transaction(&[INSERT, "COMMIT"], 1, begun).await;
    ends_its_transaction(&[INSERT, "COMMIT", INSERT], 2, begun).await;
    ends_its_transaction(&[INSERT, "COMMIT; BEGIN", INSERT], 1, begun).await;
    ends_its_transaction(&[INSERT, "COMMIT AND CHAIN", INSERT], 1, begun).await;
}

async fn a_rollback_in_a_change_is_noticed() {
    ends_its_transaction(&[INSERT, "ROLLBACK"], 0, None).await;
    ends_its_transaction(&[INSERT, "ROLLBACK", "BEGIN", INSERT], 0, None).await;
    // What it did outside any transaction stays. No transaction can know.
    ends_its_transaction(&[INSERT, "ROLLBACK", INSERT], 1, None).await;
}

async fn a_statement_that_failed_and_was_ignored_fails_the_change() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    place.run(&mut session, INSERT).await.unwrap();
    place.run(&mut session, "SELECT 1 / 0").await.unwrap_err();
    let finished = session.finish_marker(&update()).await;
    assert_fails(finished, BackendErrorKind::Other, &["an earlier statement failed"]);
    session.rollback().await.unwrap();
    assert_eq!((place.users().await, place.marker().await), (0, None));
    place.remove().await;
}

async fn a_change_takes_the_transaction_and_nests_its_own_in_it() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    let type_id = TypeId::of::<Transaction<'static, Postgres>>();
    let transaction: &mut Transaction<'static, Postgres> =
        session.handle(type_id).unwrap().downcast_mut().unwrap();
    transaction.execute(place.sql("CREATE TABLE $.items (name TEXT)")).await.unwrap();
    let mut kept = transaction.begin().await.unwrap();
    kept.execute(place.sql(INSERT)).await.unwrap();
    kept.commit().await.unwrap();
    let mut dropped = transaction.begin().await.unwrap();
    dropped.execute(place.sql(INSERT)).await.unwrap();
    drop(dropped);
    session.finish_marker(&update()).await.unwrap();
    assert_eq!(place.users().await, 0);
    session.commit().await.unwrap();
    assert_eq!((place.users().await, place.marker().await), (1, Some(MarkerState::Done)));
    assert_eq!(place.count("SELECT COUNT(*) FROM $.items").await, 0);
    place.remove().await;
}

async fn a_plain_change_that_leaves_a_transaction_open_fails_and_nothing_of_that_stays() {
    let place = Place::new(Way::Direct).await;
    for (left, fails) in [(&["BEGIN", INSERT][..], &[][..]), (&["BEGIN"], &["SELECT 1 / 0"])] {
        let mut session = place.target.open(Mode::Plain).await.unwrap();
        let server = process(&mut session).await;
        place.run(&mut session, INSERT).await.unwrap();
        for statement in left {
            place.run(&mut session, statement).await.unwrap();
        }
        for statement in fails {
            place.run(&mut session, statement).await.unwrap_err();
        }
        assert_fails(session.commit().await, BackendErrorKind::Other, &["left a transaction open", "COMMIT"]);
        let mut next = place.target.open(Mode::Plain).await.unwrap();
        assert_ne!(process(&mut next).await, server);
        next.commit().await.unwrap();
    }
    assert_eq!(place.users().await, 2);
    // One that the server has ended meanwhile is lost as well.
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    for statement in ["SET idle_in_transaction_session_timeout = 100", "BEGIN", INSERT] {
        place.run(&mut session, statement).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_fails(session.commit().await, BackendErrorKind::Other, &["left a transaction open", "COMMIT"]);
    assert_eq!(place.users().await, 2);
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    for statement in ["BEGIN", INSERT, "COMMIT"] {
        place.run(&mut session, statement).await.unwrap();
    }
    session.commit().await.unwrap();
    assert_eq!(place.users().await, 3);
    place.remove().await;
}

async fn an_index_is_created_concurrently_in_a_plain_change() {
    let place = Place::new(Way::Direct).await;
    let sql = "CREATE INDEX CONCURRENTLY by_name ON $.users (name)";
    let mut session = place.begun().await;
    let refused = place.run(&mut session, sql).await.unwrap_err();
    assert!(refused.to_string().contains("cannot run inside a transaction block"), "{refused}");
    session.rollback().await.unwrap();

    let mut session = place.target.open(Mode::Plain).await.unwrap();
    place.run(&mut session, sql).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(
        place
            .count("SELECT COUNT(*) FROM pg_index WHERE indexrelid = '$.by_name'::regclass AND indisvalid")
            .await,
        1
    );
    place.remove().await;
}

async fn two_that_create_indexes_concurrently_at_once_both_end_well() {
    let place = Place::new(Way::Direct).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        sessions.push(place.target.open(Mode::Plain).await.unwrap());
    }
    // Sessions that are open and idle are in nobody's way.
    let (mut one, mut other) = (sessions.remove(0), sessions.remove(0));
    let create = |name: &str| format!("CREATE INDEX CONCURRENTLY {name} ON $.users (name)");
    let (first, second) = (create("first"), create("second"));
    let both = async { tokio::join!(place.run(&mut one, &first), place.run(&mut other, &second)) };
    let (first, second) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    // PostgreSQL itself may find the two in each other's way; then the loser is told, and nothing hangs.
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    place.remove().await;
}
