use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::audit::AuditState::{Applied, Started};
use flamingock_core::audit::{Append, FORMAT, Head, HeadChange, Verdict, VerdictStatus};
use futures_util::future::join_all;

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, head, orders};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        head_before_initialize_is_none,
        head_before_initialize_creates_nothing,
        head_after_initialize_and_before_the_first_run_is_none,
        initialize_again_changes_nothing,
        initialize_by_16_at_once_succeeds_for_each,
        head_shows_what_another_handle_appended_a_moment_ago,
        head_carries_eight_digests_in_their_order,
        an_append_replaces_digests_and_verdict,
        an_append_without_entries_changes_the_head_alone,
        what_was_stored_is_there_after_reopening if |c| c.persistent,
        histories_before_initialize_are_none,
        histories_are_those_with_a_head_in_order,
        kind_and_address_say_what_it_is,
    ]
}

async fn head_before_initialize_is_none(stores: Arc<Stores>) {
    let store = stores.untouched_audit().await;
    assert_eq!(store.head(&orders()).await.expect("head"), None);
}

async fn head_before_initialize_creates_nothing(stores: Arc<Stores>) {
    let store = stores.untouched_audit().await;
    store.head(&orders()).await.expect("head");
    // Had it created a part, this would find something of another shape or a history with a head.
    store.initialize().await.expect("initialize");
    assert_eq!(store.head(&orders()).await.expect("head"), None);
}

async fn head_after_initialize_and_before_the_first_run_is_none(stores: Arc<Stores>) {
    let store = stores.audit().await;
    assert_eq!(store.head(&orders()).await.expect("head"), None);
}

async fn initialize_again_changes_nothing(stores: Arc<Stores>) {
    let store = stores.audit().await;
    Recorder::start(&store, &orders(), "run-1").await.record(&[("a", Started)]).await;
    let before = head(&store, &orders()).await;
    store.initialize().await.expect("initialize again");
    stores.audit().await;
    assert_eq!(head(&store, &orders()).await, before);
}

async fn initialize_by_16_at_once_succeeds_for_each(stores: Arc<Stores>) {
    let mut handles = Vec::new();
    for _ in 0..16 {
        handles.push(stores.untouched_audit().await);
    }
    let creating = handles.into_iter().map(|store| tokio::spawn(async move { store.initialize().await }));
    for outcome in join_all(creating).await {
        outcome.expect("no panic").expect("initialize");
    }
    Recorder::start(&stores.audit().await, &orders(), "run-1").await.record(&[("a", Started)]).await;
}

async fn head_shows_what_another_handle_appended_a_moment_ago(stores: Arc<Stores>) {
    let (writer, reader) = (stores.audit().await, stores.audit().await);
    let mut run = Recorder::start(&writer, &orders(), "run-1").await;
    for _ in 0..20 {
        run.record(&[("a", Started), ("a", Applied)]).await;
        let expected = run.chain.head_change();
        let head = head(&reader, &orders()).await;
        assert_eq!((head.sequence, head.hash), (expected.sequence, expected.hash));
    }
}

async fn head_carries_eight_digests_in_their_order(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let run = Recorder::start(&store, &orders(), "run-1").await;
    let digests: Vec<_> = (0..Head::DIGESTS).map(|n| format!("v1:{:064x}", 1000 - n)).collect();
    let change = HeadChange { digests: digests.clone(), ..run.chain.head_change() };
    store.append(&run.office, &Append { expected: 0, entries: &[], head: change }).await.expect("append");
    assert_eq!(head(&store, &orders()).await.digests, digests);
}

async fn an_append_replaces_digests_and_verdict(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let verdict = Verdict {
        execution: "run-1".to_owned(),
        digest: "v1:ab".to_owned(),
        status: VerdictStatus::Failed,
        message: "it's \"broken\" \\ in two lines\nas 🦩 says".to_owned(),
    };
    let change = HeadChange {
        digests: vec!["v1:ab".to_owned()],
        verdict: Some(verdict.clone()),
        ..run.chain.head_change()
    };
    store.append(&run.office, &Append { expected: 0, entries: &[], head: change }).await.expect("append");
    let said = head(&store, &orders()).await;
    assert_eq!((said.digests, said.verdict), (vec!["v1:ab".to_owned()], Some(verdict)));

    run.record(&[("a", Started)]).await;
    let cleared = head(&store, &orders()).await;
    assert_eq!((cleared.digests, cleared.verdict), (Vec::new(), None));
}

async fn an_append_without_entries_changes_the_head_alone(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started)]).await;
    let before = head(&store, &orders()).await;
    let change = HeadChange { digests: vec!["v1:ab".to_owned()], ..run.chain.head_change() };
    store.append(&run.office, &Append { expected: 1, entries: &[], head: change }).await.expect("append");
    let after = head(&store, &orders()).await;
    assert_eq!(after, Head { digests: vec!["v1:ab".to_owned()], ..before });
    // And the next append goes on from there.
    run.record(&[("a", Applied)]).await;
}

async fn what_was_stored_is_there_after_reopening(stores: Arc<Stores>) {
    let (entries, before) = {
        let store = stores.reopen().await.audit.expect("audit store");
        store.initialize().await.expect("initialize");
        let mut run = Recorder::start(&store, &orders(), "run-1").await;
        (run.record(&[("a", Started), ("a", Applied)]).await, head(&store, &orders()).await)
    };
    let store = stores.reopen().await.audit.expect("audit store");
    // The one read of a start with nothing to do comes before initialize.
    assert_eq!(head(&store, &orders()).await, before);
    assert_eq!(before.format, FORMAT);
    store.initialize().await.expect("initialize");
    assert_eq!(crate::conformance::support::all(&store, &orders()).await, entries);
}

async fn histories_before_initialize_are_none(stores: Arc<Stores>) {
    assert_eq!(stores.untouched_audit().await.histories().await.expect("histories"), []);
}

async fn histories_are_those_with_a_head_in_order(stores: Arc<Stores>) {
    let store = stores.audit().await;
    assert_eq!(store.histories().await.expect("histories"), []);
    let history = |service: &str, tenant: &str| History::new(service).tenant(tenant);
    let expected =
        [history("Orders", ""), history("orders", ""), history("orders", "it's"), history("ö", "")];
    for index in [3, 1, 2, 0] {
        let head = store.head(&expected[index]).await.expect("head");
        assert_eq!(head, None, "a look creates nothing");
        Recorder::start(&store, &expected[index], "run-1").await;
    }
    assert_eq!(store.histories().await.expect("histories"), expected);
}

async fn kind_and_address_say_what_it_is(stores: Arc<Stores>) {
    let store = stores.audit().await;
    assert!(!store.kind().is_empty());
    assert!(!store.address().is_empty());
}
