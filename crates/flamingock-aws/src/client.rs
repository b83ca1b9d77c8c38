use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;

use crate::url::check_endpoint;

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

/// Where the requests to a service such as `S3` go, if not to Amazon: what was said when this was loaded,
/// or else what environment and profile name for this service or for all.
///
/// # Errors
/// In words, without the endpoint, when it is no address, or has credentials in it.
pub fn endpoint(configuration: &SdkConfig, service: &str) -> Result<Option<String>, String> {
    // In the order of the SDK, which does not tell.
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let key = key.build().ok().filter(|_| !configuration.get_origin("endpoint_url").is_client_config());
    let own = key.and_then(|key| configuration.service_config()?.load_config(key));
    let endpoint = own.or_else(|| configuration.endpoint_url().map(str::to_owned));
    endpoint.as_deref().map_or(Ok(()), check_endpoint).map_err(|problem| {
        let service = service.to_uppercase().replace(' ', "_");
        format!(
            "{problem}; look at AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_{service} and endpoint_url of the profile"
        )
    })?;
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use aws_types::origin::Origin;
    use aws_types::service_config::LoadServiceConfig;

    use super::*;

    /// What the environment names for S3.
    #[derive(Debug)]
    struct Environment(&'static str);

    impl LoadServiceConfig for Environment {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            (key.service_id() == "S3" && key.env() == "AWS_ENDPOINT_URL").then(|| self.0.to_owned())
        }
    }

    #[test]
    fn an_endpoint_is_of_the_service_or_of_all() {
        let all = || SdkConfig::builder().endpoint_url("http://all");
        let own = || all().service_config(Environment("http://own"));
        let mut told = own();
        told.insert_origin("endpoint_url", Origin::shared_config());
        for (configuration, service, expected) in [
            (SdkConfig::builder().build(), "S3", None),
            (all().build(), "S3", Some("http://all")),
            (own().build(), "S3", Some("http://own")),
            (own().build(), "DynamoDB", Some("http://all")),
            (told.build(), "S3", Some("http://all")),
        ] {
            assert_eq!(endpoint(&configuration, service).unwrap().as_deref(), expected, "{configuration:?}");
        }
    }

    #[test]
    fn an_endpoint_with_credentials_is_refused_and_not_shown() {
        let all = SdkConfig::builder().endpoint_url("http://key:hunter2@host").build();
        let own = SdkConfig::builder().service_config(Environment("http://key:hunter2@host")).build();
        for configuration in [all, own] {
            let problem = endpoint(&configuration, "S3").unwrap_err();
            assert!(problem.contains("AWS_ENDPOINT_URL_S3") && !problem.contains("hunter2"), "{problem}");
        }
    }
}
