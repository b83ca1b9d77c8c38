//! What goes wrong with an audit store in a file: one clear error each, and no change runs.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use std::path::Path;

use flamingock::prelude::*;
use flamingock::sqlite::SqliteAuditStore;
use flamingock::sqlx;
use flamingock::sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use flamingock::target::NonTransactionalTarget;
use flamingock::{BackendErrorKind, RunError, RunErrorKind};
use flamingock_tests::changes::{Hold, manual};
use flamingock_tests::place::Folder;

async fn pool(dir: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(dir.join("audit.db")).create_if_missing(true);
    SqlitePool::connect_with(options).await.expect("opens")
}

async fn run(store: SqliteAuditStore, folder: &Folder) -> Result<(), RunError> {
    let app = Flamingock::builder()
        .service("orders")
        .changes(manual::CHANGES)
        .audit_store(store)
        .target(NonTransactionalTarget::new("folder").with(folder.clone()))
        .dependency(Hold(None))
        .build()
        .expect("is right");
    app.run().await.map(drop)
}

/// The run fails for this reason, says so in these words, and nothing was done.
async fn refused(store: SqliteAuditStore, folder: &Folder, kind: BackendErrorKind, words: &str) {
    let error = run(store, folder).await.expect_err("it cannot work");
    assert_eq!(error.kind(), RunErrorKind::AuditStore, "{error}");
    let source = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<flamingock::BackendError>());
    assert_eq!(source.map(flamingock::BackendError::kind), Some(kind), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(folder.lines("effect"), 0);
}

fn place() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = Folder::at(&dir.path().join("folder")).expect("is created");
    (dir, folder)
}

#[tokio::test]
async fn a_file_that_cannot_be_opened() {
    let (dir, _) = place();
    let url = format!("sqlite://{}/missing/audit.db", dir.path().display());
    let error = SqliteAuditStore::connect(&url).await.expect_err("there is no such directory");
    assert!(error.to_string().contains("missing/audit.db"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let (dir, folder) = place();
    let file = dir.path().join("audit.db");
    std::fs::write(&file, "not a database, but long enough to look like a file with a header")
        .expect("is written");
    let options = SqliteConnectOptions::new().filename(&file);
    let store = SqliteAuditStore::new(SqlitePool::connect_lazy_with(options));
    let error = run(store, &folder).await.expect_err("it cannot work");
    assert!(error.to_string().contains("not a database"), "{error}");
    assert_eq!(folder.lines("effect"), 0);
}

#[tokio::test]
async fn a_file_that_may_not_be_written() {
    let (dir, folder) = place();
    pool(dir.path()).await.close().await;
    let options = SqliteConnectOptions::new().filename(dir.path().join("audit.db")).read_only(true);
    let store = SqliteAuditStore::new(SqlitePool::connect_with(options).await.expect("opens"));
    refused(store, &folder, BackendErrorKind::ReadOnly, "write access").await;
}

#[tokio::test]
async fn a_full_disk() {
    let (dir, folder) = place();
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join("audit.db"))
        .create_if_missing(true)
        .pragma("max_page_count", "2");
    let store = SqliteAuditStore::new(SqlitePool::connect_with(options).await.expect("opens"));
    refused(store, &folder, BackendErrorKind::StorageFull, "Free some space").await;
}

#[tokio::test]
async fn tables_of_another_shape() {
    let (dir, folder) = place();
    let pool = pool(dir.path()).await;
    sqlx::query("CREATE TABLE flamingock_heads (something TEXT)").execute(&pool).await.expect("creates");
    refused(SqliteAuditStore::new(pool), &folder, BackendErrorKind::Schema, "another shape").await;
}

#[tokio::test]
async fn tables_that_are_missing_and_may_not_be_created() {
    let (dir, folder) = place();
    let store = SqliteAuditStore::new(pool(dir.path()).await).create_tables(false);
    refused(store, &folder, BackendErrorKind::Schema, "flamingock_").await;
}

#[tokio::test]
async fn a_newer_format() {
    let (dir, folder) = place();
    let pool = pool(dir.path()).await;
    run(SqliteAuditStore::new(pool.clone()), &folder).await.expect("applies");
    assert_eq!(folder.lines("effect"), 1);
    sqlx::query("UPDATE flamingock_heads SET format = 99, digests = ''")
        .execute(&pool)
        .await
        .expect("updates");
    let error = run(SqliteAuditStore::new(pool), &folder).await.expect_err("it cannot work");
    assert!(error.to_string().contains("newer release"), "{error}");
    assert_eq!(folder.lines("effect"), 1);
}

#[tokio::test]
async fn a_pool_of_one_connection() {
    let (dir, folder) = place();
    let options = SqliteConnectOptions::new().filename(dir.path().join("audit.db")).create_if_missing(true);
    let pool =
        sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("opens");
    refused(SqliteAuditStore::new(pool), &folder, BackendErrorKind::Misconfigured, "connection").await;
}
