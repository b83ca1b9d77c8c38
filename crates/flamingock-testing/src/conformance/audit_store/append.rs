use std::sync::Arc;

use flamingock_core::BackendErrorKind;
use flamingock_core::audit::AuditState::{Applied, Failed, RolledBack, Started};
use flamingock_core::audit::{Append, ChainHash, verify_chain};
use flamingock_core::lock::FencingToken;

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, all, assert_fails, execution, head, orders, sequences};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        an_append_makes_its_entries_and_the_heads_change_durable,
        an_append_leaves_token_owner_and_execution_as_they_are,
        several_entries_are_appended_together,
        a_hundred_entries_are_appended_together,
        a_chain_over_many_appends_and_runs_verifies,
        an_append_under_an_old_token_is_refused_and_writes_nothing,
        an_append_after_a_newer_run_took_office_is_refused_and_writes_nothing,
        an_append_with_the_right_token_and_another_execution_is_refused,
        an_append_with_a_token_that_was_never_given_is_refused,
        an_append_whose_expected_sequence_is_behind_is_refused,
        an_append_whose_expected_sequence_is_ahead_is_refused,
        an_append_in_a_history_without_an_office_is_refused,
        an_append_without_entries_is_fenced_as_well,
        an_append_whose_answer_was_lost_is_found_by_the_heads_hash_and_not_doubled,
        an_append_that_never_arrived_is_found_by_the_heads_hash_and_can_be_sent_again,
    ]
}

async fn an_append_makes_its_entries_and_the_heads_change_durable(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let entries = run.record(&[("a", Started)]).await;
    let reader = stores.audit().await;
    let head = head(&reader, &orders()).await;
    assert_eq!((head.sequence, head.hash), (1, entries[0].hash));
    assert_eq!(all(&reader, &orders()).await, entries);
}

async fn an_append_leaves_token_owner_and_execution_as_they_are(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started)]).await;
    let head = head(&store, &orders()).await;
    assert_eq!((head.token, head.execution.as_str()), (run.office.token, "run-1"));
    assert_eq!(head.owner, "orders@host#run-1");
}

async fn several_entries_are_appended_together(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started)]).await;
    run.record(&[("a", Applied), ("b", Started)]).await;
    run.record(&[("b", Failed), ("b", RolledBack)]).await;
    let entries = all(&store, &orders()).await;
    let states: Vec<_> = entries.iter().map(|entry| (entry.change.as_str(), entry.state)).collect();
    let expected = [("a", Started), ("a", Applied), ("b", Started), ("b", Failed), ("b", RolledBack)];
    assert_eq!(states, expected.map(|(change, state)| (change, Some(state))));
}

async fn a_hundred_entries_are_appended_together(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let ids: Vec<_> = (0..100).map(|n| format!("change-{n}")).collect();
    let states: Vec<_> = ids.iter().map(|id| (id.as_str(), Applied)).collect();
    let entries = run.record(&states).await;
    assert_eq!(all(&store, &orders()).await, entries);
}

async fn a_chain_over_many_appends_and_runs_verifies(stores: Arc<Stores>) {
    let store = stores.audit().await;
    for run in 0..5 {
        let mut run = Recorder::start(&store, &orders(), &format!("run-{run}")).await;
        run.record(&[("a", Started)]).await;
        run.record(&[("a", Failed), ("a", RolledBack)]).await;
    }
    let entries = all(&store, &orders()).await;
    assert_eq!(sequences(&entries), (1..=15).collect::<Vec<_>>());
    let head = head(&store, &orders()).await;
    assert_eq!(verify_chain((0, ChainHash::GENESIS), &entries), Ok((head.sequence, head.hash)));
}

/// That the head and the entries are those of `run` alone, after something else was refused.
async fn assert_untouched(stores: &Stores, run: &Recorder) {
    let store = stores.audit().await;
    let (head, expected) = (head(&store, &orders()).await, run.chain.head_change());
    assert_eq!((head.sequence, head.hash), (expected.sequence, expected.hash));
    assert_eq!((head.token, &head.execution), (run.office.token, &run.office.execution.id));
    let entries = all(&store, &orders()).await;
    assert_eq!(sequences(&entries), (1..=expected.sequence).collect::<Vec<_>>());
}

async fn an_append_under_an_old_token_is_refused_and_writes_nothing(stores: Arc<Stores>) {
    let store = stores.audit().await;
    // The same run took office anew: what it sent before must not arrive any more.
    let mut before = Recorder::start(&store, &orders(), "run-1").await;
    let now = Recorder::start(&store, &orders(), "run-1").await;
    assert_fails(before.append(&[("a", Started)]).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &now).await;
}

