use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use flamingock_aws::{Limits, http_client, retries, timeouts};

use crate::origin::Origin;
use crate::running::Running;

/// Of a request, where the client was given none. Bodies may be large.
pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(20),
    operation: Duration::from_secs(60),
};

/// The limits of a request that may take so long in all.
pub(crate) fn within(operation: Duration) -> Limits {
    // Half of it, so that a request without an answer is sent once more.
    let attempt = LIMITS.attempt.min(operation / 2);
    Limits { connect: LIMITS.connect.min(attempt), attempt, operation }
}

/// The client, with what it lacks, and watched for where its requests go and which still run.
pub(crate) fn completed(client: &Client, origin: &Origin, running: &Running) -> Client {
    let config = client.config();
    let mut builder = config.to_builder().timeout_config(timeouts(config.timeout_config(), LIMITS));
    if config.retry_config().is_none() {
        builder = builder.retry_config(retries());
    }
    let http = config.http_client().unwrap_or_else(http_client);
    Client::from_conf(builder.http_client(running.watch(http)).interceptor(origin.watch()).build())
}

/// The client, with other limits.
pub(crate) fn limited(client: &Client, operation: Duration) -> Client {
    let limits = timeouts(None, within(operation));
    Client::from_conf(client.config().to_builder().timeout_config(limits).build())
}

/// How long a request may take in all.
pub(crate) fn patience(client: &Client) -> Duration {
    client.config().timeout_config().and_then(TimeoutConfig::operation_timeout).unwrap_or(LIMITS.operation)
}
