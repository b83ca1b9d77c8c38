//! Change-as-Code: versioned, ordered, audited changes to every system your application depends on,
//! each applied exactly once when the application starts.
//!
//! # A change
//!
//! A change is an `impl` block. It says who it is, in which order it comes and what it changes; its
//! methods say how. What they need, they take as parameters, by type.
//!
//! ```
//! # #[cfg(feature = "sqlite")] mod changes {
//! use flamingock::prelude::*;
//! use flamingock::sqlx::{self, SqliteConnection};
//!
//! pub struct AddTrackingCode;
//!
//! /// Orders need a tracking code before shipping goes live.
//! #[change(id = "add-tracking-code", order = "0001", target_system = "orders-db", author = "shipping")]
//! impl AddTrackingCode {
//!     #[apply]
//!     async fn apply(db: &mut SqliteConnection) -> ChangeResult {
//!         sqlx::query("ALTER TABLE orders ADD COLUMN tracking_code TEXT").execute(db).await?;
//!         Ok(())
//!     }
//!
//!     #[rollback]
//!     async fn rollback(db: &mut SqliteConnection) -> ChangeResult {
//!         sqlx::query("ALTER TABLE orders DROP COLUMN tracking_code").execute(db).await?;
//!         Ok(())
//!     }
//! }
//! # }
//! ```
//!
//! - `&mut T` is the session of the change's target system: the open transaction, or a plain
//!   connection when the change is not transactional.
//! - `&T` is a dependency: the target system's own (a client, a pool) or one that you gave the builder.
//!   `&`[`ChangeContext`](change::ChangeContext) and `&`[`FencingToken`](lock::FencingToken) are always there.
//! - `#[rollback]` undoes the change. When the target has no transactions, it also compensates a
//!   failed apply.
//! - `#[verify]` looks whether the target has the change, so that a crash half-way settles itself.
//!
//! [`macro@change`] documents every key and every rule.
//!
//! # Starting
//!
//! The application names its changes, says where the audit is kept and which systems there are, and
//! runs. [`build`](FlamingockBuilder::build) finds everything that is wired wrong, at once and before
//! any I/O. [`run`](Flamingock::run) applies what is pending, in order, under a lock that all replicas
//! share. When there is nothing to do, it is one read.
//!
//! ```
//! # #[cfg(feature = "sqlite")] mod application {
//! # use flamingock::prelude::*;
//! # use flamingock::sqlx::{self, SqliteConnection, sqlite::{SqliteConnectOptions, SqlitePool}};
//! # struct CreateOrders;
//! # #[change(id = "create-orders", order = 1, target_system = "orders-db")]
//! # impl CreateOrders {
//! #     #[apply]
//! #     async fn apply(db: &mut SqliteConnection) -> ChangeResult {
//! #         sqlx::query("CREATE TABLE orders (id INTEGER)").execute(db).await?;
//! #         Ok(())
//! #     }
//! # }
//! flamingock::change_set!(pub CHANGES); // all changes at or below this module
//!
//! async fn start(pool: SqlitePool, audit: &str) -> Result<(), Box<dyn std::error::Error>> {
//!     let report = Flamingock::builder()
//!         .service("orders")
//!         .changes(CHANGES)
//!         .audit_store(SqliteAuditStore::connect(audit).await?)
//!         .target(SqliteTarget::new("orders-db", pool))
//!         .build()?
//!         .run()
//!         .await?;
//!     println!("{report}");
//!     Ok(())
//! }
//! # pub async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! #     let dir = std::env::temp_dir().join(format!("flamingock-doc-{}", std::process::id()));
//! #     std::fs::create_dir_all(&dir)?;
//! #     let options = SqliteConnectOptions::new().filename(dir.join("orders.db")).create_if_missing(true);
//! #     let audit = format!("sqlite://{}", dir.join("audit.db").display());
//! #     start(SqlitePool::connect_with(options.clone()).await?, &audit).await?;
//! #     start(SqlitePool::connect_with(options).await?, &audit).await?;
//! #     Ok(std::fs::remove_dir_all(dir)?)
//! # }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     #[cfg(feature = "sqlite")]
//! #     tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(application::example())?;
//! #     Ok(())
//! # }
//! ```
//!
//! # Exactly once
//!
//! A target with transactions keeps a *marker* per change, written in the change's own transaction,
//! and a *fence* that only the runner in office can pass. So after a crash at any point the next start
//! knows whether the change is applied, and a runner that was paused for too long can neither commit
//! nor record anything. A target without transactions cannot give that; there a crash half-way is an
//! *issue* that stops the stage until `#[verify]`, `recovery = always_retry` or an operator settles it.
//! When unsure, Flamingock stops and says so.
//!
//! Everything is recorded in the *audit*: append-only, numbered without gaps, chained by hashes.
//!
//! # When it fails
//!
//! [`RunError`] says what happened to which change, where it is written and what to do next, and
//! carries the [`Report`](report::Report) of what was done before. A failed transactional change leaves
//! nothing behind and is tried again by the next start; a failed plain change is compensated by its
//! `#[rollback]`. The lock is free when `run` returns, whatever happened.
//!
//! # Testing
//!
//! [`memory`] has an audit store, a lock and targets that need no server and keep to the same contracts.
//!
//! ```
//! use flamingock::memory::{MemoryStore, MemoryTarget, MemoryTransaction};
//! use flamingock::prelude::*;
//!
//! struct AddGreeting;
//!
//! #[change(id = "add-greeting", order = 1, target_system = "texts")]
//! impl AddGreeting {
//!     #[apply]
//!     async fn apply(texts: &mut MemoryTransaction) -> ChangeResult {
//!         Ok(texts.put("greeting", "hello")?)
//!     }
//! }
//!
//! flamingock::change_set!(CHANGES);
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let texts = MemoryTarget::new("texts");
//! let app = Flamingock::builder()
//!     .service("greeter")
//!     .changes(CHANGES)
//!     .audit_store(MemoryStore::new())
//!     .target(texts.clone())
//!     .build()?;
//! assert_eq!(app.run().await?.changes.applied, 1);
//! assert_eq!(app.run().await?.changes.applied, 0);
//! assert_eq!(texts.get("greeting").as_deref(), Some("hello"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! None is on by default; each adds one technology and changes no type of the others.
//!
//! | feature | adds |
//! |---|---|
//! | `dynamodb` | `DynamoAuditStore` (audit store and lock), over [`aws-sdk-dynamodb`](https://docs.rs/aws-sdk-dynamodb), re-exported with `aws-config` as `flamingock::aws_sdk_dynamodb` and `flamingock::aws_config` |
//! | `kafka` | `KafkaTarget` and `KafkaChanges`, over [`rdkafka`](https://docs.rs/rdkafka), re-exported as `flamingock::rdkafka`; `kafka-tls` adds TLS, and with it OpenSSL |
//! | `mongodb` | `MongoAuditStore` (audit store and lock), over the [`mongodb`](https://docs.rs/mongodb) driver, re-exported as `flamingock::mongodb::driver` |
//! | `mysql` | `MySqlAuditStore` (audit store and lock) and `MySqlTarget`, for MariaDB and MySQL, over the same `flamingock::sqlx` |
//! | `postgres` | `PostgresAuditStore` (audit store and lock) and `PostgresTarget`, over the same `flamingock::sqlx` |
//! | `redis` | `RedisAuditStore` (audit store and lock) and `RedisLockStore` (the lock alone), over [`redis`](https://docs.rs/redis), re-exported as `flamingock::redis_client`; `redis-tls` adds `rediss://` |
//! | `s3` | `S3Target`, and `S3Changes` for its changes, over [`aws-sdk-s3`](https://docs.rs/aws-sdk-s3), re-exported with `aws-config` as `flamingock::aws_sdk_s3` and `flamingock::aws_config` |
//! | `sqlite` | `SqliteAuditStore` (audit store and lock) and `SqliteTarget`, over [`sqlx`](https://docs.rs/sqlx), re-exported as `flamingock::sqlx` |
//! | `cli` | `flamingock::cli::main`: the commands of the `flamingock` binary as the application's own |
//! | `testing` | [`flamingock::testing`](testing): tests of an application, also of its crashes; `#[flamingock::test]` gives each test a database of its own; the conformance suites for authors of stores and targets |

