//! The DynamoDB that tests are given, and tables of their own in it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region, SharedHttpClient};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use flamingock_testing::conformance::Proxy;

/// What no address, error or debug output may show. Letters and digits: emulators accept no others.
pub(crate) const SECRET: &str = "hunter2hunter2";
const VARIABLE: &str = "FLAMINGOCK_TEST_DYNAMODB_URL";

/// The server's endpoint, such as `http://127.0.0.1:8000`.
pub(crate) fn endpoint() -> Result<String, String> {
    std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()).ok_or_else(|| {
        format!("{VARIABLE} names no endpoint of DynamoDB; `cargo xtask test` starts DynamoDB Local")
    })
}

/// In front of the server at `endpoint`.
pub(crate) async fn proxy(endpoint: &str) -> std::io::Result<Proxy> {
    Proxy::to(endpoint.trim_start_matches("http://").trim_end_matches('/')).await
}

/// Through the proxy.
pub(crate) fn through(proxy: &Proxy) -> String {
    format!("http://{}", proxy.address())
}

pub(crate) fn http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

pub(crate) fn config(endpoint: &str, http: SharedHttpClient) -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("testing", SECRET, None, None, "tests"))
        .endpoint_url(endpoint)
        // Impatient: what is unplugged is tried twice.
        .retry_config(
            RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(50)),
        )
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10)).build())
        .http_client(http)
}

/// A client with connections of its own.
pub(crate) fn client(endpoint: &str) -> Client {
    Client::from_conf(config(endpoint, http()).build())
}

/// A name that no other test has.
pub(crate) fn table_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("flamingock-test-{}-{now}-{next}", std::process::id())
}
