use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use flamingock_aws::{is_denied, presentable, unanswered};
use flamingock_core::{BackendError, BackendErrorKind};

use crate::operation::Operation;

/// A request that failed, and what that means to who sent it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) error: BackendError,
}

/// What a failure says about the request's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It had none, because this of its conditions does not hold: the place in the transaction, or 0.
    ConditionFailed(usize),
    /// It had none, and may be sent again: throttled, or in conflict with another transaction.
    NotTaken,
    /// The table is not there.
    NoTable,
    /// Anything else: see the error's kind.
    Other,
}

impl From<Failure> for BackendError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Of any request but a transaction.
pub(crate) fn failure<E>(operation: Operation<'_>, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let SdkError::ServiceError(service) = error else {
        let (kind, message) = unanswered("DynamoDB", error);
        return Failure { verdict: Verdict::Other, error: operation.fail(kind, message) };
    };
    let (error, status) = (service.err(), service.raw().status().as_u16());
    let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
    let (kind, verdict) = meaning(code, message, status);
    Failure { verdict, error: operation.fail(kind, shown(code, message, status)) }
}

/// Of a transaction, which may be cancelled for each of its items.
pub(crate) fn transaction_failure(
    operation: Operation<'_>,
    error: &SdkError<TransactWriteItemsError, HttpResponse>,
) -> Failure {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let (kind, verdict, message) = cancellation(cancelled.cancellation_reasons());
            Failure { verdict, error: operation.fail(kind, message) }
        }
        _ => failure(operation, error),
    }
}

/// The mapping of codes. Also those of emulators and of the signature check in front of DynamoDB.
fn meaning(code: &str, message: &str, status: u16) -> (BackendErrorKind, Verdict) {
    use BackendErrorKind::{Denied, InvalidData, LeaseLost, Other, Schema, StorageFull, Unavailable};
    match code {
        "ConditionalCheckFailedException" => (LeaseLost, Verdict::ConditionFailed(0)),
        "TransactionConflictException"
        | "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "ThrottlingError" => (Unavailable, Verdict::NotTaken),
        "TransactionInProgressException"
        | "ReplicatedWriteConflictException"
        | "LimitExceededException"
        | "ResourceInUseException"
        | "InternalServerError"
        | "ServiceUnavailable" => (Unavailable, Verdict::Other),
        "ResourceNotFoundException" | "TableNotFoundException" => (Schema, Verdict::NoTable),
        "ItemCollectionSizeLimitExceededException" => (StorageFull, Verdict::Other),
        code if is_denied(code) => (Denied, Verdict::Other),
        "ValidationException" if names_the_keys(message) => (Schema, Verdict::Other),
        "ValidationException" | "RequestEntityTooLarge" | "SerializationException" => {
            (InvalidData, Verdict::Other)
        }
        _ => match status {
            401 | 403 => (Denied, Verdict::Other),
            413 => (InvalidData, Verdict::Other),
            429 => (Unavailable, Verdict::NotTaken),
            500.. => (Unavailable, Verdict::Other),
            _ => (Other, Verdict::Other),
        },
    }
}

/// Whether a request was refused because the table has other keys.
fn names_the_keys(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "key element does not match the schema",
        "missing the key",
        "query condition missed key schema",
        "number of conditions on the keys",
        "type mismatch for key",
        "condition parameter type does not match schema type",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// Why a transaction was cancelled: a condition decides, whatever else was in the way.
fn cancellation(reasons: &[CancellationReason]) -> (BackendErrorKind, Verdict, String) {
    use BackendErrorKind::{InvalidData, LeaseLost, Other, StorageFull, Unavailable};
    let with = |code: &str| reasons.iter().position(|reason| reason.code() == Some(code));
    let message = |index: usize| reasons[index].message().unwrap_or_default();
    if let Some(index) = with("ConditionalCheckFailed") {
        let message = "a condition of the transaction does not hold any more".to_owned();
        return (LeaseLost, Verdict::ConditionFailed(index), message);
    }
    if let Some(index) = with("ValidationError") {
        return (InvalidData, Verdict::Other, format!("an item is refused: {}", message(index)));
    }
    if with("ItemCollectionSizeLimitExceeded").is_some() {
        return (StorageFull, Verdict::Other, "the history's partition is full".to_owned());
    }
    for code in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
        if with(code).is_some() {
            return (Unavailable, Verdict::NotTaken, format!("the transaction was cancelled: {code}"));
        }
    }
    let codes: Vec<_> = reasons.iter().filter_map(CancellationReason::code).collect();
    (Other, Verdict::Other, format!("the transaction was cancelled: {}", codes.join(", ")))
}

fn shown(code: &str, message: &str, status: u16) -> String {
    let message = presentable(message);
    let remedy = match code {
        "ResourceNotFoundException" => " (the table is missing: initialize creates it where it may)",
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => " (sign in again)",
        _ => "",
    };
    let code = if code.is_empty() { format!("HTTP status {status}") } else { code.to_owned() };
    if message.is_empty() { format!("{code}{remedy}") } else { format!("{code}: {message}{remedy}") }
}

#[cfg(test)]
mod tests;
