use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use flamingock_core::BackendErrorKind;

/// What it means that a service gave no answer, or none that is understood.
pub fn unanswered<E>(service: &str, error: &SdkError<E, HttpResponse>) -> (BackendErrorKind, String)
where
    E: Error + 'static,
{
    use BackendErrorKind::{Misconfigured, Unavailable};
    let causes = causes(error);
    let (kind, what) = match error {
        _ if let Some(kind) = without_credentials(error) => (
            kind,
            "there are no AWS credentials, or they could not be loaded; sign in, or set them in the environment"
                .to_owned(),
        ),
        SdkError::TimeoutError(_) => (Unavailable, format!("{service} did not answer in time")),
        SdkError::DispatchFailure(_) => (Unavailable, format!("{service} is not reached")),
        SdkError::ResponseError(_) => (Unavailable, format!("{service}'s answer is not understood")),
        _ => (Misconfigured, "the request could not be made".to_owned()),
    };
    (kind, if causes.is_empty() { what } else { format!("{what}: {causes}") })
}

/// Whether this code of an answer means that credentials or permissions are refused.
pub fn is_denied(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "AllAccessDisabled"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "InvalidToken"
            | "KMSAccessDeniedException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "OptInRequired"
            | "RequestExpired"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"
    )
}

/// A service's message as it may be shown: a refused signature is answered with the signed request,
/// session token and all.
pub fn presentable(message: &str) -> &str {
    let message = message.split("Canonical").next().unwrap_or_default();
    message.lines().next().unwrap_or_default().trim()
}

/// What it means that there are no credentials to ask with, if that is it. Of several errors the
/// innermost knows.
fn without_credentials(error: &(dyn Error + 'static)) -> Option<BackendErrorKind> {
    use BackendErrorKind::{Denied, Unavailable};
    error.source().and_then(without_credentials).or_else(|| match error.downcast_ref() {
        Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) => {
            Some(Denied)
        }
        Some(CredentialsError::ProviderTimedOut(_)) => Some(Unavailable),
        // Who was asked for them refused, or failed for now.
        Some(_) => Some(if for_now(error) { Unavailable } else { Denied }),
        // A client without a provider says so in words only.
        None => error.to_string().contains("no identity resolver").then_some(Denied),
    })
}

/// Whether who was asked for credentials was not reached, too slow, or failed itself. Where the SDK keeps the
/// types of its errors to itself, its words tell.
fn for_now(error: &(dyn Error + 'static)) -> bool {
    let text = error.to_string();
    let code = text.strip_prefix("unhandled error (").unwrap_or(&text);
    let code = code.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let status = ["from HTTP credential provider: StatusCode(", "error response from IMDS (code: "]
        .iter()
        .find_map(|before| Some(text.split_once(before)?.1));
    error.downcast_ref::<ConnectorError>().is_some_and(|error| !error.is_user())
        || text == "request has timed out"
        || status.is_some_and(|status| status.starts_with('5') || status.starts_with("429"))
        || is_for_now(code)
        || error.source().is_some_and(for_now)
}

/// Whether this code of an answer means that the same request may succeed later.
fn is_for_now(code: &str) -> bool {
    matches!(
        code,
        "IDPCommunicationError"
            | "IdpCommunicationErrorException"
            | "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "InternalServerException"
            | "RequestLimitExceeded"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "SlowDown"
            | "SlowDownException"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException"
    )
}

/// The causes below, each told once. Requests, which carry a session token, are not among them.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
        cause = error.source();
    }
    told.join(": ")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use aws_sdk_sts::error::ErrorMetadata;
    use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
    use aws_sdk_sts::types::error::{ExpiredTokenException, IdpCommunicationErrorException};

    use super::*;
    use BackendErrorKind::{Denied, Unavailable};

    fn kind(error: CredentialsError) -> BackendErrorKind {
        let error = SdkError::<Infallible, HttpResponse>::construction_failure(error);
        let (kind, message) = unanswered("S3", &error);
        assert!(message.contains("sign in"), "{message}");
        kind
    }

    #[test]
    fn credentials_that_are_not_there_or_refused_are_denied() {
        let late = || CredentialsError::provider_timed_out(Duration::from_secs(5));
        let missing = || CredentialsError::not_loaded("not signed in");
        for (error, expected) in [
            (missing(), Denied),
            (CredentialsError::invalid_configuration("a role of its own role"), Denied),
            (CredentialsError::provider_error(missing()), Denied),
            (CredentialsError::provider_error("the token file is not there"), Denied),
            (CredentialsError::unhandled("no JSON"), Denied),
            (late(), Unavailable),
            (CredentialsError::provider_error(late()), Unavailable),
            (CredentialsError::not_loaded(late()), Unavailable),
        ] {
            let said = format!("{error:?}");
            assert_eq!(kind(error), expected, "{said}");
        }
        for (status, expected) in [(404, Denied), (403, Denied), (429, Unavailable), (503, Unavailable)] {
            let over_http = format!("Non-success status from HTTP credential provider: StatusCode({status})");
            let metadata = format!("error response from IMDS (code: {status}). Response {{ .. }}");
            for text in [over_http, metadata] {
                assert_eq!(kind(CredentialsError::provider_error(text)), expected, "{status}");
            }
        }
    }

    #[test]
    fn credentials_that_another_service_gives_out_are_denied_as_it_answers() {
        type Failed = SdkError<AssumeRoleWithWebIdentityError, HttpResponse>;
        let answered = |error| Failed::service_error(error, response());
        let code = |code: &str| {
            let error = ErrorMetadata::builder().code(code).message("as it is").build();
            answered(AssumeRoleWithWebIdentityError::generic(error))
        };
        let expired = ExpiredTokenException::builder().build();
        let provider = IdpCommunicationErrorException::builder().build();
        for (error, expected) in [
            (code("AccessDenied"), Denied),
            (code("InvalidClientTokenId"), Denied),
            (answered(AssumeRoleWithWebIdentityError::ExpiredTokenException(expired)), Denied),
            (answered(AssumeRoleWithWebIdentityError::IdpCommunicationErrorException(provider)), Unavailable),
            (code("Throttling"), Unavailable),
            (code("ServiceUnavailable"), Unavailable),
            (Failed::timeout_error("5 s"), Unavailable),
            (Failed::dispatch_failure(ConnectorError::io("no route".into())), Unavailable),
            (Failed::dispatch_failure(ConnectorError::user("no URL".into())), Denied),
        ] {
            let said = format!("{error:?}");
            assert_eq!(kind(CredentialsError::provider_error(error)), expected, "{said}");
        }
    }

    fn response() -> HttpResponse {
        HttpResponse::new(400.try_into().expect("a status"), "".into())
    }
}
