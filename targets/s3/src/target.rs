use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use flamingock_core::change::Resources;
use flamingock_core::target::{Mode, Session, SessionType, TargetSystem};
use flamingock_core::{BackendError, BackendErrorKind};

use crate::client::{LIMITS, within};
use crate::error::{S3Error, S3ErrorKind};
use crate::place::Place;
use crate::s3::S3Changes;
use crate::session::S3Session;

/// How long the server may take to show that it is there, unless told.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// A target system on S3: its changes get `&aws_sdk_s3::Client` and [`&S3Changes`](S3Changes).
///
/// It has no transactions: a failed change is compensated by its `#[rollback]`, and `#[verify]` settles
/// what a crash has left.
///
/// ```
/// # fn example(client: aws_sdk_s3::Client) {
/// use flamingock_target_s3::S3Target;
///
/// let target = S3Target::new("files", client);
/// # }
/// ```
pub struct S3Target {
    id: String,
    s3: S3Changes,
    check_timeout: Duration,
    resources: Resources,
}

impl S3Target {
    /// The target with this id, on this client.
    ///
    /// Where the client has no timeouts, it gets 3 s for connecting, 20 s for an attempt and 60 s for a
    /// request with its repetitions; where it has no HTTP client, one over rustls with the system's
    /// certificates. For another server than Amazon's, its configuration needs `endpoint_url` and mostly
    /// `force_path_style(true)`.
    pub fn new(id: impl Into<String>, client: Client) -> Self {
        Self::over(id.into(), S3Changes::over(&client, None))
    }

    /// The target at `s3://?region=REGION`, with `&endpoint=URL` where the server is another than
    /// Amazon's: buckets are then part of the path, not of the host name.
    ///
    /// Credentials, and what the URL does not say, come from where AWS tools take them: environment,
    /// profile (with single sign-on), web identity, container or instance. Nothing is sent to S3 yet.
    ///
    /// # Errors
    /// When the URL or the endpoint that the environment names is not understood, or no region is found.
    pub async fn connect(id: impl Into<String>, url: &str) -> Result<Self, BackendError> {
        let place = Place::parse(url)?;
        let configuration =
            flamingock_aws::configuration(place.region.as_deref(), place.endpoint.as_deref(), LIMITS).await;
        let refused = |message| BackendError::new(BackendErrorKind::Misconfigured, "connect", message);
        if configuration.region().is_none() {
            let message = "no region is known: add ?region=.. to the URL, or set AWS_REGION";
            return Err(refused(message.to_owned()));
        }
        let endpoint = flamingock_aws::endpoint(&configuration, "S3").map_err(refused)?;
        let builder = Builder::from(&configuration).force_path_style(endpoint.is_some());
        let client = Client::from_conf(builder.build());
        Ok(Self::over(id.into(), S3Changes::over(&client, endpoint)))
    }

    fn over(id: String, s3: S3Changes) -> Self {
        let target = Self { id, s3: s3.clone(), check_timeout: CHECK_TIMEOUT, resources: Resources::new() };
        target.offer(s3)
    }

    fn offer(mut self, s3: S3Changes) -> Self {
        self.resources.insert(s3.client.clone());
        self.resources.insert(s3.clone());
        self.s3 = s3;
        self
    }

    /// Where it is, for the audit and for errors, where the client was given an endpoint. Without
    /// secrets: it is stored and shown.
    #[must_use]
    pub fn at(self, endpoint: impl Into<String>) -> Self {
        let mut s3 = self.s3.clone();
        s3.origin.named = Some(endpoint.into());
        self.offer(s3)
    }

    /// How long a request of a change may take with its repetitions, whatever the client says. An
    /// attempt gets half of it, at most 20 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        let s3 = self.s3.limited(timeout);
        self.offer(s3)
    }

    /// How long the server may take to show that it is there, before anything runs, and to answer what an
    /// earlier change has left under way; 10 s unless told.
    #[must_use]
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        self.check_timeout = timeout;
        self
    }

    /// Adds a dependency that this target's changes take as `&T`.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(self, dependency: T) -> Self {
        self.with_arc(Arc::new(dependency))
    }

    /// Adds a shared dependency that this target's changes take as `&T`; `T` may be a trait object.
    #[must_use]
    pub fn with_arc<T: ?Sized + Send + Sync + 'static>(mut self, dependency: Arc<T>) -> Self {
        self.resources.insert_arc(dependency);
        self
    }

    /// Lists the buckets, once nothing runs any more. Who may not do so is known to the server all the same.
    async fn reach(&self, operation: &'static str) -> Result<(), S3Error> {
        let settled = tokio::time::timeout(self.check_timeout, self.s3.running.settle()).await;
        if settled.is_err() {
            let message = "a request of a change before is not answered yet, and may still take effect; \
                           try again in a minute";
            return Err(self.s3.at(operation).error(S3ErrorKind::Unavailable, message));
        }
        let limits = within(self.check_timeout);
        let limits = Builder::new().timeout_config(flamingock_aws::timeouts(None, limits));
        let request = self.s3.client.list_buckets().max_buckets(1).customize().config_override(limits);
        let answer = request.send().await;
        let at = self.s3.at(operation);
        if self.s3.origin.is_anonymous() {
            return Err(at.error(S3ErrorKind::Denied, "the client has no credentials"));
        }
        match answer.map_err(|error| at.failed(&error)) {
            Err(error) if error.code() != Some("AccessDenied") => Err(error),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for S3Target {
    /// Without the client, which knows credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Target")
            .field("id", &self.id)
            .field("address", &self.s3.origin.address())
            .field("check_timeout", &self.check_timeout)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TargetSystem for S3Target {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &'static str {
        "s3"
    }

    fn address(&self) -> String {
        self.s3.origin.address()
    }

    fn resources(&self, _mode: Mode) -> &Resources {
        &self.resources
    }

    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>> {
        match mode {
            Mode::Transactional => None,
            Mode::Plain => Some(Vec::new()),
        }
    }

    async fn check(&self) -> Result<(), BackendError> {
        Ok(self.reach("check").await?)
    }

    /// One request: a change does not begin on a server that is not there.
    async fn open(&self, _mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        self.reach("open session").await?;
        Ok(Box::new(S3Session::new(self.s3.clone())))
    }
}
