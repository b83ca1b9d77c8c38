//! What is particular to memory; that it keeps the contracts is proven by the conformance suites.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::audit::{
    Append, AuditStore, ChainHash, Execution, Head, HeadChange, Office, Verdict, VerdictStatus,
};
use crate::lock::{Acquisition, FencingToken, Lease, LockRequest, LockStore};
use crate::target::{Mode, TargetSystem};
use crate::{BackendErrorKind, History};

fn orders() -> History {
    History::new("orders")
}

async fn store() -> MemoryStore {
    let store = MemoryStore::new();
    AuditStore::initialize(&store).await.unwrap();
    store.reset_counts();
    store
}

async fn office(store: &MemoryStore) -> Office {
    let execution = Execution { id: "run-1".to_owned(), owner: "orders@host#1".to_owned() };
    store.take_office(&orders(), FencingToken(1), &execution).await.unwrap()
}

fn digest(head: &Head) -> HeadChange {
    let verdict = Verdict {
        execution: "run-1".to_owned(),
        digest: "v1:ab".to_owned(),
        status: VerdictStatus::Failed,
        message: String::new(),
    };
    HeadChange {
        sequence: head.sequence,
        hash: head.hash,
        digests: vec!["v1:ab".to_owned()],
        verdict: Some(verdict),
    }
}

async fn acquire(store: &MemoryStore, run: &str) -> Option<Lease> {
    let request = LockRequest {
        history: orders(),
        owner: run.to_owned(),
        execution: run.to_owned(),
        lease: Duration::from_secs(60),
    };
    match store.try_acquire(&request).await.unwrap() {
        Acquisition::Acquired(lease) => Some(lease),
        Acquisition::Held(_) => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_expires_in_paused_time() {
    let store = store().await;
    acquire(&store, "run-1").await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(acquire(&store, "run-2").await.is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(acquire(&store, "run-2").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_on_another_runtime_extends_by_the_stores_clock() {
    let store = store().await;
    let lease = acquire(&store, "run-1").await.unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let heartbeat = store.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { heartbeat.dedicated().await.unwrap().extend(&lease).await.unwrap() });
    })
    .join()
    .unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(acquire(&store, "run-2").await.is_none(), "extended by the time of the other runtime");
}

#[tokio::test]
async fn it_counts_what_it_was_asked_for() {
    let store = store().await;
    store.head(&orders()).await.unwrap();
    assert_eq!(store.counts(), StoreCounts { head_reads: 1, ..StoreCounts::default() });

    let lease = acquire(&store, "run-1").await.unwrap();
    assert!(acquire(&store, "run-2").await.is_none());
    let office = office(&store).await;
    let append = Append { expected: 0, entries: &[], head: digest(&office.head) };
    store.append(&office, &append).await.unwrap();
    let stale = Append { expected: 7, entries: &[], head: digest(&office.head) };
    store.append(&office, &stale).await.unwrap_err();
    store.extend(&lease).await.unwrap();
    store.release(&lease).await.unwrap();
    store.release(&lease).await.unwrap();
    let counts = store.clone().counts();
    assert_eq!((counts.audit_writes(), counts.lock_writes(), counts.reads()), (2, 3, 2));
    assert_eq!((counts.appends_refused, counts.acquires_held), (1, 1));
}

#[tokio::test]
async fn it_refuses_writes_before_initialize_as_a_store_without_tables_does() {
    let store = MemoryStore::new();
    let execution = Execution { id: "run-1".to_owned(), owner: "orders@host#1".to_owned() };
    let error = store.take_office(&orders(), FencingToken(1), &execution).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Schema);
}

#[tokio::test]
async fn it_refuses_a_head_that_does_not_fit_the_entries() {
    let store = store().await;
    let office = office(&store).await;
    let head = HeadChange { sequence: 3, ..digest(&office.head) };
    let error = store.append(&office, &Append { expected: 0, entries: &[], head }).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidData);
}

#[tokio::test]
async fn an_append_can_be_made_to_fail_before_or_after_it_takes_effect() {
    for (fault, digests) in [(Fault::NoEffect, 0), (Fault::AnswerLost, 1)] {
        let store = store().await;
        let office = office(&store).await;
        store.fail_next_append(fault);
        let append = Append { expected: 0, entries: &[], head: digest(&office.head) };
        let error = store.append(&office, &append).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        let head = store.head(&orders()).await.unwrap().unwrap();
        assert_eq!((head.digests.len(), head.hash), (digests, ChainHash::GENESIS));
        store.append(&office, &append).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_can_be_made_to_fail_before_or_after_it_takes_effect() {
    for (fault, value) in [(Fault::NoEffect, None), (Fault::AnswerLost, Some("1"))] {
        let target = MemoryTarget::new("orders-db");
        let mut session = target.open(Mode::Transactional).await.unwrap();
        let handle = session.handle(std::any::TypeId::of::<MemoryTransaction>()).unwrap();
        handle.downcast_mut::<MemoryTransaction>().unwrap().put("a", "1").unwrap();
        target.fail_next_commit(fault);
        session.commit().await.unwrap_err();
        assert_eq!(target.get("a").as_deref(), value);
    }
}

#[tokio::test]
async fn a_transaction_reads_its_own_writes_and_removals() {
    let target = MemoryTarget::new("orders-db");
    let database = Arc::new(target.clone());
    let mut plain = database.open(Mode::Plain).await.unwrap();
    let id = std::any::TypeId::of::<MemoryTransaction>();
    let plain = plain.handle(id).unwrap().downcast_mut::<MemoryTransaction>().unwrap();
    plain.put("a", "1").unwrap();
    plain.put("b", "2").unwrap();
    let mut session = target.open(Mode::Transactional).await.unwrap();
    let db = session.handle(id).unwrap().downcast_mut::<MemoryTransaction>().unwrap();
    db.remove("a").unwrap();
    db.put("b", "3").unwrap();
    assert_eq!((db.get("a").unwrap(), db.get("b").unwrap().as_deref()), (None, Some("3")));
    assert_eq!(plain.get("a").unwrap().as_deref(), Some("1"));
    session.commit().await.unwrap();
    assert_eq!(target.snapshot(), [("b".to_owned(), "3".to_owned())].into());
}