pub mod prelude;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use flamingock_core::{
    BackendError, BackendErrorKind, CancellationToken, Flamingock, FlamingockBuilder, History, RunError,
    RunErrorKind, RunMode, audit, change_set, event, lock, memory, operate, pipeline, plan, report, target,
};
#[cfg(feature = "testing")]
pub use flamingock_macros::test;
pub use flamingock_macros::{apply, change, include_changes, rollback, verify};

// Beside the attribute of the same name: a module and a macro do not collide.
pub use flamingock_core::change;

#[cfg(any(feature = "dynamodb", feature = "s3"))]
pub use aws_config;
#[cfg(feature = "dynamodb")]
pub use aws_sdk_dynamodb;
#[cfg(feature = "s3")]
pub use aws_sdk_s3;
#[cfg(feature = "cli")]
pub use flamingock_cli as cli;
#[cfg(feature = "redis")]
pub use flamingock_store_redis::redis as redis_client;
#[cfg(feature = "kafka")]
pub use flamingock_target_kafka::rdkafka;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use sqlx;

/// Tests of an application: [`FlamingockTest`](testing::FlamingockTest) and its expectations, crashes and lost
/// answers, the [`Stairway`](testing::Stairway), and the databases of [`#[flamingock::test]`](macro@test). For
/// authors of stores and targets: the [`conformance`](testing::conformance) suites.
#[cfg(feature = "testing")]
pub mod testing {
    pub use flamingock_testing::*;
    pub use flamingock_testing_sql as database;
}

