use std::sync::Arc;

use flamingock_core::audit::AuditState::{Applied, Failed, RolledBack, Started};
use flamingock_core::audit::{AuditEntry, AuditStore, Operation};
use jiff::Timestamp;

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, orders, sequences};
use crate::entries::entry;

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        latest_of_an_empty_history_is_empty,
        latest_gives_the_entry_with_the_greatest_sequence_of_each_change,
        latest_goes_by_sequence_and_not_by_the_time_recorded,
        latest_leaves_out_entries_about_no_change,
        latest_gives_whole_entries,
        latest_tells_ids_apart_byte_by_byte,
        latest_leaves_out_other_histories,
        latest_of_2000_changes_gives_each_once,
    ]
}

async fn latest(store: &Arc<dyn AuditStore>) -> Vec<AuditEntry> {
    store.latest(&orders()).await.expect("latest")
}

async fn latest_of_an_empty_history_is_empty(stores: Arc<Stores>) {
    let store = stores.audit().await;
    assert_eq!(latest(&store).await, []);
    Recorder::start(&store, &orders(), "run-1").await;
    assert_eq!(latest(&store).await, []);
}

async fn latest_gives_the_entry_with_the_greatest_sequence_of_each_change(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("b", Started)]).await;
    run.record(&[("b", Applied), ("a", Started)]).await;
    run.record(&[("a", Failed), ("a", RolledBack), ("c", Started)]).await;
    let states: Vec<_> = latest(&store)
        .await
        .into_iter()
        .map(|entry| (entry.sequence, entry.change, entry.state.expect("a state")))
        .collect();
    let expected = [(2, "b", Applied), (5, "a", RolledBack), (6, "c", Started)];
    assert_eq!(states, expected.map(|(sequence, change, state)| (sequence, change.to_owned(), state)));
}

async fn latest_goes_by_sequence_and_not_by_the_time_recorded(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let mut before_the_clock_was_set_back = entry(&orders(), 1, "a", Started);
    before_the_clock_was_set_back.recorded_at = Timestamp::from_second(4_000_000_000).expect("a time");
    run.record_entries(vec![before_the_clock_was_set_back, entry(&orders(), 2, "a", Applied)]).await;
    assert_eq!(sequences(&latest(&store).await), [2]);
}

async fn latest_leaves_out_entries_about_no_change(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let about_nothing = |sequence, operation| {
        let mut entry = entry(&orders(), sequence, "", Applied);
        (entry.state, entry.operation) = (None, operation);
        entry
    };
    let entries = vec![
        about_nothing(1, Operation::Tag),
        entry(&orders(), 2, "a", Applied),
        about_nothing(3, Operation::Unlock),
    ];
    run.record_entries(entries).await;
    assert_eq!(sequences(&latest(&store).await), [2]);
}

async fn latest_gives_whole_entries(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let entries = run.record_entries(vec![super::fidelity::full(&orders())]).await;
    assert_eq!(latest(&store).await, entries);
}

async fn latest_tells_ids_apart_byte_by_byte(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let ids = super::fidelity::SIMILAR;
    run.record(&ids.map(|id| (id, Started))).await;
    let found: Vec<_> = latest(&store).await.into_iter().map(|entry| entry.change).collect();
    assert_eq!(found, ids);
}

async fn latest_leaves_out_other_histories(stores: Arc<Stores>) {
    let store = stores.audit().await;
    for tenant in ["", "t1", "t2"] {
        let history = orders().tenant(tenant);
        Recorder::start(&store, &history, "run-1").await.record(&[("a", Started), (tenant, Started)]).await;
    }
    let found = store.latest(&orders().tenant("t1")).await.expect("latest");
    assert_eq!(found.iter().map(|entry| &entry.change).collect::<Vec<_>>(), ["a", "t1"]);
}

async fn latest_of_2000_changes_gives_each_once(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    for hundred in 0..20 {
        let ids: Vec<_> = (0..100).map(|n| format!("change-{}", hundred * 100 + n)).collect();
        let states: Vec<_> = ids.iter().map(|id| (id.as_str(), Applied)).collect();
        run.record(&states).await;
    }
    assert_eq!(sequences(&latest(&store).await), (1..=2000).collect::<Vec<_>>());
}
