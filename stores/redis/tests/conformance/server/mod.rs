//! Redis servers for tests.

pub(crate) mod own;

use std::sync::atomic::{AtomicU32, Ordering};

use flamingock_testing::conformance::BoxError;
use redis::aio::MultiplexedConnection;
use redis::{Client, Value};

/// Where the tests find a server.
pub(crate) const VARIABLE: &str = "FLAMINGOCK_TEST_REDIS_URL";

/// The URL of the server that tests share.
pub(crate) fn url() -> Result<String, String> {
    let url = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty());
    url.ok_or_else(|| format!("{VARIABLE} is not set; `cargo xtask services` starts a server and prints it"))
}

/// A name that no other test has, nor had.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    format!("t{}-{}-{count}", std::process::id(), now.as_micros())
}

/// What an administrator does, each over a connection of its own.
#[derive(Debug, Clone)]
pub(crate) struct Admin(pub(crate) String);

impl Admin {
    pub(crate) async fn connection(&self) -> Result<MultiplexedConnection, BoxError> {
        Ok(Client::open(self.0.as_str())?.get_multiplexed_async_connection().await?)
    }

    /// A command, its words separated by spaces.
    pub(crate) async fn run(&self, command: &str) -> Result<Value, BoxError> {
        self.run_words(&command.split(' ').collect::<Vec<_>>()).await
    }

    pub(crate) async fn run_words(&self, words: &[&str]) -> Result<Value, BoxError> {
        let mut command = redis::cmd(words.first().ok_or("no command")?);
        command.arg(&words[1..]);
        Ok(command.query_async(&mut self.connection().await?).await?)
    }

    /// Forgets all keys that begin so.
    pub(crate) async fn forget(&self, prefix: &str) -> Result<(), BoxError> {
        let code = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end";
        self.run_words(&["EVAL", code, "0", &format!("{prefix}*")]).await.map(drop)
    }
}
