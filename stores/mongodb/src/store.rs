use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use mongodb::bson::Document;
use mongodb::options::{
    Acknowledgment, ClientOptions, DatabaseOptions, ReadConcern, ReadPreference, SelectionCriteria,
    WriteConcern,
};
use mongodb::{Client, Collection, Database};

use crate::error::{Operation, kind};

/// How long to look for a server when the URL does not say.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The database when the URL names none.
const DATABASE: &str = "flamingock";

/// Audit store and lock on MongoDB 4.4 or newer: a standalone server, a replica set or a sharded cluster.
///
/// ```
/// # async fn example() -> Result<(), flamingock_core::BackendError> {
/// use flamingock_store_mongodb::MongoAuditStore;
///
/// let store = MongoAuditStore::connect("mongodb://localhost/audit").await?.collection_prefix("changes_");
/// # Ok(()) }
/// ```
///
/// # What to know
/// - **Writes** are acknowledged by a majority of the replica set, with their journal. **Reads** are of
///   what a majority has, from the primary. Both hold whatever the client was set up with.
/// - **No transactions** of several documents: see the [crate](crate). So an append is at most 16 MiB.
/// - **One clock.** Leases are judged by the server's clock: the primary's. Behind a `mongos` it is that of
///   the shard's primary that keeps the lock.
/// - **Retries.** On a replica set the driver repeats a write whose answer was lost, once
///   (`retryWrites`, on unless the URL turns it off).
/// - FerretDB 1 changes a document by reading and then writing it, without a lock, and so loses what
///   this store relies on. It is warned about, and good for tests only.
#[derive(Clone)]
pub struct MongoAuditStore {
    pub(crate) database: Database,
    /// What the client was opened with, where that is known.
    options: Option<Arc<ClientOptions>>,
    address: String,
    prefix: String,
    pub(crate) create_collections: bool,
    delivered: Arc<Mutex<HashMap<History, (FencingToken, u64)>>>,
}

impl MongoAuditStore {
    /// A store in this database, through a client that there is already.
    ///
    /// A driver's client does not tell what it was opened with. So the heartbeat of the lease shares this
    /// one, and with it the runtime on which it was made: a change that blocks all its threads keeps the
    /// lease from being extended. [`connect`](Self::connect) and [`with_options`](Self::with_options)
    /// have no such limit. Nor is it known which hosts it leads to: the address is the database alone.
    pub fn new(client: Client, database: impl AsRef<str>) -> Self {
        let name = database.as_ref();
        Self {
            database: client.database_with_options(name, database_options()),
            options: None,
            address: format!("mongodb:{name}"),
            prefix: "flamingock_".to_owned(),
            create_collections: true,
            delivered: Arc::default(),
        }
    }

    /// A store at `mongodb://..` or `mongodb+srv://..`, in the database that the URL names, else in
    /// `flamingock`. The server is reached when it is first needed, and looked for for 10 s unless the URL
    /// says otherwise (`serverSelectionTimeoutMS`).
    ///
    /// # Errors
    /// When the URL is not understood; of `mongodb+srv`, also when its hosts are not found.
    pub async fn connect(url: &str) -> Result<Self, BackendError> {
        let options = ClientOptions::parse(url).await.map_err(|error| {
            let message = without_password(url, &error.kind.to_string());
            // Of `mongodb+srv`, the hosts are looked for already.
            let kind = match kind(&error) {
                BackendErrorKind::Unavailable => BackendErrorKind::Unavailable,
                _ => BackendErrorKind::Misconfigured,
            };
            BackendError::new(kind, "connect", message)
        })?;
        Self::with_options(options)
    }

