//! The lease, by the contenders' stopwatches.

use std::time::{Duration, Instant};

use flamingock_core::lock::{Acquisition, Lease, LockRequest, LockStore};
use flamingock_core::{BackendErrorKind, History};
use flamingock_store_dynamodb::DynamoAuditStore;
use tokio::time::sleep;

use crate::server;

fn orders() -> History {
    History::new("orders")
}

/// As a process opens it that has just started.
fn open(table: &str) -> DynamoAuditStore {
    DynamoAuditStore::new(server::client(&server::endpoint().unwrap()), table)
}

async fn ask(lock: &DynamoAuditStore, run: &str, lease: Duration) -> Acquisition {
    let request = LockRequest {
        history: orders(),
        owner: format!("orders@host#{run}"),
        execution: run.to_owned(),
        lease,
    };
    lock.try_acquire(&request).await.unwrap()
}

async fn held_by_a_dead_process(lease: Duration) -> (String, Lease) {
    let table = server::table_name();
    let lock = open(&table);
    LockStore::initialize(&lock).await.unwrap();
    match ask(&lock, "dead", lease).await {
        Acquisition::Acquired(lease) => (table, lease),
        Acquisition::Held(holder) => panic!("{holder:?}"),
    }
}

pub(crate) async fn contenders_that_restart_often_take_over() {
    let lease = Duration::from_secs(4);
    let since = Instant::now();
    let (table, old) = held_by_a_dead_process(lease).await;
    // Each lives for about 0.7 s, asks a few times and is gone, with all that it remembered.
    for life in 0..60 {
        let contender = open(&table);
        for _ in 0..4 {
            if let Acquisition::Acquired(new) = ask(&contender, &format!("life-{life}"), lease).await {
                assert!(since.elapsed() >= lease, "taken after {:?}", since.elapsed());
                assert!(new.token > old.token);
                assert!(life > 2, "none of them saw a whole lease by itself");
                let lost = open(&table).extend(&old).await.unwrap_err();
                assert_eq!(lost.kind(), BackendErrorKind::LeaseLost);
                return;
            }
            sleep(Duration::from_millis(230)).await;
        }
    }
    panic!("sixty contenders waited for {:?}, and none took over", since.elapsed());
}

pub(crate) async fn contenders_that_watch_at_once_do_not_shorten_the_lease() {
    let lease = Duration::from_secs(3);
    let since = Instant::now();
    let (table, _) = held_by_a_dead_process(lease).await;
    let mut watching = tokio::task::JoinSet::new();
    for n in 0..12 {
        let table = table.clone();
        watching.spawn(async move {
            let contender = open(&table);
            // Until somebody else than the dead one has it.
            loop {
                match ask(&contender, &format!("run-{n}"), Duration::from_secs(60)).await {
                    Acquisition::Acquired(_) => return true,
                    Acquisition::Held(holder) if holder.execution != "dead" => return false,
                    Acquisition::Held(_) => sleep(Duration::from_millis(100)).await,
                }
            }
        });
    }
    let winners = watching.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert!(since.elapsed() >= lease, "taken after {:?}", since.elapsed());
}

pub(crate) async fn what_was_watched_does_not_disturb_the_holder() {
    let lease = Duration::from_secs(3);
    let (table, held) = held_by_a_dead_process(lease).await;
    let (holder, contender) = (open(&table), open(&table));
    // It is alive after all, and each extension makes all that was watched worthless.
    for _ in 0..3 {
        for _ in 0..8 {
            match ask(&contender, "run-1", lease).await {
                Acquisition::Held(seen) => assert_eq!((seen.token, seen.remaining), (held.token, None)),
                Acquisition::Acquired(_) => panic!("taken from a holder that extends"),
            }
            sleep(Duration::from_millis(200)).await;
        }
        holder.extend(&held).await.unwrap();
    }
    holder.release(&held).await.unwrap();
    assert!(matches!(ask(&contender, "run-1", lease).await, Acquisition::Acquired(_)));
}

pub(crate) async fn a_holder_that_was_watched_for_a_lease_is_not_shown() {
    let lease = Duration::from_millis(500);
    let (table, _) = held_by_a_dead_process(lease).await;
    let looking = open(&table);
    assert!(looking.inspect(&orders()).await.unwrap().is_some());
    sleep(lease * 2).await;
    assert_eq!(looking.inspect(&orders()).await.unwrap(), None);
    // Who looks for the first time cannot know.
    assert!(open(&table).inspect(&orders()).await.unwrap().is_some());
}