/// Amazon DynamoDB: [`DynamoAuditStore`](dynamodb::DynamoAuditStore), over the driver's
/// [`Client`](dynamodb::Client).
#[cfg(feature = "dynamodb")]
pub mod dynamodb {
    pub use aws_sdk_dynamodb::Client;
    pub use flamingock_store_dynamodb::DynamoAuditStore;
}

/// Apache Kafka: [`KafkaTarget`](kafka::KafkaTarget), and what its changes take. The driver itself is
/// `flamingock::rdkafka`.
#[cfg(feature = "kafka")]
pub mod kafka {
    pub use flamingock_target_kafka::{KafkaChanges, KafkaTarget, KafkaTransaction, Offsets, Record, Topic};
}

/// MongoDB: [`MongoAuditStore`](mongodb::MongoAuditStore), and the driver.
#[cfg(feature = "mongodb")]
pub mod mongodb {
    pub use flamingock_store_mongodb::MongoAuditStore;
    pub use flamingock_store_mongodb::mongodb as driver;
}

/// MariaDB and MySQL: [`MySqlAuditStore`](mysql::MySqlAuditStore) and [`MySqlTarget`](mysql::MySqlTarget).
#[cfg(feature = "mysql")]
pub mod mysql {
    pub use flamingock_store_sql::MySqlAuditStore;
    pub use flamingock_target_sql::MySqlTarget;
}

/// PostgreSQL: [`PostgresAuditStore`](postgres::PostgresAuditStore) and
/// [`PostgresTarget`](postgres::PostgresTarget).
#[cfg(feature = "postgres")]
pub mod postgres {
    pub use flamingock_store_sql::PostgresAuditStore;
    pub use flamingock_target_sql::PostgresTarget;
}

/// Redis: [`RedisAuditStore`](redis::RedisAuditStore) and [`RedisLockStore`](redis::RedisLockStore). The
/// driver itself is `flamingock::redis_client`.
#[cfg(feature = "redis")]
pub mod redis {
    pub use flamingock_store_redis::{RedisAuditStore, RedisLockStore};
}

/// Amazon S3, and what speaks its protocol: [`S3Target`](s3::S3Target) and what its changes get, over the
/// driver's [`Client`](s3::Client).
#[cfg(feature = "s3")]
pub mod s3 {
    pub use aws_sdk_s3::Client;
    pub use flamingock_target_s3::{
        BucketPolicy, BucketState, Bulk, Content, Copied, Done, Prefix, S3Changes, S3Error, S3ErrorKind,
        S3Target, Setting, Stored,
    };
}

/// SQLite: [`SqliteAuditStore`](sqlite::SqliteAuditStore) and [`SqliteTarget`](sqlite::SqliteTarget).
#[cfg(feature = "sqlite")]
pub mod sqlite {
    pub use flamingock_store_sql::SqliteAuditStore;
    pub use flamingock_target_sql::SqliteTarget;
}

// The book's pages, compiled with the documentation tests.
#[cfg(all(doctest, feature = "dynamodb"))]
#[doc = include_str!("../../../docs/src/stores-dynamodb.md")]
mod stores_dynamodb {}
#[cfg(all(doctest, feature = "kafka"))]
#[doc = include_str!("../../../docs/src/targets-kafka.md")]
mod targets_kafka {}
#[cfg(all(doctest, feature = "s3"))]
#[doc = include_str!("../../../docs/src/targets-s3.md")]
mod targets_s3 {}
