use std::fmt;
use std::time::Duration;

use flamingock_core::{BackendError, BackendErrorKind};
use mongodb::error::{Error, ErrorKind, RETRYABLE_WRITE_ERROR, SYSTEM_OVERLOADED_ERROR, WriteFailure};

/// How long an operation may take. The driver waits for answers without end.
const PATIENCE: Duration = Duration::from_secs(30);

const DUPLICATE_KEY: [i32; 3] = [11000, 11001, 12582];

/// One operation of the store, for its errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) name: &'static str,
    pub(crate) address: &'a str,
}

impl Operation<'_> {
    /// An error of the store's own.
    pub(crate) fn fail(&self, kind: BackendErrorKind, message: impl Into<String>) -> BackendError {
        BackendError::new(kind, self.name, message).context("store", self.address)
    }

    /// What is stored cannot be read.
    pub(crate) fn corrupt(&self, what: impl fmt::Display, problem: impl fmt::Display) -> BackendError {
        self.fail(BackendErrorKind::Corrupt, format!("{what} cannot be read: {problem}"))
    }

    /// An error of the driver's.
    pub(crate) fn error(&self, error: Error) -> BackendError {
        self.fail(kind(&error), describe(&error)).source(Cause(error))
    }

    /// Does it, but not for ever.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            Err(self.fail(BackendErrorKind::Unavailable, format!("no answer within {PATIENCE:?}")))
        })
    }

    /// A number as it is stored.
    pub(crate) fn number(&self, number: u64) -> Result<i64, BackendError> {
        i64::try_from(number).map_err(|_| {
            self.fail(BackendErrorKind::InvalidData, format!("{number} is too large to be stored"))
        })
    }
}

/// The driver's error, in fewer words than its own.
#[derive(Debug)]
struct Cause(Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(&self.0))
    }
}

impl std::error::Error for Cause {}

/// Whether somebody else was faster to write under the same key.
pub(crate) fn is_duplicate_key(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(error)) => DUPLICATE_KEY.contains(&error.code),
        ErrorKind::Command(error) => DUPLICATE_KEY.contains(&error.code),
        // Of many documents: whether that is all that went wrong.
        ErrorKind::InsertMany(error) => {
            let errors = error.write_errors.as_deref().unwrap_or_default();
            error.write_concern_error.is_none()
                && !errors.is_empty()
                && errors.iter().all(|error| DUPLICATE_KEY.contains(&error.code))
        }
        _ => false,
    }
}

/// The server's code, where the server spoke.
pub(crate) fn code(error: &Error) -> Option<i32> {
    said(error).map(|(code, _)| code)
}

/// The server's code and message.
fn said(error: &Error) -> Option<(i32, &str)> {
    match error.kind.as_ref() {
        ErrorKind::Command(error) => Some((error.code, &error.message)),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some((error.code, &error.message)),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some((error.code, &error.message)),
        ErrorKind::InsertMany(error) => {
            let errors = error.write_errors.as_deref().unwrap_or_default().iter();
            let mut said = errors.map(|error| (error.code, error.message.as_str()));
            let concern = error.write_concern_error.as_ref();
            said.find(|(code, _)| !DUPLICATE_KEY.contains(code))
                .or_else(|| concern.map(|error| (error.code, error.message.as_str())))
        }
        _ => None,
    }
}

/// What the driver said, without what is for its own programmers.
fn describe(error: &Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(error) => format!("{} ({} {})", error.message, error.code, error.code_name),
        ErrorKind::Write(WriteFailure::WriteError(error)) => format!("{} ({})", error.message, error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
            format!("the write is not safe yet: {} ({} {})", error.message, error.code, error.code_name)
        }
        kind => plain(&kind.to_string()),
    }
}

/// Without the fields of nested errors that are empty or for programs.
fn plain(text: &str) -> String {
    let mut text = text.replace("Kind: ", "");
    for field in [", source: None", ", server response: None"] {
        text = text.replace(field, "");
    }
    while let Some(start) = text.find(", labels: {") {
        let end = text[start..].find('}').map_or(text.len(), |end| start + end + 1);
        text.replace_range(start..end, "");
    }
    text
}

