use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// How often a request is sent that was throttled or not answered, unless the client says otherwise.
const ATTEMPTS: u32 = 5;

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connecting.
    pub connect: Duration,
    /// Sending it once, until the answer is read.
    pub attempt: Duration,
    /// All attempts together, with the pauses between them.
    pub operation: Duration,
}

/// A client over rustls with ring, whose connections live on the runtime that first uses it.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// The timeouts that a client was given, completed with these.
pub fn timeouts(given: Option<&TimeoutConfig>, limits: Limits) -> TimeoutConfig {
    let limits = TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .operation_attempt_timeout(limits.attempt)
        .operation_timeout(limits.operation)
        .build();
    match given {
        Some(given) => {
            let mut given = given.clone();
            given.take_defaults_from(&limits);
            given
        }
        None => limits,
    }
}

/// How requests are repeated, unless the client says otherwise.
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

/// What the environment says, with connections of its own, also for whoever gives out credentials.
pub async fn configuration(region: Option<&str>, endpoint: Option<&str>, limits: Limits) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(timeouts(None, limits));
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}
