//! The audit stores that an application under test may have, by their URLs.

use anyhow::{Context as _, Result};
use flamingock::audit::AuditStore;
use flamingock::aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use flamingock::dynamodb::Client;
use flamingock::lock::LockStore;
use flamingock::prelude::*;

/// Audit store and lock in one.
pub trait Store: AuditStore + LockStore {}

impl<T: AuditStore + LockStore> Store for T {}

/// Opens the audit store of a place, of whatever type it is, and does something with it.
macro_rules! on_store {
    ($place:expr, $store:ident => $do:expr) => {{
        let url = $place.audit.as_str();
        match url.split(':').next().unwrap_or_default() {
            "sqlite" => {
                let $store = flamingock::prelude::SqliteAuditStore::connect(url).await?;
                $do
            }
            "postgres" => {
                let pool = flamingock::sqlx::PgPool::connect(url).await?;
                let $store = flamingock::prelude::PostgresAuditStore::new(pool);
                $do
            }
            "mysql" => {
                let pool = flamingock::sqlx::MySqlPool::connect(url).await?;
                let $store = flamingock::prelude::MySqlAuditStore::new(pool);
                $do
            }
            "redis" => {
                let $store = flamingock::prelude::RedisAuditStore::connect(url).await?;
                let $store = $store.key_prefix(&$place.keys);
                $do
            }
            "mongodb" => {
                let $store = flamingock::prelude::MongoAuditStore::connect(url).await?;
                $do
            }
            "dynamodb" => {
                let $store = $crate::stores::dynamodb(url)?;
                $do
            }
            _ => anyhow::bail!("not a URL of an audit store"),
        }
    }};
}
pub(crate) use on_store;

/// As whom the tests ask DynamoDB Local, which keeps apart what different users keep there.
const USER: &str = "testing";

/// The URL of a table on this server.
pub(crate) fn dynamodb_url(endpoint: &str, table: &str) -> String {
    format!("dynamodb://?table={table}&region=eu-west-1&endpoint={endpoint}")
}

/// With credentials of the tests' own: `connect` would look for the user's.
pub(crate) fn dynamodb(url: &str) -> Result<DynamoAuditStore> {
    let (_, parameters) = url.split_once('?').context("parameters")?;
    let parameter = |name: &str| {
        let mut pairs = parameters.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).context("a parameter")
    };
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(parameter("region")?))
        .credentials_provider(Credentials::new(USER, "secret", None, None, "tests"))
        .endpoint_url(parameter("endpoint")?);
    Ok(DynamoAuditStore::new(Client::from_conf(config.build()), parameter("table")?))
}
