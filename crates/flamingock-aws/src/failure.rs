use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
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
        // Who was asked for them failed, or was slow.
        Some(_) => Some(Unavailable),
        // A client without a provider says so in words only.
        None => error.to_string().contains("no identity resolver").then_some(Denied),
    })
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

    use super::*;
    use BackendErrorKind::{Denied, Unavailable};

    #[test]
    fn only_credentials_that_are_not_there_are_denied() {
        let late = || CredentialsError::provider_timed_out(Duration::from_secs(5));
        let missing = || CredentialsError::not_loaded("not signed in");
        for (error, expected) in [
            (missing(), Denied),
            (CredentialsError::invalid_configuration("a role of its own role"), Denied),
            (CredentialsError::provider_error(missing()), Denied),
            (late(), Unavailable),
            (CredentialsError::provider_error("503 Service Unavailable"), Unavailable),
            (CredentialsError::provider_error(late()), Unavailable),
            (CredentialsError::not_loaded(late()), Unavailable),
            (CredentialsError::unhandled("the connection broke"), Unavailable),
        ] {
            let said = format!("{error:?}");
            let error = SdkError::<Infallible, HttpResponse>::construction_failure(error);
            let (kind, message) = unanswered("S3", &error);
            assert_eq!(kind, expected, "{said}");
            assert!(message.contains("sign in"), "{message}");
        }
    }
}
