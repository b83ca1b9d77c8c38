use std::fmt::Write as _;

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
        let rest = url.strip_prefix("dynamodb://").ok_or("it does not begin with dynamodb://")?;
        // What stands before the question mark is not repeated in the message: it may be a secret.
        let (before, query) = rest.split_once('?').ok_or("it names no table")?;
        if !matches!(before, "" | "/") {
            return Err(
                "between // and ? there is something; credentials come from the environment".to_owned()
            );
        }
        let (mut table, mut region, mut endpoint) = (None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or("a parameter has no value")?;
            let slot = match name {
                "table" => &mut table,
                "region" => &mut region,
                "endpoint" => &mut endpoint,
                other => return Err(format!("`{}` is no parameter of it", other.escape_debug())),
            };
            if slot.replace(decode(value)?).is_some() {
                return Err(format!("`{name}` is given twice"));
            }
        }
        let table = table.filter(|table| !table.is_empty()).ok_or("it names no table")?;
        if let Some(endpoint) = &endpoint {
            check_endpoint(endpoint)?;
        }
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

fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let rest = rest.ok_or("the endpoint begins neither with https:// nor with http://")?;
    if rest.contains('@') {
        return Err("the endpoint has an @: credentials come from the environment".to_owned());
    }
    Ok(())
}

/// What would end a parameter, as [`decode`] reads it.
fn encode(text: &str) -> String {
    text.replace('%', "%25").replace('&', "%26")
}

/// `%3A` and its like.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("a percent sign is not followed by two hexadecimal digits".to_owned());
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| "a parameter is no UTF-8".to_owned())
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
