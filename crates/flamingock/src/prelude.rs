//! What an application and its changes need: `use flamingock::prelude::*;`

pub use flamingock_core::change::{
    BoxError, ChangeContext, ChangeError, ChangeResult, ChangeSet, CodeChange, IdempotencyKey, TargetState,
};
pub use flamingock_core::change_set;
pub use flamingock_core::lock::FencingToken;
pub use flamingock_core::pipeline::Stage;
pub use flamingock_core::target::NonTransactionalTarget;
pub use flamingock_core::{Flamingock, FlamingockBuilder, RunMode};
pub use flamingock_macros::{apply, change, include_changes, rollback, verify};

#[cfg(feature = "dynamodb")]
pub use crate::dynamodb::DynamoAuditStore;
#[cfg(feature = "kafka")]
pub use crate::kafka::{KafkaChanges, KafkaTarget};
#[cfg(feature = "mongodb")]
pub use crate::mongodb::MongoAuditStore;
#[cfg(feature = "mysql")]
pub use crate::mysql::{MySqlAuditStore, MySqlTarget};
#[cfg(feature = "postgres")]
pub use crate::postgres::{PostgresAuditStore, PostgresTarget};
#[cfg(feature = "redis")]
pub use crate::redis::{RedisAuditStore, RedisLockStore};
#[cfg(feature = "s3")]
pub use crate::s3::{S3Changes, S3Target};
#[cfg(feature = "sqlite")]
pub use crate::sqlite::{SqliteAuditStore, SqliteTarget};
