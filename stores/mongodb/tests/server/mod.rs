//! MongoDB, as `FLAMINGOCK_TEST_MONGODB_URL` gives it, and what stands between it and a test.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod proxy;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flamingock_store_mongodb::MongoAuditStore;
use flamingock_store_mongodb::mongodb::bson::Document;
use flamingock_store_mongodb::mongodb::options::{ClientOptions, ServerAddress};
use flamingock_store_mongodb::mongodb::{Client, Collection, Database};
use flamingock_testing::conformance::{BoxError, Proxy};

use self::proxy::Rules;

const VARIABLE: &str = "FLAMINGOCK_TEST_MONGODB_URL";

pub(crate) fn url() -> Result<String, String> {
    std::env::var(VARIABLE)
        .map_err(|_| format!("{VARIABLE} is not set: `cargo xtask test` starts a server and sets it"))
}

/// The password in the URL, if there is one.
pub(crate) fn password() -> Option<String> {
    let url = url().ok()?;
    let (user, _) = url.split_once("://")?.1.rsplit_once('@')?;
    Some(user.split_once(':')?.1.to_owned())
}

/// A database that no other test sees, behind a proxy.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    options: ClientOptions,
    pub(crate) proxy: Proxy,
    pub(crate) rules: Rules,
}

impl Place {
    pub(crate) async fn new() -> Result<Self, BoxError> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);

        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{now}_{}_{number}", std::process::id());
        let mut options = ClientOptions::parse(url()?).await?;
        options.server_selection_timeout = Some(Duration::from_secs(3));
        options.default_database = Some(name.clone());
        let rules = Rules::default();
        let proxy = proxy::to(options.hosts[0].to_string(), rules.clone()).await?;
        Ok(Self { name, options, proxy, rules })
    }

    /// Of clients that go through the proxy.
    pub(crate) fn through_proxy(&self) -> ClientOptions {
        let mut options = self.options.clone();
        options.hosts =
            vec![ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: Some(self.proxy.port()) }];
        // A replica set would tell its own addresses.
        options.direct_connection = Some(true);
        options.repl_set_name = None;
        options
    }

    /// A store as another process has it.
    pub(crate) fn store(&self) -> Result<MongoAuditStore, BoxError> {
        Ok(MongoAuditStore::with_options(self.through_proxy())?)
    }

    /// To the server itself.
    pub(crate) fn database(&self) -> Result<Database, BoxError> {
        Ok(Client::with_options(self.options.clone())?.database(&self.name))
    }

    pub(crate) fn collection(&self, name: &str) -> Result<Collection<Document>, BoxError> {
        Ok(self.database()?.collection(&format!("flamingock_{name}")))
    }

    pub(crate) async fn remove(&self) -> Result<(), BoxError> {
        Ok(self.database()?.drop().await?)
    }
}
