use std::error::Error;
use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use flamingock_aws::{is_denied, presentable, unanswered};
use flamingock_core::{BackendError, BackendErrorKind};

use crate::origin::Origin;

/// An operation on S3 that failed: what was done where, what the server said, and what to do.
///
/// It shows no credentials, signatures or presigned parts of requests.
#[derive(Clone)]
pub struct S3Error {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: S3ErrorKind,
    operation: &'static str,
    message: String,
    bucket: Option<String>,
    key: Option<String>,
    endpoint: String,
    code: Option<String>,
    request_id: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum S3ErrorKind {
    /// Not reached, not answered in time, throttled, overloaded. The request may have taken effect.
    Unavailable,
    /// Credentials or permissions are refused.
    Denied,
    /// The bucket or the object is not there.
    NotFound,
    /// The bucket is somebody else's.
    Taken,
    /// The bucket holds objects.
    NotEmpty,
    /// The object is not what the request expected it to be.
    Conflict,
    /// The server does not have this operation.
    Unsupported,
    /// Refused for what it was given.
    Invalid,
    /// The client is set up in a way that cannot work: its region, its endpoint.
    Misconfigured,
    /// The run was cancelled in the middle of it.
    Cancelled,
    /// Anything else.
    Other,
}

impl S3ErrorKind {
    /// What to do about it.
    fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::Unavailable => "try again once the server answers",
            Self::Denied => "check the credentials and their permissions",
            Self::Taken => "choose another name",
            Self::NotEmpty => "delete what is in it first: delete_prefix, or empty_bucket for everything",
            Self::Conflict => "read it again and decide anew",
            Self::Unsupported => "use another server, or leave it out here",
            Self::Misconfigured => "check region and endpoint of the client",
            Self::Cancelled => "the next attempt goes on where it stopped",
            Self::NotFound | Self::Invalid | Self::Other => return None,
        })
    }

    /// The mapping of codes, also those of other servers.
    fn of(code: &str, status: u16) -> Self {
        match code {
            "NoSuchBucket" | "NoSuchKey" | "NoSuchVersion" | "NoSuchUpload" | "NotFound" => Self::NotFound,
            "BucketAlreadyExists" => Self::Taken,
            "BucketNotEmpty" => Self::NotEmpty,
            "PreconditionFailed" => Self::Conflict,
            "ConditionalRequestConflict"
            | "OperationAborted"
            | "RequestTimeout"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests"
            | "InternalError"
            | "ServiceUnavailable" => Self::Unavailable,
            "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "InvalidLocationConstraint"
            | "PermanentRedirect"
            | "TemporaryRedirect" => Self::Misconfigured,
            "NotImplemented" => Self::Unsupported,
            code if is_denied(code) => Self::Denied,
            _ => match status {
                301 | 307 => Self::Misconfigured,
                401 | 403 => Self::Denied,
                404 => Self::NotFound,
                405 | 501 => Self::Unsupported,
                412 => Self::Conflict,
                429 | 500.. => Self::Unavailable,
                400 | 411 | 413 | 416 => Self::Invalid,
                _ => Self::Other,
            },
        }
    }
}

impl S3Error {
    /// What went wrong.
    pub fn kind(&self) -> S3ErrorKind {
        self.inner.kind
    }

    /// What was being done, such as `create bucket`.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// The code that the server answered with, such as `AccessDenied`.
    pub fn code(&self) -> Option<&str> {
        self.inner.code.as_deref()
    }

    /// The server's name for the request, for those who run it.
    pub fn request_id(&self) -> Option<&str> {
        self.inner.request_id.as_deref()
    }

    /// Whether trying again may help.
    pub fn is_temporary(&self) -> bool {
        self.inner.kind == S3ErrorKind::Unavailable
    }

