use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flamingock_core::audit::AuditStore;
use flamingock_core::change::Change;
use flamingock_core::lock::{Acquisition, Lease, LockRequest, LockStore};
use flamingock_core::memory::{MemoryStore, MemoryTarget};
use flamingock_core::{BackendErrorKind, Flamingock, RunErrorKind};
use flamingock_store_redis::RedisLockStore;
use flamingock_store_sql::SqliteAuditStore;
use tokio::sync::Notify;

use super::{append, assert_fails, orders, take_office};
use crate::particular::runs::{on_db, put};
use crate::server::Admin;
use crate::server::own::Own;

async fn acquire(lock: &RedisLockStore, run: &str) -> Lease {
    let request = LockRequest {
        history: orders(),
        owner: format!("orders@host#{run}"),
        execution: run.to_owned(),
        lease: Duration::from_secs(60),
    };
    match lock.try_acquire(&request).await.expect("an answer") {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held(holder) => panic!("{holder:?} has it"),
    }
}

/// Two believe that they hold the lock, since Redis forgot the first: the audit takes only the second's word.
async fn forget_and_fence(store: &dyn AuditStore) {
    let server = Own::start(&[]).await.expect("a server");
    let lock = RedisLockStore::connect(&server.url()).await.expect("connect");
    let lease = acquire(&lock, "run-0").await;
    lock.release(&lease).await.expect("release");
    let first = acquire(&lock, "run-1").await;
    let mut old = take_office(store, first.token.0, "run-1").await.expect("office");
    append(store, &mut old, &["a"]).await.expect("append");

    server.admin().run("FLUSHALL").await.expect("flush");
    let second = acquire(&lock, "run-2").await;
    assert!(second.token < first.token, "the counter is lost, or there is nothing to show");
    let mut new = take_office(store, second.token.0, "run-2").await.expect("office");
    assert!(new.token > old.token);

    assert_fails(lock.extend(&first).await, BackendErrorKind::LeaseLost, &[]);
    assert_fails(append(store, &mut old, &["b"]).await, BackendErrorKind::LeaseLost, &[]);
    lock.release(&first).await.expect("release of what is no longer ours");
    lock.extend(&second).await.expect("extend");
    append(store, &mut new, &["b"]).await.expect("append");
    let latest = store.latest(&orders()).await.expect("latest");
    assert_eq!(latest.iter().map(|entry| entry.change.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

pub(super) async fn a_lock_that_lost_its_counter_still_fences_with_the_audit_in_memory() {
    let store = MemoryStore::new();
    AuditStore::initialize(&store).await.expect("initialize");
    forget_and_fence(&store).await;
}

pub(super) async fn a_lock_that_lost_its_counter_still_fences_with_the_audit_in_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("audit.db").display());
    let store = SqliteAuditStore::connect(&url).await.expect("connect");
    AuditStore::initialize(&store).await.expect("initialize");
    forget_and_fence(&store).await;
}

/// A change that makes Redis forget, and ends when another run has taken office. It puts how often it ran.
fn forgets(admin: Admin, audit: MemoryStore, forgotten: Arc<Notify>) -> Change {
    let runs = AtomicU32::new(0);
    on_db("forgets", 1, move |db| {
        let (admin, audit, forgotten) = (admin.clone(), audit.clone(), Arc::clone(&forgotten));
        let put = db.put("forgets", (runs.fetch_add(1, Ordering::SeqCst) + 1).to_string());
        Box::pin(async move {
            put?;
            let before = audit.head(&orders()).await?;
            admin.run("FLUSHALL").await?;
            forgotten.notify_one();
            while audit.head(&orders()).await? == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        })
    })
}

pub(super) async fn a_run_whose_lock_was_forgotten_and_taken_stops_and_the_other_goes_on() {
    let server = Own::start(&[]).await.expect("a server");
    let (audit, db) = (MemoryStore::new(), MemoryTarget::new("db"));
    let forgotten = Arc::new(Notify::new());
    let change = forgets(server.admin(), audit.clone(), Arc::clone(&forgotten));
    let app = async || {
        let lock = RedisLockStore::connect(&server.url()).await.expect("connect");
        let builder = Flamingock::builder().service("orders").audit_store(audit.clone()).lock_store(lock);
        let builder = builder.change(change.clone()).change(put("next", 2)).target(db.clone());
        builder.build().expect("it is wired")
    };
    let (first, second) = (app().await, app().await);
    let other = tokio::spawn(async move {
        forgotten.notified().await;
        second.run().await
    });
    let error = first.run().await.expect_err("another took office");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost, "{error}");
    other.await.expect("no panic").expect("the other run");
    assert_eq!(db.get("forgets").as_deref(), Some("1"), "once, though two had the lock");
    assert_eq!(db.get("next").as_deref(), Some("applied"));
}
