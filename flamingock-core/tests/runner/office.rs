//! Stores and targets that went back, and leases that others took.

use std::sync::Arc;
use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, change, on_db_async, on_flags, orders, put};
use flamingock_core::audit::Operation;
use flamingock_core::change::{Body, Method};
use flamingock_core::lock::{Acquisition, Lease, LockRequest, LockStore};
use flamingock_core::report::ChangeOutcome;
use flamingock_core::{BackendErrorKind, RunErrorKind};

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

async fn locked_by(house: &House, pod: &str) -> Lease {
    let (owner, execution) = (pod.to_owned(), format!("run of {pod}"));
    let request = LockRequest { history: orders(), owner, execution, lease: Duration::from_secs(60) };
    match house.store.try_acquire(&request).await.expect("asks") {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held(holder) => panic!("{} has it", holder.owner),
    }
}

#[tokio::test]
async fn breaking_the_lock_waits_for_nobody_and_is_recorded_however_quick_the_next_one_is() {
    let (house, faults) = (House::new(), Faults::default());
    house.app([put("a", "1")]).run().await.expect("applies");
    locked_by(&house, "pod-7").await;
    let operator = house.app([put("a", "1")]).around(&faults).operator();
    let waiting = house.app([put("a", "1"), put("b", "2")]);
    let (waited, unlocked) = tokio::join!(waiting.run(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        operator.unlock("pod died", "jane").await
    });
    assert_eq!(waited.expect("applies").changes.applied, 1);
    let (holder, entry) = unlocked.expect("breaks").expect("was held");
    assert_eq!((holder.owner.as_str(), entry.operation), ("pod-7", Operation::Unlock));
    assert_eq!(faults.calls("try acquire"), 0);
    let recorded: Vec<Operation> = house.entries().await.iter().map(|entry| entry.operation).collect();
    assert_eq!(recorded[2..], [Operation::Unlock, Operation::Apply, Operation::Apply]);
}

#[tokio::test]
async fn a_holder_that_lets_go_when_it_is_out_of_office_does_not_cost_the_next_one_its_lock() {
    let (house, faults) = (House::new(), Faults::default());
    house.app([put("a", "1")]).run().await.expect("applies");
    let (lease, passing) = (locked_by(&house, "pod-7").await, house.clone());
    let passes_on = async move {
        passing.store.release(&lease).await.expect("releases");
        locked_by(&passing, "pod-8").await;
    };
    faults.next("append", [Fate::After(Box::pin(passes_on), None)]);
    let operator = house.app([put("a", "1")]).around(&faults).operator();
    let (holder, _) = operator.unlock("it hangs", "jane").await.expect("records").expect("was held");
    assert_eq!(holder.owner, "pod-7");
    let now = house.store.inspect(&orders()).await.expect("looks").expect("is held");
    assert_eq!(now.owner, "pod-8");
}

#[tokio::test]
async fn a_lock_that_cannot_be_broken_is_told_with_what_is_recorded_already() {
    let (house, faults) = (House::new(), Faults::default());
    house.app([put("a", "1")]).run().await.expect("applies");
    locked_by(&house, "pod-7").await;
    faults.next("break lock", [Fate::Fails(BackendErrorKind::Denied)]);
    let operator = house.app([put("a", "1")]).around(&faults).operator();
    let error = operator.unlock("pod died", "jane").await.expect_err("cannot be broken");
    assert!(error.to_string().contains("pod-7 is out of office (entry 3), but has the lock"), "{error}");
}