pub(crate) fn kind(error: &Error) -> BackendErrorKind {
    use BackendErrorKind::{Corrupt, Denied, Misconfigured, Other, Unavailable};
    if let Some((code, message)) = said(error) {
        let kind = kind_of_code(code, message);
        let passing =
            error.contains_label(RETRYABLE_WRITE_ERROR) || error.contains_label(SYSTEM_OVERLOADED_ERROR);
        return if kind == Other && passing { Unavailable } else { kind };
    }
    match error.kind.as_ref() {
        ErrorKind::Authentication { .. } => Denied,
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. } => Unavailable,
        ErrorKind::InvalidArgument { .. }
        | ErrorKind::InvalidTlsConfig { .. }
        | ErrorKind::IncompatibleServer { .. }
        | ErrorKind::Shutdown => Misconfigured,
        ErrorKind::Bson(_) => Corrupt,
        _ => Other,
    }
}

fn kind_of_code(code: i32, message: &str) -> BackendErrorKind {
    use BackendErrorKind::{Denied, InvalidData, Misconfigured, Other, Schema, StorageFull, Unavailable};
    match code {
        // Atlas has one code for all that is its own.
        8000 if message.contains("space quota") => StorageFull,
        // UserNotFound, Unauthorized, AuthenticationFailed, RoleNotFound, AtlasError.
        11 | 13 | 18 | 31 | 8000 => Denied,
        // The network, as one server sees another.
        6 | 7 | 89 | 202 | 9001 => Unavailable,
        // Not the primary, or no longer, or going down.
        91 | 189 | 10058 | 10107 | 11600 | 11602 | 13435 | 13436 => Unavailable,
        // Too slow, in each other's way, or not yet safe.
        24 | 46 | 50 | 64 | 112 | 133 | 134 | 251 | 262 | 391 | 462 => Unavailable,
        // What was being read is no longer kept: CursorNotFound, QueryPlanKilled, CursorKilled.
        43 | 175 | 237 => Unavailable,
        // InvalidBSON, KeyTooLong, a document of more than 16 MiB.
        22 | 10334 | 17280 | 17419 | 17420 => InvalidData,
        // NamespaceNotFound, CannotCreateIndex, other indexes of that name, a validator, a view.
        26 | 67 | 85 | 86 | 121 | 166 => Schema,
        14031 => StorageFull,
        // CommandNotFound, InvalidOptions, InvalidNamespace, CommandNotSupported, NotImplemented.
        59 | 72 | 73 | 115 | 238 => Misconfigured,
        _ => Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(code: i32) -> Error {
        answer(code, "text")
    }

    fn answer(code: i32, message: &str) -> Error {
        let answer = mongodb::bson::doc! { "code": code, "codeName": "Name", "errmsg": message };
        let command = mongodb::bson::deserialize_from_document(answer).unwrap();
        ErrorKind::Command(command).into()
    }

    #[test]
    fn each_code_of_a_server_has_its_kind() {
        use BackendErrorKind::{Denied, InvalidData, Misconfigured, Other, Schema, StorageFull, Unavailable};
        let table = [
            (13, Denied),
            (18, Denied),
            (91, Unavailable),
            (189, Unavailable),
            (10107, Unavailable),
            (13435, Unavailable),
            (11600, Unavailable),
            (64, Unavailable),
            (50, Unavailable),
            (43, Unavailable),
            (175, Unavailable),
            (237, Unavailable),
            (8000, Denied),
            (112, Unavailable),
            (10334, InvalidData),
            (17419, InvalidData),
            (26, Schema),
            (85, Schema),
            (121, Schema),
            (14031, StorageFull),
            (59, Misconfigured),
            (1, Other),
            (11000, Other),
        ];
        for (code, expected) in table {
            assert_eq!(kind(&command(code)), expected, "{code}");
        }
    }

    #[test]
    fn a_quota_of_atlas_that_is_used_up_is_a_full_storage() {
        let full = answer(8000, "you are over your space quota, using 513 MB of 512 MB");
        assert_eq!(kind(&full), BackendErrorKind::StorageFull);
    }

    #[test]
    fn each_trouble_of_the_driver_has_its_kind() {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(kind(&Error::from(broken)), BackendErrorKind::Unavailable);
        assert_eq!(kind(&ErrorKind::Shutdown.into()), BackendErrorKind::Misconfigured);
    }

    #[test]
    fn an_error_is_told_without_what_is_for_programs() {
        let io = "Kind: I/O error: refused, labels: {\"RetryableError\", \"Other\"}, source: None";
        let text = format!("Topology: {{ Error: {io}, server response: None }}");
        assert_eq!(plain(&text), "Topology: { Error: I/O error: refused }");
        assert_eq!(plain("cut off, labels: {"), "cut off");
    }

    #[test]
    fn a_duplicate_key_is_known_and_named() {
        assert!(is_duplicate_key(&command(11000)));
        assert!(!is_duplicate_key(&command(13)));
        assert_eq!(describe(&command(13)), "text (13 Name)");
    }
}
