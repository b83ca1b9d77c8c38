//! Stores and targets that went back, and leases that others took.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, change, on_db_async, on_flags, put};
use flamingock_core::RunErrorKind;
use flamingock_core::change::{Body, Method};
use flamingock_core::report::ChangeOutcome;

#[tokio::test]
async fn a_restored_audit_store_stops_the_run_until_somebody_accepts_it() {
    let house = House::new();
    let changes = || [put("a", "1"), put("b", "2")];
    house.app(changes()).run().await.expect("applies");
    let restored = House { store: flamingock_core::memory::MemoryStore::new(), ..house.clone() };
    let error = restored.app(changes()).run().await.expect_err("the audit went back");
    assert_eq!(error.kind(), RunErrorKind::AuditWentBack);
    let app = restored.builder(changes()).accept_restored(true).build().expect("is right");
    let report = app.run().await.expect("takes over what the markers say");
    assert_eq!(report.changes.applied, 2);
    assert!(report.stages[0].details.iter().all(|change| change.outcome == ChangeOutcome::Recovered));
}

#[tokio::test]
async fn a_restored_target_stops_the_run() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    let restored = House { db: flamingock_core::memory::MemoryTarget::new("db"), ..house.clone() };
    let error = restored.app([put("a", "1"), put("b", "2")]).run().await.expect_err("the target went back");
    assert_eq!(error.kind(), RunErrorKind::TargetWentBack);
}

#[tokio::test]
async fn a_renamed_service_is_noticed() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    let app = house.builder([put("a", "1")]).service("orders-v2").build().expect("is right");
    let error = app.run().await.expect_err("the targets know it by another name");
    assert_eq!(error.kind(), RunErrorKind::ServiceRenamed);
    assert!(error.to_string().contains("under `orders`"), "{error}");
}

#[tokio::test]
async fn a_lease_taken_by_another_stops_the_run_and_records_nothing_more() {
    use flamingock_core::lock::LockStore;
    let house = House::new();
    let store = house.store.clone();
    let loses = change("a", "1", "flags", on_flags(|_| Ok(())));
    let broken = change(
        "b",
        "2",
        "db",
        on_db_async(move |db| {
            let store = store.clone();
            Box::pin(async move {
                db.put("b", "half")?;
                store.break_lock(&flamingock_core::History::new("orders")).await?;
                std::future::pending().await
            })
        }),
    );
    let app = house.builder([loses, broken]).lease(Duration::from_millis(200)).build().expect("is right");
    let error = app.run().await.expect_err("the lease is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    assert_eq!(house.db.get("b"), None);
    assert_eq!(house.log().await.last().map(String::as_str), Some("b STARTED"));
}

#[tokio::test]
async fn a_blocking_change_does_not_starve_the_lease() {
    let house = House::new();
    let blocks = || {
        let body = Body::Async(Arc::new(|_| {
            Box::pin(async {
                // On purpose: the runtime's only thread sleeps for several leases.
                std::thread::sleep(Duration::from_millis(700));
                Ok(())
            }) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        }));
        change("a", "1", "flags", Method { params: Vec::new(), body })
    };
    let app = house.builder([blocks()]).lease(Duration::from_millis(200)).build().expect("is right");
    app.run().await.expect("applies");
}