    /// The same with something said before its message.
    pub(crate) fn after(mut self, what: &str) -> Self {
        self.inner.message = format!("{what}: {}", self.inner.message);
        self
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, message, bucket, key, endpoint, request_id, .. } = &*self.inner;
        write!(f, "{operation} failed: {message}")?;
        if let Some(remedy) = kind.remedy() {
            write!(f, "; {remedy}")?;
        }
        f.write_str(" (")?;
        for (name, value) in [("bucket", bucket), ("key", key), ("request id", request_id)] {
            if let Some(value) = value {
                write!(f, "{name}: {}, ", value.escape_debug())?;
            }
        }
        write!(f, "endpoint: {endpoint})")
    }
}

impl fmt::Debug for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.inner.fmt(f) } else { fmt::Display::fmt(self, f) }
    }
}

impl Error for S3Error {}

impl From<S3Error> for BackendError {
    fn from(error: S3Error) -> Self {
        let kind = match error.inner.kind {
            S3ErrorKind::Unavailable => BackendErrorKind::Unavailable,
            S3ErrorKind::Denied => BackendErrorKind::Denied,
            S3ErrorKind::Invalid => BackendErrorKind::InvalidData,
            S3ErrorKind::Misconfigured => BackendErrorKind::Misconfigured,
            _ => BackendErrorKind::Other,
        };
        let Inner { kind: s3, operation, message, endpoint, request_id, .. } = *error.inner;
        let message = s3.remedy().map_or(message.clone(), |remedy| format!("{message}; {remedy}"));
        let error = Self::new(kind, operation, message).context("endpoint", endpoint);
        match request_id {
            Some(id) => error.context("request id", id),
            None => error,
        }
    }
}

/// What is being done, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) operation: &'static str,
    pub(crate) origin: &'a Origin,
    pub(crate) bucket: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

impl<'a> At<'a> {
    pub(crate) fn bucket(self, bucket: &'a str) -> Self {
        Self { bucket: Some(bucket), ..self }
    }

    pub(crate) fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Found out here, not said by the server.
    pub(crate) fn error(&self, kind: S3ErrorKind, message: impl Into<String>) -> S3Error {
        self.told(kind, message.into(), None, None)
    }

    /// Of a request that failed.
    pub(crate) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> S3Error
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let SdkError::ServiceError(service) = error else {
            let (kind, message) = unanswered("S3", error);
            let kind = match kind {
                BackendErrorKind::Unavailable => S3ErrorKind::Unavailable,
                BackendErrorKind::Denied => S3ErrorKind::Denied,
                _ => S3ErrorKind::Misconfigured,
            };
            return self.error(kind, message);
        };
        let (answer, status) = (service.err(), service.raw().status().as_u16());
        if answer.code().is_none() && (200..300).contains(&status) {
            let why = answer.source().map(|why| format!(": {why}")).unwrap_or_default();
            return self.error(S3ErrorKind::Other, format!("S3's answer is not understood{why}"));
        }
        let message = presentable(answer.message().unwrap_or_default());
        let id = service.raw().request_id().or_else(|| answer.meta().request_id()).map(str::to_owned);
        self.answered(answer.code().unwrap_or_default(), message, status, id)
    }

    /// Of an answer with this code.
    pub(crate) fn answered(&self, code: &str, message: &str, status: u16, id: Option<String>) -> S3Error {
        // The SDK makes codes up for answers without a body.
        let code = if matches!(code, "NotFound" | "") { "" } else { code };
        let said = if code.is_empty() { format!("HTTP status {status}") } else { code.to_owned() };
        let message =
            if message.is_empty() { said } else { format!("{said}: {}", message.trim_end_matches('.')) };
        let code = (!code.is_empty()).then(|| code.to_owned());
        self.told(S3ErrorKind::of(code.as_deref().unwrap_or_default(), status), message, code, id)
    }

    fn told(&self, kind: S3ErrorKind, message: String, code: Option<String>, id: Option<String>) -> S3Error {
        let inner = Inner {
            kind,
            operation: self.operation,
            message,
            bucket: self.bucket.map(str::to_owned),
            key: self.key.map(str::to_owned),
            endpoint: self.origin.endpoint(),
            code,
            request_id: id,
        };
        S3Error { inner: Box::new(inner) }
    }
}

#[cfg(test)]
mod tests;
