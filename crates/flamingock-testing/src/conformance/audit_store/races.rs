use std::sync::Arc;
use std::time::Duration;

use flamingock_core::BackendErrorKind;
use flamingock_core::audit::AuditState::{Applied, Started};
use flamingock_core::audit::{ChainHash, verify_chain};
use futures_util::future::join_all;

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, all, head, orders};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        of_16_appends_at_once_with_one_expected_sequence_one_is_taken,
        an_append_and_an_office_at_once_leave_no_entry_of_a_deposed_run_behind_the_office,
        an_append_dropped_half_way_took_effect_as_a_whole_or_not_at_all,
        a_reader_never_sees_half_an_append,
        runs_in_several_histories_at_once_do_not_disturb_each_other,
    ]
}

async fn of_16_appends_at_once_with_one_expected_sequence_one_is_taken(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let run = Recorder::start(&store, &orders(), "run-1").await;
    let mut sending = Vec::new();
    for n in 0..16 {
        let mut rival =
            Recorder { store: stores.audit().await, office: run.office.clone(), chain: run.chain.clone() };
        sending.push(tokio::spawn(async move {
            let change = format!("change-{n}");
            rival.append(&[(&change, Started), (&change, Applied)]).await
        }));
    }
    let mut taken = Vec::new();
    for answer in join_all(sending).await {
        match answer.expect("no panic") {
            Ok(entries) => taken.push(entries),
            Err(error) => assert_eq!(error.kind(), BackendErrorKind::LeaseLost, "{error}"),
        }
    }
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(all(&store, &orders()).await, taken[0]);
}

async fn an_append_and_an_office_at_once_leave_no_entry_of_a_deposed_run_behind_the_office(
    stores: Arc<Stores>,
) {
    let (writer, rival) = (stores.audit().await, stores.audit().await);
    for round in 0..20 {
        let mut run = Recorder::start(&writer, &orders(), &format!("run-{round}")).await;
        let rival = Arc::clone(&rival);
        let appending = tokio::spawn(async move {
            let mut taken = run.chain.sequence();
            loop {
                match run.append(&[("a", Started), ("a", Applied)]).await {
                    Ok(_) => taken += 2,
                    Err(error) => {
                        assert_eq!(error.kind(), BackendErrorKind::LeaseLost, "{error}");
                        return taken;
                    }
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(round % 5)).await;
        let office = Recorder::start(&rival, &orders(), &format!("rival-{round}")).await.office;
        let acknowledged = appending.await.expect("no panic");
        assert_eq!(acknowledged, office.head.sequence, "the office missed or lost entries");
        assert_eq!(head(&writer, &orders()).await, office.head);
    }
}

async fn an_append_dropped_half_way_took_effect_as_a_whole_or_not_at_all(stores: Arc<Stores>) {
    let store = stores.audit().await;
    for round in 0..20 {
        let mut run = Recorder::start(&store, &orders(), &format!("run-{round}")).await;
        let before = run.chain.sequence();
        let patience = Duration::from_micros(100 * round);
        // A timeout of the runner, or a run that was cancelled.
        let _ = tokio::time::timeout(patience, run.append(&[("a", Started), ("a", Applied)])).await;
        // Taking office waits for what may still be under way, or shuts it out.
        let office = Recorder::start(&store, &orders(), &format!("next-{round}")).await.office;
        assert!([before, before + 2].contains(&office.head.sequence), "{before} {}", office.head.sequence);
        let entries = all(&store, &orders()).await;
        let stands = verify_chain((0, ChainHash::GENESIS), &entries);
        assert_eq!(stands, Ok((office.head.sequence, office.head.hash)));
    }
}

async fn a_reader_never_sees_half_an_append(stores: Arc<Stores>) {
    let (writer, reader) = (stores.audit().await, stores.audit().await);
    let mut run = Recorder::start(&writer, &orders(), "run-1").await;
    let appending = tokio::spawn(async move {
        for _ in 0..30 {
            run.record(&[("a", Started), ("b", Started), ("c", Started)]).await;
        }
    });
    while !appending.is_finished() {
        // A store that never waits would keep the worker from the appends.
        tokio::task::yield_now().await;
        let before = head(&reader, &orders()).await.sequence;
        let entries = all(&reader, &orders()).await;
        assert_eq!(entries.len() % 3, 0, "half an append");
        assert!(entries.len() as u64 >= before, "the head was ahead of its entries");
        verify_chain((0, ChainHash::GENESIS), &entries).expect("a whole chain");
    }
    appending.await.expect("the appends");
}

async fn runs_in_several_histories_at_once_do_not_disturb_each_other(stores: Arc<Stores>) {
    let mut running = Vec::new();
    for tenant in 0..8 {
        let store = stores.audit().await;
        running.push(tokio::spawn(async move {
            let history = orders().tenant(format!("tenant-{tenant}"));
            let mut run = Recorder::start(&store, &history, "run-1").await;
            let mut entries = Vec::new();
            for _ in 0..10 {
                entries.extend(run.record(&[("a", Started), ("a", Applied)]).await);
            }
            assert_eq!(all(&store, &history).await, entries);
        }));
    }
    for outcome in join_all(running).await {
        outcome.expect("the run");
    }
}
