//! The S3 servers that tests are given, and buckets of their own in them.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use flamingock_testing::conformance::Proxy;

/// What no address, error or debug output may show.
pub(crate) const SECRET: &str = "hunter2hunter2";

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An emulator with nearly every operation: it lets everybody in, and has a single owner.
    Moto,
    /// A real server: signatures, owners, files. It has neither lifecycle rules nor encryption.
    Versitygw,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl User {
    fn parse(text: &str) -> Option<Self> {
        let (name, password) = text.split_once(':')?;
        Some(Self { name: name.to_owned(), password: password.to_owned() })
    }
}

/// A server, as its variable tells: `http://user:password@host:port?other=user:password`.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) endpoint: String,
    pub(crate) user: User,
    pub(crate) other: User,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Moto, Self::Versitygw];

    /// As suites and `FLAMINGOCK_TEST_REQUIRE` call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Moto => "moto",
            Self::Versitygw => "versitygw",
        }
    }

    pub(crate) fn server(self) -> Result<Server, String> {
        let variable = match self {
            Self::Moto => "FLAMINGOCK_TEST_MOTO_URL",
            Self::Versitygw => "FLAMINGOCK_TEST_VERSITYGW_URL",
        };
        let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| format!("{variable} names no server; `cargo xtask test` starts one"))?;
        Server::parse(&url)
            .ok_or_else(|| format!("{variable} is not http://user:password@host:port?other=.."))
    }
}

impl Server {
    fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let anybody = |name: &str| User { name: name.to_owned(), password: SECRET.to_owned() };
        Some(Self {
            endpoint: format!("http://{}", host.trim_end_matches('/')),
            user: user.map_or_else(|| Some(anybody("somebody")), User::parse)?,
            other: query.strip_prefix("other=").map_or_else(|| Some(anybody("stranger")), User::parse)?,
        })
    }

    /// Where it listens: `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.endpoint.trim_start_matches("http://")
    }

    pub(crate) async fn proxy(&self) -> std::io::Result<Proxy> {
        Proxy::to(self.address()).await
    }

    pub(crate) fn config(endpoint: &str, user: &User) -> Builder {
        Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new(&user.name, &user.password, None, None, "tests"))
            .endpoint_url(endpoint)
            .force_path_style(true)
            // Impatient: what is unplugged is tried twice.
            .retry_config(
                RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(50)),
            )
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10)).build(),
            )
            .http_client(flamingock_aws::http_client())
    }

    /// A client with connections of its own.
    pub(crate) fn client(&self) -> Client {
        self.client_at(&self.endpoint)
    }

    pub(crate) fn client_at(&self, endpoint: &str) -> Client {
        Client::from_conf(Self::config(endpoint, &self.user).build())
    }

    pub(crate) fn client_of(&self, user: &User) -> Client {
        Client::from_conf(Self::config(&self.endpoint, user).build())
    }
}

/// Through the proxy.
pub(crate) fn through(proxy: &Proxy) -> String {
    format!("http://{}", proxy.address())
}

/// A name that no other test has.
pub(crate) fn bucket_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("flamingock-test-{}-{now}-{next}", std::process::id())
}
