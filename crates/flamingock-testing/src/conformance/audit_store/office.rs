use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::audit::AuditState::{Applied, Started};
use flamingock_core::audit::{Append, ChainHash, FORMAT, Head, HeadChange, Office};
use flamingock_core::lock::FencingToken;
use futures_util::future::join_all;

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, execution, head, orders};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        the_first_office_makes_the_head,
        an_office_gets_the_heads_token_plus_one,
        an_office_gets_the_leases_token_plus_one_when_that_is_greater,
        an_office_answers_what_the_head_now_says,
        an_office_keeps_sequence_hash_and_digests,
        an_office_taken_again_by_the_same_run_has_a_higher_token,
        of_16_that_take_office_at_once_each_gets_a_token_of_its_own,
        an_office_in_one_history_leaves_the_others_alone,
    ]
}

async fn take(stores: &Stores, lease: u64, run: &str) -> Office {
    let store = stores.audit().await;
    store.take_office(&orders(), FencingToken(lease), &execution(run)).await.expect("take office")
}

async fn the_first_office_makes_the_head(stores: Arc<Stores>) {
    let office = take(&stores, 1, "run-1").await;
    let expected = Head {
        format: FORMAT,
        token: FencingToken(2),
        owner: "orders@host#run-1".to_owned(),
        execution: "run-1".to_owned(),
        sequence: 0,
        hash: ChainHash::GENESIS,
        digests: Vec::new(),
        verdict: None,
    };
    assert_eq!(office.head, expected);
}

async fn an_office_gets_the_heads_token_plus_one(stores: Arc<Stores>) {
    // The lock lost its counter: its tokens are lower than the head's.
    assert_eq!(take(&stores, 41, "run-1").await.token, FencingToken(42));
    assert_eq!(take(&stores, 1, "run-2").await.token, FencingToken(43));
    assert_eq!(take(&stores, 43, "run-3").await.token, FencingToken(44));
}

async fn an_office_gets_the_leases_token_plus_one_when_that_is_greater(stores: Arc<Stores>) {
    assert_eq!(take(&stores, 1, "run-1").await.token, FencingToken(2));
    let large = u64::from(u32::MAX) + 7;
    assert_eq!(take(&stores, large, "run-2").await.token, FencingToken(large + 1));
}

async fn an_office_answers_what_the_head_now_says(stores: Arc<Stores>) {
    take(&stores, 1, "run-1").await;
    let office = take(&stores, 1, "run-2").await;
    assert_eq!((&office.history, &office.execution), (&orders(), &execution("run-2")));
    assert_eq!(office.token, office.head.token);
    assert_eq!(head(&stores.audit().await, &orders()).await, office.head);
}

async fn an_office_keeps_sequence_hash_and_digests(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started), ("a", Applied)]).await;
    let change = HeadChange { digests: vec!["v1:ab".to_owned()], ..run.chain.head_change() };
    store.append(&run.office, &Append { expected: 2, entries: &[], head: change }).await.expect("append");
    let before = head(&store, &orders()).await;
    let office = take(&stores, 1, "run-2").await;
    let expected = Head {
        token: FencingToken(before.token.0 + 1),
        owner: "orders@host#run-2".to_owned(),
        execution: "run-2".to_owned(),
        ..before
    };
    assert_eq!(office.head, expected);
}

async fn an_office_taken_again_by_the_same_run_has_a_higher_token(stores: Arc<Stores>) {
    let first = take(&stores, 1, "run-1").await;
    let second = take(&stores, 1, "run-1").await;
    assert!(second.token > first.token, "{} after {}", second.token, first.token);
}

async fn of_16_that_take_office_at_once_each_gets_a_token_of_its_own(stores: Arc<Stores>) {
    let mut handles = Vec::new();
    for _ in 0..16 {
        handles.push(stores.audit().await);
    }
    let taking = handles.into_iter().enumerate().map(|(run, store)| {
        tokio::spawn(async move {
            store.take_office(&orders(), FencingToken(1), &execution(&format!("run-{run}"))).await
        })
    });
    let mut tokens: Vec<_> = join_all(taking)
        .await
        .into_iter()
        .map(|office| office.expect("no panic").expect("take office").token.0)
        .collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (2..18).collect::<Vec<_>>());
}

async fn an_office_in_one_history_leaves_the_others_alone(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    for other in [orders().tenant("t1"), orders().tenant("t2"), History::new("billing"), History::new("")] {
        Recorder::start(&store, &other, "run-2").await.record(&[("a", Started)]).await;
    }
    run.record(&[("a", Started)]).await;
    assert_eq!(head(&store, &orders()).await.token, run.office.token);
}
