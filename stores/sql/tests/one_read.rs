//! A start with nothing to do is one statement. Alone in its binary: it counts for the whole process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flamingock_core::History;
use flamingock_core::audit::{AuditStore, Execution};
use flamingock_core::lock::FencingToken;
use flamingock_store_sql::SqliteAuditStore;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

/// Counts what sqlx logs: each statement, once.
struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        STATEMENTS.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// sqlx logs a statement on the connection's thread, a little after it has answered.
async fn logged() -> usize {
    tokio::time::sleep(Duration::from_millis(200)).await;
    STATEMENTS.load(Ordering::SeqCst)
}

#[tokio::test]
async fn the_head_is_read_with_one_statement_whatever_is_there() {
    tracing::subscriber::set_global_default(Counter).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("audit.db").display());
    let store = SqliteAuditStore::connect(&url).await.unwrap();
    let orders = History::new("orders");

    let count = async || {
        let before = logged().await;
        let head = store.head(&orders).await.unwrap();
        (head.is_some(), logged().await - before)
    };
    // Also while there is no table.
    assert_eq!(count().await, (false, 1));
    AuditStore::initialize(&store).await.unwrap();
    assert_eq!(count().await, (false, 1));
    let execution = Execution { id: "run-1".to_owned(), owner: "orders@here".to_owned() };
    store.take_office(&orders, FencingToken(1), &execution).await.unwrap();
    assert_eq!(count().await, (true, 1));
}