async fn an_append_after_a_newer_run_took_office_is_refused_and_writes_nothing(stores: Arc<Stores>) {
    let mut old = Recorder::start(&stores.audit().await, &orders(), "run-1").await;
    old.record(&[("a", Started)]).await;
    let mut new = Recorder::start(&stores.audit().await, &orders(), "run-2").await;
    assert_fails(old.append(&[("a", Applied), ("b", Started)]).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &new).await;
    new.record(&[("a", Started)]).await;
    assert_fails(old.append(&[("a", Applied)]).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &new).await;
}

async fn an_append_with_the_right_token_and_another_execution_is_refused(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let run = Recorder::start(&store, &orders(), "run-1").await;
    let mut other = Recorder { store, office: run.office.clone(), chain: run.chain.clone() };
    other.office.execution = execution("run-2");
    assert_fails(other.append(&[("a", Started)]).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &run).await;
}

async fn an_append_with_a_token_that_was_never_given_is_refused(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let run = Recorder::start(&store, &orders(), "run-1").await;
    let mut other = Recorder { store, office: run.office.clone(), chain: run.chain.clone() };
    // The audit store was restored from an older backup: the head has a lower token.
    other.office.token = FencingToken(run.office.token.0 + 5);
    assert_fails(other.append(&[("a", Started)]).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &run).await;
}

async fn an_append_whose_expected_sequence_is_behind_is_refused(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let chain = run.chain.clone();
    run.record(&[("a", Started)]).await;
    let mut behind = Recorder { store, office: run.office.clone(), chain };
    assert_fails(behind.append(&[("b", Started)]).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &run).await;
}

async fn an_append_whose_expected_sequence_is_ahead_is_refused(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started)]).await;
    let mut chain = run.chain.clone();
    chain.next("a", Applied);
    let mut ahead = Recorder { store, office: run.office.clone(), chain };
    assert_fails(ahead.append(&[("b", Started)]).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &run).await;
}

async fn an_append_in_a_history_without_an_office_is_refused(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let run = Recorder::start(&store, &orders(), "run-1").await;
    let mut elsewhere = Recorder { store, office: run.office.clone(), chain: run.chain.clone() };
    elsewhere.office.history = orders().tenant("t1");
    assert_fails(elsewhere.append(&[("a", Started)]).await, BackendErrorKind::LeaseLost);
    let store = stores.audit().await;
    assert_eq!(store.head(&orders().tenant("t1")).await.expect("head"), None);
    assert_eq!(all(&store, &orders().tenant("t1")).await, []);
}

async fn an_append_without_entries_is_fenced_as_well(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let old = Recorder::start(&store, &orders(), "run-1").await;
    let new = Recorder::start(&store, &orders(), "run-2").await;
    let mut change = old.chain.head_change();
    change.digests.push("v1:ab".to_owned());
    let append = Append { expected: 0, entries: &[], head: change };
    assert_fails(store.append(&old.office, &append).await, BackendErrorKind::LeaseLost);
    assert_untouched(&stores, &new).await;
    assert_eq!(head(&store, &orders()).await.digests, Vec::<String>::new());
}

async fn an_append_whose_answer_was_lost_is_found_by_the_heads_hash_and_not_doubled(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started)]).await;
    // It arrived, the runner did not hear, and sends it again.
    let before = run.chain.clone();
    let lost = run.record(&[("a", Applied), ("b", Started)]).await;
    let mut again = Recorder { store: stores.audit().await, office: run.office.clone(), chain: before };
    let chain = run.chain.clone();
    assert_fails(again.append_sealed(&chain, &lost).await, BackendErrorKind::LeaseLost);
    assert_eq!(head(&store, &orders()).await.hash, lost[1].hash, "the head tells that it had arrived");
    assert_untouched(&stores, &run).await;
    run.record(&[("b", Applied)]).await;
}

async fn an_append_that_never_arrived_is_found_by_the_heads_hash_and_can_be_sent_again(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    let entries = run.record(&[("a", Started)]).await;
    let mut chain = run.chain.clone();
    let sent = [chain.next("a", Applied), chain.next("b", Started)];
    assert_eq!(head(&store, &orders()).await.hash, entries[0].hash, "the head tells that nothing arrived");
    run.append_sealed(&chain, &sent).await.expect("append");
    assert_untouched(&stores, &run).await;
}
