use std::sync::Arc;

use flamingock_core::audit::AuditState::{Applied, Started};
use flamingock_core::audit::EntryFilter;
use flamingock_core::{BackendError, BackendErrorKind};

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::store_fixture::Damage;
use crate::conformance::support::{
    Recorder, Stores, assert_fails, assert_hidden, execution, head, orders, sequences, shown,
};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        an_entry_that_cannot_be_read_is_corrupt_and_named if |c| c.damages.contains(&Damage::UnreadableEntry),
        the_entries_beside_an_unreadable_one_can_be_read if |c| c.damages.contains(&Damage::UnreadableEntry),
        a_store_of_a_newer_release_is_refused if |c| c.damages.contains(&Damage::NewerFormat),
        a_store_of_another_shape_is_refused if |c| c.damages.contains(&Damage::OtherShape),
        a_store_that_cannot_be_written_says_so_and_can_be_read
            if |c| c.damages.contains(&Damage::ReadOnly),
        a_store_that_is_not_reached_is_unavailable if |c| c.damages.contains(&Damage::Unreachable),
        an_append_that_is_not_reached_did_not_end_the_office
            if |c| c.damages.contains(&Damage::Unreachable),
        no_secret_is_shown if |c| c.secret.is_some(),
    ]
}

async fn an_entry_that_cannot_be_read_is_corrupt_and_named(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started), ("a", Applied), ("b", Started)]).await;
    stores.damage(Damage::UnreadableEntry, &orders(), 2).await;
    let entries = store.entries(&orders(), &EntryFilter::default()).await;
    for error in [
        assert_fails(entries, BackendErrorKind::Corrupt),
        assert_fails(store.latest(&orders()).await, BackendErrorKind::Corrupt),
    ] {
        assert!(error.to_string().contains('2'), "the error does not name sequence 2: {error}");
    }
    head(&store, &orders()).await;
}

async fn the_entries_beside_an_unreadable_one_can_be_read(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started), ("a", Applied), ("b", Started)]).await;
    stores.damage(Damage::UnreadableEntry, &orders(), 2).await;
    let filter = EntryFilter { after: 2, ..EntryFilter::default() };
    assert_eq!(sequences(&store.entries(&orders(), &filter).await.expect("entries")), [3]);
    run.record(&[("b", Applied)]).await;
}

async fn a_store_of_a_newer_release_is_refused(stores: Arc<Stores>) {
    let store = stores.audit().await;
    Recorder::start(&store, &orders(), "run-1").await.record(&[("a", Started)]).await;
    stores.damage(Damage::NewerFormat, &orders(), 1).await;
    let store = stores.untouched_audit().await;
    assert_fails(store.head(&orders()).await, BackendErrorKind::NewerFormat);
    assert_fails(store.initialize().await, BackendErrorKind::NewerFormat);
}

async fn a_store_of_another_shape_is_refused(stores: Arc<Stores>) {
    stores.damage(Damage::OtherShape, &orders(), 0).await;
    let store = stores.untouched_audit().await;
    assert_fails(store.head(&orders()).await, BackendErrorKind::Schema);
    assert_fails(store.initialize().await, BackendErrorKind::Schema);
}

async fn a_store_that_cannot_be_written_says_so_and_can_be_read(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started)]).await;
    drop(store);
    stores.damage(Damage::ReadOnly, &orders(), 0).await;
    let store = stores.untouched_audit().await;
    assert_eq!(head(&store, &orders()).await.sequence, 1);
    let refused = |error: BackendError| {
        let refused = matches!(error.kind(), BackendErrorKind::ReadOnly | BackendErrorKind::Denied);
        assert!(refused, "{:?}: {error}", error.kind());
    };
    run.store = Arc::clone(&store);
    refused(run.append(&[("a", Applied)]).await.expect_err("an append to what cannot be written"));
    let office = store.take_office(&orders(), run.office.token, &execution("run-2")).await;
    refused(office.expect_err("an office in what cannot be written"));
    assert_eq!(sequences(&store.latest(&orders()).await.expect("latest")), [1]);
}

async fn a_store_that_is_not_reached_is_unavailable(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    stores.damage(Damage::Unreachable, &orders(), 0).await;
    let office = store.take_office(&orders(), run.office.token, &execution("run-2")).await;
    for error in [
        assert_fails(store.initialize().await, BackendErrorKind::Unavailable),
        assert_fails(store.head(&orders()).await, BackendErrorKind::Unavailable),
        assert_fails(office, BackendErrorKind::Unavailable),
        assert_fails(run.append(&[("a", Started)]).await, BackendErrorKind::Unavailable),
        assert_fails(store.latest(&orders()).await, BackendErrorKind::Unavailable),
        assert_fails(store.entries(&orders(), &EntryFilter::default()).await, BackendErrorKind::Unavailable),
    ] {
        assert!(error.is_temporary(), "{error}");
        if let Some(secret) = &stores.capabilities.secret {
            assert_hidden(secret, [shown(&error)]);
        }
    }
}

async fn an_append_that_is_not_reached_did_not_end_the_office(stores: Arc<Stores>) {
    let mut run = Recorder::start(&stores.audit().await, &orders(), "run-1").await;
    stores.damage(Damage::Unreachable, &orders(), 0).await;
    let error = run.append(&[("a", Started)]).await.expect_err("not reached");
    // The runner tries again: only `LeaseLost` tells it to stop.
    assert!(!error.is_lease_lost(), "{error}");
}

async fn no_secret_is_shown(stores: Arc<Stores>) {
    let secret = stores.capabilities.secret.clone().expect("declared");
    let store = stores.audit().await;
    assert_hidden(&secret, [store.address(), format!("{store:?}"), format!("{store:#?}")]);
    let mut old = Recorder::start(&store, &orders(), "run-1").await;
    Recorder::start(&store, &orders(), "run-2").await;
    let error = old.append(&[("a", Started)]).await.expect_err("out of office");
    assert_hidden(&secret, [shown(&error)]);
}
