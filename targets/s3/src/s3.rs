use std::fmt;
use std::time::Duration;

use aws_sdk_s3::Client;

use crate::client::{completed, limited, patience};
use crate::error::At;
use crate::origin::Origin;
use crate::running::Running;

/// What changes do to S3: take it as `&S3Changes`.
///
/// Every operation can be repeated: what is there already is left, and what is gone already stays so.
/// Each has a question that belongs to it, for `#[verify]`. The SDK's own client is beside it, as
/// `&aws_sdk_s3::Client`.
///
/// ```no_run
/// # async fn example(s3: &flamingock_target_s3::S3Changes) -> Result<(), Box<dyn std::error::Error>> {
/// use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
/// use flamingock_target_s3::Content;
///
/// s3.create_bucket("receipts").await?;
/// s3.add("receipts", &VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build()).await?;
/// s3.create_object("receipts", "settings.json", &Content::from("{}").content_type("application/json")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct S3Changes {
    pub(crate) client: Client,
    pub(crate) origin: Origin,
    pub(crate) running: Running,
}

/// Whether an operation had something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Done {
    /// This call did it.
    Now,
    /// It was so before.
    Before,
}

impl S3Changes {
    /// On this client. A target has one for its changes; this is for calling a change in a plain test.
    ///
    /// Where the client has no timeouts, it gets 3 s for connecting, 20 s for an attempt and 60 s for a
    /// request with its repetitions.
    pub fn new(client: &Client) -> Self {
        Self::over(client, None)
    }

    pub(crate) fn over(client: &Client, named: Option<String>) -> Self {
        let origin = Origin::new(named, client.config().region().map(ToString::to_string));
        let running = Running::default();
        Self { client: completed(client, &origin, &running), origin, running }
    }

    pub(crate) fn limited(&self, operation: Duration) -> Self {
        Self { client: limited(&self.client, operation), ..self.clone() }
    }

    /// How long a request may take in all.
    pub(crate) fn patience(&self) -> Duration {
        patience(&self.client)
    }

    /// Names what is being done, for errors.
    pub(crate) fn at(&self, operation: &'static str) -> At<'_> {
        At { operation, origin: &self.origin, bucket: None, key: None }
    }
}

impl fmt::Debug for S3Changes {
    /// Without the client, which knows credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Changes").field("endpoint", &self.origin.endpoint()).finish_non_exhaustive()
    }
}
