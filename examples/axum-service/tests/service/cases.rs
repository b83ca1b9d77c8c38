use std::time::{Duration, Instant};

use flamingock::testing::conformance::Suite;

use crate::database::Database;
use crate::service::{Service, changes_only};

pub(crate) fn add(suite: &mut Suite) {
    suite.case("it serves once its changes are applied", || Box::pin(serves()));
    suite.case("livez answers at once while a change is slow", || Box::pin(slow()));
    suite.case("sigterm in a change leaves nothing and frees the lock", || Box::pin(terminated()));
    suite.case("readyz tells of a failed change and the next start goes on", || Box::pin(failed()));
    suite.case("two replicas started together both become ready", || Box::pin(replicas()));
    suite.case("a pod in mode wait is ready when a job has applied", || Box::pin(job()));
}

async fn serves() {
    let database = Database::create().await;
    let service = Service::start(&database, "apply").await;
    service.until(200, r#"{"status":"ready","changes":3}"#).await;

    let made = service.post("/orders", r#"{"customer":"ada","item":"tea","quantity":2}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.body.contains("tracking_code"), "{made:?}");
    assert_eq!(service.get("/orders/1").await.body, made.body);
    assert_eq!(service.get("/orders/2").await.status, 404);
    assert_eq!(service.get("/orders?customer=ada").await.body, format!("[{}]", made.body));
    assert_eq!(service.get("/orders?customer=bob").await.body, "[]");
    let refused = service.post("/orders", r#"{"customer":"ada","item":"tea","quantity":0}"#).await;
    assert_eq!(refused.status, 422, "{refused:?}");

    assert!(service.terminate().await.success());
    database.drop().await;
}

async fn slow() {
    let database = Database::create().await;
    database.before_alter_table("PERFORM pg_sleep(1)").await;
    let service = Service::start(&database, "apply").await;
    let since = Instant::now();
    assert_eq!(service.get("/livez").await.status, 200);
    assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());

    service.until(503, r#"{"status":"applying","change":"add-tracking-code"}"#).await;
    assert_eq!(service.get("/livez").await.status, 200);
    assert_eq!(service.get("/orders").await.status, 503);
    service.until(200, "ready").await;
    assert_eq!(service.get("/orders").await.status, 200);
    assert!(service.terminate().await.success());
    database.drop().await;
}

async fn terminated() {
    let database = Database::create().await;
    database.before_alter_table("PERFORM pg_sleep(60)").await;
    let service = Service::start(&database, "apply").await;
    service.until(503, "add-tracking-code").await;
    assert!(service.terminate().await.success());
    // Nothing of the change is there, but what came before it is recorded.
    assert_eq!(changes_only(&database, "check").await.code(), Some(1));

    database.undisturbed().await;
    let since = Instant::now();
    let next = Service::start(&database, "apply").await;
    next.until(200, "ready").await;
    // A lock that was not freed would stand for the rest of its 60 seconds.
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    assert!(next.terminate().await.success());
    database.drop().await;
}

async fn failed() {
    let database = Database::create().await;
    database.before_alter_table("RAISE 'the disk is full'").await;
    let service = Service::start(&database, "apply").await;
    service.until(503, r#"{"status":"failed""#).await;
    assert_eq!(service.get("/livez").await.status, 200);
    assert!(!service.terminate().await.success(), "its exit code tells, too");

    database.undisturbed().await;
    assert!(changes_only(&database, "apply").await.success());
    database.drop().await;
}

async fn replicas() {
    let database = Database::create().await;
    database.before_alter_table("PERFORM pg_sleep(0.5)").await;
    let (one, two) = tokio::join!(Service::start(&database, "apply"), Service::start(&database, "apply"));
    tokio::join!(one.until(200, "ready"), two.until(200, "ready"));
    assert_eq!(one.post("/orders", r#"{"customer":"a","item":"b","quantity":1}"#).await.status, 201);
    assert_eq!(two.get("/orders/1").await.status, 200);
    let (one, two) = tokio::join!(one.terminate(), two.terminate());
    assert!(one.success() && two.success());
    database.drop().await;
}

async fn job() {
    let database = Database::create().await;
    assert_eq!(changes_only(&database, "check").await.code(), Some(1), "everything is pending");
    let pod = Service::start(&database, "wait").await;
    pod.until(503, "status").await;
    assert!(changes_only(&database, "apply").await.success());
    pod.until(200, "ready").await;
    assert!(changes_only(&database, "check").await.success());
    assert!(pod.terminate().await.success());
    database.drop().await;
}
