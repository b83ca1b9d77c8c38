use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::audit::AuditState::{Applied, Failed, RolledBack, Started};
use flamingock_core::audit::{AuditStore, ChainHash, EntryFilter, verify_chain};

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, all, head, orders, pages, sequences};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        entries_of_an_empty_history_are_none,
        entries_come_by_sequence,
        entries_after_a_sequence_begin_with_the_next,
        entries_up_to_a_limit_are_the_first_that_fit,
        entries_of_one_change_are_its_own_alone,
        entries_in_one_state_are_those_alone,
        entries_since_a_time_include_that_very_microsecond,
        entries_have_to_fit_every_part_of_the_filter,
        entries_of_an_unknown_change_are_none,
        ten_thousand_entries_come_in_pages_and_in_order,
        a_page_is_empty_only_when_no_more_fit,
    ]
}

const NONE: [u64; 0] = [];

/// Two changes, one of which fails first: sequences 1 to 6.
async fn small(stores: &Stores, history: &History) -> Arc<dyn AuditStore> {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, history, "run-1").await;
    run.record(&[("a", Started)]).await;
    run.record(&[("a", Failed), ("a", RolledBack), ("a", Started)]).await;
    run.record(&[("a", Applied), ("b", Started)]).await;
    store
}

async fn found(store: &Arc<dyn AuditStore>, filter: EntryFilter) -> Vec<u64> {
    sequences(&pages(store, &orders(), filter).await.concat())
}

async fn entries_of_an_empty_history_are_none(stores: Arc<Stores>) {
    let store = stores.audit().await;
    assert_eq!(all(&store, &orders()).await, []);
    Recorder::start(&store, &orders(), "run-1").await;
    assert_eq!(all(&store, &orders()).await, []);
}

async fn entries_come_by_sequence(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    assert_eq!(found(&store, EntryFilter::default()).await, [1, 2, 3, 4, 5, 6]);
}

async fn entries_after_a_sequence_begin_with_the_next(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    assert_eq!(found(&store, EntryFilter { after: 4, ..EntryFilter::default() }).await, [5, 6]);
    assert_eq!(found(&store, EntryFilter { after: 6, ..EntryFilter::default() }).await, NONE);
    assert_eq!(found(&store, EntryFilter { after: 1_000_000, ..EntryFilter::default() }).await, NONE);
}

async fn entries_up_to_a_limit_are_the_first_that_fit(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    let page = |after, limit| {
        let filter =
            EntryFilter { after, limit, change: Some("a".to_owned()), state: Some(Started), since: None };
        let store = Arc::clone(&store);
        async move { sequences(&store.entries(&orders(), &filter).await.expect("entries")) }
    };
    assert_eq!(page(0, 1).await, [1]);
    assert_eq!(page(1, 1).await, [4]);
    assert_eq!(page(0, 9).await, [1, 4]);
    assert_eq!(page(4, 9).await, NONE);
}

async fn entries_of_one_change_are_its_own_alone(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    let of = |change: &str| EntryFilter { change: Some(change.to_owned()), ..EntryFilter::default() };
    assert_eq!(found(&store, of("a")).await, [1, 2, 3, 4, 5]);
    assert_eq!(found(&store, of("b")).await, [6]);
}

async fn entries_in_one_state_are_those_alone(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    let filter = EntryFilter { state: Some(Started), ..EntryFilter::default() };
    assert_eq!(found(&store, filter).await, [1, 4, 6]);
}

async fn entries_since_a_time_include_that_very_microsecond(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    let third = all(&store, &orders()).await[2].recorded_at;
    let since = |microseconds| {
        let since = jiff::Timestamp::from_microsecond(third.as_microsecond() + microseconds).expect("a time");
        EntryFilter { since: Some(since), ..EntryFilter::default() }
    };
    assert_eq!(found(&store, since(-1)).await, [3, 4, 5, 6]);
    assert_eq!(found(&store, since(0)).await, [3, 4, 5, 6]);
    assert_eq!(found(&store, since(1)).await, [4, 5, 6]);
}

async fn entries_have_to_fit_every_part_of_the_filter(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    let filter = EntryFilter {
        after: 1,
        limit: 0,
        change: Some("a".to_owned()),
        state: Some(Started),
        since: Some(all(&store, &orders()).await[1].recorded_at),
    };
    assert_eq!(found(&store, filter).await, [4]);
}

async fn entries_of_an_unknown_change_are_none(stores: Arc<Stores>) {
    let store = small(&stores, &orders()).await;
    for id in ["nobody", "A", "a ", "%", "", "a' OR 'a' = 'a"] {
        let filter = EntryFilter { change: Some(id.to_owned()), ..EntryFilter::default() };
        assert_eq!(found(&store, filter).await, NONE, "of `{id}`");
    }
}

/// 10,000 entries, of which sequence 9,001 alone is FAILED.
async fn large(stores: &Stores) -> Arc<dyn AuditStore> {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    for batch in 0..20 {
        let ids: Vec<_> = (0..500).map(|n| format!("change-{}", batch * 500 + n)).collect();
        let state = |n: usize| if batch == 18 && n == 0 { Failed } else { Applied };
        let states: Vec<_> = ids.iter().enumerate().map(|(n, id)| (id.as_str(), state(n))).collect();
        run.record(&states).await;
    }
    store
}

async fn ten_thousand_entries_come_in_pages_and_in_order(stores: Arc<Stores>) {
    let store = large(&stores).await;
    let head = head(&store, &orders()).await;
    for limit in [0, 999, 20_000] {
        let pages = pages(&store, &orders(), EntryFilter { limit, ..EntryFilter::default() }).await;
        assert!(limit == 0 || pages.iter().all(|page| page.len() <= limit), "more than {limit} in a page");
        let stands = verify_chain((0, ChainHash::GENESIS), pages.iter().flatten());
        assert_eq!(stands, Ok((10_000, head.hash)), "in pages of {limit}");
    }
}

async fn a_page_is_empty_only_when_no_more_fit(stores: Arc<Stores>) {
    let store = large(&stores).await;
    let filter = EntryFilter { state: Some(Failed), ..EntryFilter::default() };
    assert_eq!(sequences(&store.entries(&orders(), &filter).await.expect("entries")), [9001]);
    let filter = EntryFilter { limit: 10, ..filter };
    assert_eq!(sequences(&store.entries(&orders(), &filter).await.expect("entries")), [9001]);
    let filter = EntryFilter { after: 9001, ..filter };
    assert_eq!(store.entries(&orders(), &filter).await.expect("entries"), []);
}
