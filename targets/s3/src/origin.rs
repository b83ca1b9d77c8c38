use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// Where requests go to, for errors and the audit. The SDK does not tell an endpoint that a client was
/// given, so it is read off the requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// What somebody said.
    pub(crate) named: Option<String>,
    pub(crate) region: Option<String>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    server: Mutex<Option<String>>,
    unsigned: AtomicBool,
}

impl Origin {
    pub(crate) fn new(named: Option<String>, region: Option<String>) -> Self {
        Self { named, region, seen: Arc::default() }
    }

    /// What is known without a request: it never changes.
    pub(crate) fn address(&self) -> String {
        match (&self.named, &self.region) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(region)) => format!("s3://?region={region}"),
            (None, None) => "s3://".to_owned(),
        }
    }

    /// The server, as well as it is known.
    pub(crate) fn endpoint(&self) -> String {
        let seen = || self.seen.server.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.named.clone().or_else(seen).unwrap_or_else(|| self.address())
    }

    /// Whether requests go out without a signature: a client without credentials is nobody.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.seen.unsigned.load(Ordering::Relaxed)
    }

    /// What reads it off the requests.
    pub(crate) fn watch(&self) -> impl Intercept + 'static {
        Watch(Arc::clone(&self.seen))
    }
}

#[derive(Debug)]
struct Watch(Arc<Seen>);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "flamingock endpoint"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        self.0.unsigned.store(!request.headers().contains_key("authorization"), Ordering::Relaxed);
        if let Some(server) = server(request.uri()) {
            *self.0.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        }
        Ok(())
    }
}

/// `https://host:port` of a URI; [`None`] for Amazon's own, whose names begin with that of a bucket.
fn server(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit('@').next()?;
    let ours = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    (!ours && !host.is_empty()).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_what_stands_before_the_path_without_credentials() {
        assert_eq!(server("http://127.0.0.1:9000/a/b?x=1").as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(server("https://key:hunter2@minio/a").as_deref(), Some("https://minio"));
        assert_eq!(server("https://receipts.s3.eu-west-1.amazonaws.com/a"), None);
        assert_eq!(server("nonsense"), None);
    }

    #[test]
    fn what_was_said_comes_before_what_was_seen() {
        let origin = Origin::new(None, Some("eu-west-1".to_owned()));
        assert_eq!(origin.endpoint(), "s3://?region=eu-west-1");
        *origin.seen.server.lock().unwrap() = Some("http://minio".to_owned());
        assert_eq!(
            (origin.endpoint().as_str(), origin.address().as_str()),
            ("http://minio", "s3://?region=eu-west-1")
        );
        let named = Origin { named: Some("http://store".to_owned()), ..origin };
        assert_eq!(named.endpoint(), "http://store");
    }
}
