use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient};
use flamingock_aws::{Limits, http_client, retries, timeouts};

use crate::url::Place;

/// Of a request, where the client was given none: below a runner's patience for an operation.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(5),
    operation: Duration::from_secs(20),
};

/// The client, with what it lacks.
pub(crate) fn completed(client: &Client) -> Client {
    let config = client.config();
    let mut builder = config.to_builder().timeout_config(timeouts(config.timeout_config(), LIMITS));
    if config.retry_config().is_none() {
        builder = builder.retry_config(retries());
    }
    if config.http_client().is_none() {
        builder = builder.http_client(http_client());
    }
    Client::from_conf(builder.build())
}

/// The same with connections and loaded credentials of its own.
pub(crate) fn separate(client: &Client, http: SharedHttpClient) -> Client {
    let builder = client.config().to_builder();
    let builder = builder.http_client(http).identity_cache(IdentityCache::lazy().build());
    Client::from_conf(builder.build())
}

/// What the environment says, with connections of its own, also for whoever gives out credentials.
pub(crate) async fn configuration(place: &Place) -> SdkConfig {
    flamingock_aws::configuration(place.region.as_deref(), place.endpoint.as_deref(), LIMITS).await
}

/// For a request that the SDK must not repeat by itself.
pub(crate) fn sent_once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}
