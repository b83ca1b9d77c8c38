use std::fmt::Write as _;

use flamingock_aws::{check_endpoint, encode, parameters};
use flamingock_core::{BackendError, BackendErrorKind};

/// Where a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: String,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
}

impl Place {
    /// From `dynamodb://?table=..&region=..&endpoint=..`.
    pub(crate) fn parse(url: &str) -> Result<Self, BackendError> {
        Self::read(url).map_err(|problem| {
            let message = format!(
                "the URL of the audit store is not understood: {problem}; \
                 it should be dynamodb://?table=NAME&region=REGION, with &endpoint=URL for another server"
            );
            BackendError::new(BackendErrorKind::Misconfigured, "connect", message)
        })
    }

    fn read(url: &str) -> Result<Self, String> {
        let [table, region, endpoint] = parameters(url, "dynamodb", ["table", "region", "endpoint"])?;
        let table = table.filter(|table| !table.is_empty()).ok_or("it names no table")?;
        endpoint.as_deref().map_or(Ok(()), check_endpoint)?;
        Ok(Self { table, region, endpoint })
    }

    /// The URL again, which has no secrets.
    pub(crate) fn address(&self) -> String {
        let mut address = format!("dynamodb://?table={}", encode(&self.table));
        for (name, value) in [("region", &self.region), ("endpoint", &self.endpoint)] {
            if let Some(value) = value {
                let _ = write!(address, "&{name}={}", encode(value));
            }
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_table_region_and_endpoint() {
        let place =
            Place::parse("dynamodb://?table=audit&region=eu-west-1&endpoint=http%3A%2F%2Flocalhost:8000");
        let place = place.unwrap();
        assert_eq!(place.table, "audit");
        assert_eq!(place.region.as_deref(), Some("eu-west-1"));
        assert_eq!(place.endpoint.as_deref(), Some("http://localhost:8000"));
        assert_eq!(
            place.address(),
            "dynamodb://?table=audit&region=eu-west-1&endpoint=http://localhost:8000"
        );
        assert_eq!(Place::parse("dynamodb:///?table=audit").unwrap().region, None);
    }

    #[test]
    fn a_url_that_is_not_understood_says_why_and_shows_no_secret() {
        for (url, problem) in [
            ("postgres://?table=a", "does not begin"),
            ("dynamodb://", "no table"),
            ("dynamodb://?region=eu-west-1", "no table"),
            ("dynamodb://?table=", "no table"),
            ("dynamodb://?table=a&table=b", "twice"),
            ("dynamodb://?table=a&color=red", "`color`"),
            ("dynamodb://?table=a%2", "hexadecimal"),
            ("dynamodb://key:hunter2@?table=a", "environment"),
            ("dynamodb://?table=a&endpoint=http://key:hunter2@localhost", "environment"),
            ("dynamodb://?table=a&endpoint=localhost", "https://"),
        ] {
            let error = Place::parse(url).unwrap_err();
            assert_eq!(error.kind(), BackendErrorKind::Misconfigured);
            assert!(error.to_string().contains(problem), "{url}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
