use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ConnectorError, ErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use flamingock_core::BackendErrorKind::{
    self, Denied, InvalidData, LeaseLost, Misconfigured, Other, Schema, StorageFull, Unavailable,
};

use super::*;

const OPERATION: Operation<'static> = Operation { name: "append", address: "dynamodb://?table=audit" };

fn response(status: u16) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), "".into())
}

fn answered(code: &str, message: &str, status: u16) -> Failure {
    let metadata = ErrorMetadata::builder().code(code).message(message).build();
    failure(OPERATION, &SdkError::service_error(GetItemError::generic(metadata), response(status)))
}

#[test]
fn each_code_has_its_kind_and_its_verdict() {
    let no_effect = Verdict::NotTaken;
    let table: [(&str, &str, u16, BackendErrorKind, Verdict); 23] = [
        ("ConditionalCheckFailedException", "", 400, LeaseLost, Verdict::ConditionFailed(0)),
        ("TransactionConflictException", "", 400, Unavailable, no_effect),
        ("ProvisionedThroughputExceededException", "", 400, Unavailable, no_effect),
        ("ThrottlingException", "Rate of requests exceeded", 400, Unavailable, no_effect),
        ("RequestLimitExceeded", "", 400, Unavailable, no_effect),
        ("TransactionInProgressException", "", 400, Unavailable, Verdict::Other),
        ("InternalServerError", "", 500, Unavailable, Verdict::Other),
        ("ServiceUnavailable", "", 503, Unavailable, Verdict::Other),
        ("LimitExceededException", "too many tables at once", 400, Unavailable, Verdict::Other),
        ("ResourceNotFoundException", "", 400, Schema, Verdict::NoTable),
        ("ItemCollectionSizeLimitExceededException", "", 400, StorageFull, Verdict::Other),
        ("AccessDeniedException", "not authorized", 400, Denied, Verdict::Other),
        ("ExpiredTokenException", "The security token is expired", 400, Denied, Verdict::Other),
        ("UnrecognizedClientException", "", 400, Denied, Verdict::Other),
        ("InvalidSignatureException", "", 400, Denied, Verdict::Other),
        ("MissingAuthenticationTokenException", "", 400, Denied, Verdict::Other),
        (
            "ValidationException",
            "The provided key element does not match the schema",
            400,
            Schema,
            Verdict::Other,
        ),
        ("ValidationException", "Item size has exceeded the maximum", 400, InvalidData, Verdict::Other),
        ("RequestEntityTooLarge", "", 413, InvalidData, Verdict::Other),
        ("", "", 502, Unavailable, Verdict::Other),
        ("", "", 403, Denied, Verdict::Other),
        ("", "", 429, Unavailable, no_effect),
        ("SomethingNew", "", 400, Other, Verdict::Other),
    ];
    for (code, message, status, kind, verdict) in table {
        let failure = answered(code, message, status);
        assert_eq!((failure.error.kind(), failure.verdict), (kind, verdict), "{code} {status} {message}");
    }
}

fn cancelled(codes: &[&str]) -> Failure {
    let reasons = codes.iter().map(|code| CancellationReason::builder().code(*code).message("why").build());
    let error = TransactionCanceledException::builder()
        .set_cancellation_reasons(Some(reasons.collect()))
        .meta(ErrorMetadata::builder().code("TransactionCanceledException").build())
        .build();
    let error = TransactWriteItemsError::TransactionCanceledException(error);
    transaction_failure(OPERATION, &SdkError::service_error(error, response(400)))
}

#[test]
fn a_cancelled_transaction_lost_the_lease_only_where_a_condition_says_so() {
    for (codes, kind, verdict) in [
        (&["ConditionalCheckFailed", "None"][..], LeaseLost, Verdict::ConditionFailed(0)),
        (&["None", "ConditionalCheckFailed"], LeaseLost, Verdict::ConditionFailed(1)),
        // Both: the condition was judged, and the conflict does not matter any more.
        (&["TransactionConflict", "ConditionalCheckFailed"], LeaseLost, Verdict::ConditionFailed(1)),
        (&["None", "TransactionConflict"], Unavailable, Verdict::NotTaken),
        (&["ThrottlingError", "None"], Unavailable, Verdict::NotTaken),
        (&["ProvisionedThroughputExceeded"], Unavailable, Verdict::NotTaken),
        (&["None", "ValidationError"], InvalidData, Verdict::Other),
        (&["ItemCollectionSizeLimitExceeded"], StorageFull, Verdict::Other),
        (&["SomethingNew"], Other, Verdict::Other),
        (&[], Other, Verdict::Other),
    ] {
        let failure = cancelled(codes);
        assert_eq!((failure.error.kind(), failure.verdict), (kind, verdict), "{codes:?}");
    }
}

#[test]
fn no_answer_is_temporary_and_no_credentials_are_not() {
    type Refused = SdkError<GetItemError, HttpResponse>;
    let kind = |error: Refused| failure(OPERATION, &error).error.kind();
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(kind(Refused::dispatch_failure(ConnectorError::io(refused.into()))), Unavailable);
    assert_eq!(kind(Refused::timeout_error("too slow")), Unavailable);
    assert_eq!(kind(Refused::response_error("half an answer", response(200))), Unavailable);
    assert_eq!(kind(Refused::construction_failure("no endpoint")), Misconfigured);
    let none = || CredentialsError::not_loaded("no profile");
    assert_eq!(kind(Refused::construction_failure(none())), Denied);
    assert_eq!(kind(Refused::dispatch_failure(ConnectorError::other(none().into(), None))), Denied);
}

#[test]
fn a_refused_signature_does_not_show_the_session_token() {
    let message = "The request signature we calculated does not match the signature you provided.\n\n\
                   The Canonical String for this request should have been\n'POST\n/\n\n\
                   x-amz-security-token:hunter2'";
    let error = answered("InvalidSignatureException", message, 400).error;
    assert!(error.to_string().contains("does not match"), "{error}");
    assert!(!format!("{error:#?}").contains("hunter2"), "{error:#?}");
    let one_line = answered("InvalidSignatureException", "The Canonical String: hunter2", 400).error;
    assert!(!one_line.to_string().contains("hunter2"), "{one_line}");
}

#[test]
fn an_error_names_operation_and_table() {
    let error = answered("AccessDeniedException", "User: arn is not authorized", 400).error;
    let expected = "append failed: AccessDeniedException: User: arn is not authorized \
                    (store: dynamodb://?table=audit)";
    assert_eq!(error.to_string(), expected);
}
