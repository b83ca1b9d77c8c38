use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use crate::url::Place;

/// How often a request is sent that was throttled or not answered, unless the client says otherwise.
const ATTEMPTS: u32 = 5;

/// A client over rustls with ring, whose connections live on the runtime that first uses it.
pub(crate) fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Limits of a request, where the client was given none: below a runner's patience for an operation.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(20))
        .build()
}

/// The client, with what it lacks.
pub(crate) fn completed(client: &Client) -> Client {
    let config = client.config();
    let mut builder = config.to_builder();
    let limits = match config.timeout_config() {
        Some(given) => {
            let mut given = given.clone();
            given.take_defaults_from(&timeouts());
            given
        }
        None => timeouts(),
    };
    builder = builder.timeout_config(limits);
    if config.retry_config().is_none() {
        builder = builder.retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
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
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts());
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &place.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

/// For a request that the SDK must not repeat by itself.
pub(crate) fn sent_once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}
