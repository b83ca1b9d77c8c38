use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::SharedHttpClient;
use flamingock_aws::http_client;
use flamingock_core::{BackendError, BackendErrorKind};

use crate::client::{completed, configuration, separate};
use crate::operation::Operation;
use crate::url::Place;
use crate::watch::Watches;

/// Audit store and lock in a DynamoDB table.
///
/// ```
/// # fn example(client: aws_sdk_dynamodb::Client) {
/// use flamingock_store_dynamodb::DynamoAuditStore;
///
/// let store = DynamoAuditStore::new(client, "flamingock-audit");
/// # }
/// ```
///
/// # What to know
/// - **Rights.** `dynamodb:DescribeTable`, `GetItem`, `Query`, `PutItem`, `UpdateItem` and
///   `ConditionCheckItem` on the table, and `CreateTable` where the store is to create it. Waiting for
///   another instance needs `GetItem` alone.
/// - **Billing** of a table that it creates is on demand. Switch on point-in-time recovery and
///   deletion protection for the audit of a production system.
/// - **One region.** In a global table, the conditions hold in one region only: let all instances use
///   the same one. The store warns where the table has replicas.
/// - **The lease** is judged by watching it, see the [crate](crate): an instance takes over from a dead
///   one after it has watched for a whole lease, and not at once as with a store that has a clock.
/// - **Limits.** An entry, with its texts and metadata, has at most 380 KB; an append at most 4 MB.
#[derive(Clone)]
pub struct DynamoAuditStore {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) create_table: bool,
    pub(crate) watches: Arc<Watches>,
    address: String,
    source: Source,
}

/// Where its client comes from, so that it can be made once more.
#[derive(Clone)]
enum Source {
    Url(Place),
    Given(Arc<dyn Fn() -> SharedHttpClient + Send + Sync>),
}

impl DynamoAuditStore {
    /// A store in this table.
    ///
    /// Where the client was given no timeouts, it gets a connect timeout of 3 s, 5 s for an attempt
    /// and 20 s for an operation.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        let table = table.into();
        let region = client.config().region().map(ToString::to_string);
        let place = Place { table: table.clone(), region, endpoint: None };
        let source = Source::Given(Arc::new(http_client));
        Self::over(&client, place.address(), table, source)
    }

    fn over(client: &Client, address: String, table: String, source: Source) -> Self {
        let watches = Arc::default();
        Self { client: completed(client), table, create_table: true, watches, address, source }
    }

    /// A store at `dynamodb://?table=NAME&region=REGION`, with `&endpoint=URL` where the server is
    /// another than Amazon's.
    ///
    /// Credentials, and what the URL does not say, come from where AWS tools take them: environment,
    /// profile (with single sign-on), web identity, container or instance. Nothing is sent to
    /// DynamoDB yet.
    ///
    /// # Errors
    /// When the URL is not understood, or no region is found.
    pub async fn connect(url: &str) -> Result<Self, BackendError> {
        let place = Place::parse(url)?;
        let configuration = configuration(&place).await;
        if configuration.region().is_none() {
            let message = "no region is known: add &region=.. to the URL, or set AWS_REGION";
            return Err(BackendError::new(BackendErrorKind::Misconfigured, "connect", message));
        }
        let (address, table) = (place.address(), place.table.clone());
        Ok(Self::over(&Client::new(&configuration), address, table, Source::Url(place)))
    }

    /// Whether a missing table is created; yes unless told. If not, it is only checked.
    #[must_use]
    pub fn create_table(mut self, create: bool) -> Self {
        self.create_table = create;
        self
    }

    /// How the heartbeat connects: it has connections of its own, which a change that blocks cannot
    /// hold up. Unless told, over rustls with the system's certificates; say another way where the
    /// client given to [`new`](Self::new) goes through a proxy or trusts other certificates.
    #[must_use]
    pub fn heartbeat_http_client(
        mut self,
        client: impl Fn() -> SharedHttpClient + Send + Sync + 'static,
    ) -> Self {
        self.source = Source::Given(Arc::new(client));
        self
    }

    /// The same store over connections of its own, opened on the runtime that calls this.
    pub(crate) async fn separate(&self) -> Self {
        let client = match &self.source {
            // All anew: also what gives out credentials must not wait for the other runtime.
            Source::Url(place) => completed(&Client::new(&configuration(place).await)),
            Source::Given(http) => separate(&self.client, http()),
        };
        Self { client, watches: Arc::default(), ..self.clone() }
    }

    pub(crate) fn location(&self) -> &str {
        &self.address
    }

    pub(crate) fn operation(&self, name: &'static str) -> Operation<'_> {
        Operation { name, address: &self.address }
    }
}

impl fmt::Debug for DynamoAuditStore {
    /// Without the client, which knows credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoAuditStore")
            .field("address", &self.address)
            .field("create_table", &self.create_table)
            .finish_non_exhaustive()
    }
}