    /// The same with options of the driver's, in their `default_database`.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn with_options(mut options: ClientOptions) -> Result<Self, BackendError> {
        options.server_selection_timeout.get_or_insert(SERVER_SELECTION_TIMEOUT);
        options.app_name.get_or_insert_with(|| "flamingock".to_owned());
        let name = options.default_database.clone().unwrap_or_else(|| DATABASE.to_owned());
        let hosts: Vec<String> = options.hosts.iter().map(ToString::to_string).collect();
        let address = format!("mongodb://{}/{name}", hosts.join(","));
        let client = Client::with_options(options.clone())
            .map_err(|error| Operation { name: "connect", address: &address }.error(error))?;
        let store = Self::new(client, name);
        Ok(Self { options: Some(Arc::new(options)), address, ..store })
    }

    /// What the names of its collections begin with; `flamingock_` unless told. Letters, digits,
    /// underscores and hyphens; anything else is refused before anything runs.
    #[must_use]
    pub fn collection_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Whether missing collections and indexes are created; yes unless told. If not, they are only
    /// checked, and the error names what is missing.
    #[must_use]
    pub fn create_collections(mut self, create: bool) -> Self {
        self.create_collections = create;
        self
    }

    pub(crate) fn describe(&self) -> &str {
        &self.address
    }

    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn heads(&self) -> Collection<Document> {
        self.database.collection(&self.name("heads"))
    }

    pub(crate) fn entries(&self) -> Collection<Document> {
        self.database.collection(&self.name("entries"))
    }

    pub(crate) fn locks(&self) -> Collection<Document> {
        self.database.collection(&self.name("locks"))
    }

    /// An operation, unless the store is set up in a way that cannot work.
    pub(crate) fn operation(&self, name: &'static str) -> Result<Operation<'_>, BackendError> {
        let operation = Operation { name, address: &self.address };
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !self.prefix.chars().all(allowed) || self.prefix.len() > 63 {
            let message = format!(
                "the collection prefix `{}` is not made of at most 63 letters, digits, underscores and hyphens",
                self.prefix.escape_debug()
            );
            return Err(operation.fail(BackendErrorKind::Misconfigured, message));
        }
        let database = self.database.name();
        if database.is_empty() || database.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
            let message = format!("`{}` cannot be the name of a database", database.escape_debug());
            return Err(operation.fail(BackendErrorKind::Misconfigured, message));
        }
        Ok(operation)
    }

    /// The same store over a client that is opened on this runtime; [`None`] where it is not known how.
    pub(crate) fn reopened(&self, operation: &Operation<'_>) -> Result<Option<Self>, BackendError> {
        let Some(options) = &self.options else { return Ok(None) };
        let mut own = options.as_ref().clone();
        own.max_pool_size = Some(2);
        own.min_pool_size = None;
        let client = Client::with_options(own).map_err(|error| operation.error(error))?;
        let database = client.database_with_options(self.database.name(), database_options());
        Ok(Some(Self { database, ..self.clone() }))
    }

    /// Whether all entries up to this sequence are known to be in their collection.
    pub(crate) fn is_delivered(&self, history: &History, token: FencingToken, sequence: u64) -> bool {
        let delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        delivered.get(history) == Some(&(token, sequence))
    }

    pub(crate) fn note_delivered(&self, history: &History, token: FencingToken, sequence: u64) {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        delivered.insert(history.clone(), (token, sequence));
    }
}

impl fmt::Debug for MongoAuditStore {
    /// Without the client, whose options may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoAuditStore")
            .field("address", &self.address)
            .field("collection_prefix", &self.prefix)
            .field("create_collections", &self.create_collections)
            .finish_non_exhaustive()
    }
}

/// Nothing is read that could be rolled back, and nothing acknowledged that could be lost.
fn database_options() -> DatabaseOptions {
    let majority = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    DatabaseOptions::builder()
        .read_concern(ReadConcern::majority())
        .write_concern(majority)
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .build()
}

/// What is wrong with a URL, without quoting its secret part.
fn without_password(url: &str, message: &str) -> String {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let mut message = message.to_owned();
    for secret in [user, user.split_once(':').map_or("", |(_, password)| password)] {
        if !secret.is_empty() {
            message = message.replace(secret, "***");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_is_not_understood_is_refused_without_its_password() {
        for url in [
            "mongodb://user:s3c/ret@localhost/audit",
            "mongodb://user:s3c:ret@localhost/audit",
            "mongodb://user:s3c%ret@localhost/audit",
            "mongodb://user:s3cret@localhost:port/audit",
            "mongodb://user:s3cret@/audit",
            "http://user:s3cret@localhost",
        ] {
            let error = MongoAuditStore::connect(url).await.unwrap_err();
            assert_eq!(error.kind(), BackendErrorKind::Misconfigured, "{url}");
            let shown = format!("{error:#?} {error}");
            assert!(!shown.contains("s3c"), "{shown}");
        }
    }

    #[tokio::test]
    async fn the_address_has_hosts_and_database_and_no_user() {
        let store = MongoAuditStore::connect("mongodb://user:s3cret@a,b:27018/audit").await.unwrap();
        assert_eq!(store.describe(), "mongodb://a:27017,b:27018/audit");
        let shown = format!("{store:#?}");
        assert!(!shown.contains("s3cret") && !shown.contains("user"), "{shown}");
        let store = MongoAuditStore::connect("mongodb://a").await.unwrap();
        assert_eq!(store.describe(), "mongodb://a:27017/flamingock");
    }

    #[tokio::test]
    async fn an_awkward_prefix_is_refused_before_anything_runs() {
        let store = MongoAuditStore::connect("mongodb://a").await.unwrap().collection_prefix("a$b");
        assert_eq!(store.operation("test").unwrap_err().kind(), BackendErrorKind::Misconfigured);
    }
}
