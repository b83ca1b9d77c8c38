use flamingock_aws::{check_endpoint, parameters};
use flamingock_core::{BackendError, BackendErrorKind};

/// Where a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
}

impl Place {
    /// From `s3://?region=..&endpoint=..`.
    pub(crate) fn parse(url: &str) -> Result<Self, BackendError> {
        Self::read(url).map_err(|problem| {
            let message = format!(
                "the URL of the target is not understood: {problem}; \
                 it should be s3://?region=REGION, with &endpoint=URL for another server than Amazon's"
            );
            BackendError::new(BackendErrorKind::Misconfigured, "connect", message)
        })
    }

    fn read(url: &str) -> Result<Self, String> {
        let [region, endpoint] = parameters(url, "s3", ["region", "endpoint"])?;
        endpoint.as_deref().map_or(Ok(()), check_endpoint)?;
        Ok(Self { region, endpoint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_region_and_endpoint() {
        let place = Place::parse("s3://?region=eu-west-1&endpoint=http%3A%2F%2Flocalhost:9000").unwrap();
        assert_eq!(place.region.as_deref(), Some("eu-west-1"));
        assert_eq!(place.endpoint.as_deref(), Some("http://localhost:9000"));
        assert_eq!(Place::parse("s3://").unwrap(), Place { region: None, endpoint: None });
    }

    #[test]
    fn a_url_that_is_not_understood_says_why_and_shows_no_secret() {
        for (url, problem) in [
            ("http://localhost", "does not begin"),
            ("s3://key:hunter2@?region=a", "environment"),
            ("s3://receipts", "environment"),
            ("s3://?bucket=a", "`bucket`"),
            ("s3://?endpoint=http://key:hunter2@localhost", "environment"),
        ] {
            let error = Place::parse(url).unwrap_err().to_string();
            assert!(error.contains(problem), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
