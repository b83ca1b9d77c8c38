use aws_sdk_s3::error::{ConnectorError, ErrorMetadata};
use aws_sdk_s3::operation::put_object::PutObjectError;

use super::*;

fn origin() -> Origin {
    Origin::new(Some("http://127.0.0.1:9000".to_owned()), None)
}

fn answered(code: &str, message: &str, status: u16) -> S3Error {
    let response = HttpResponse::new(status.try_into().unwrap(), "".into());
    let metadata = ErrorMetadata::builder().code(code).message(message).build();
    let error = SdkError::service_error(PutObjectError::generic(metadata), response);
    let origin = origin();
    let at = At { operation: "put object", origin: &origin, bucket: Some("receipts"), key: Some("a/b") };
    at.failed(&error)
}

#[test]
fn each_code_has_its_kind() {
    for (code, status, kind) in [
        ("NoSuchBucket", 404, S3ErrorKind::NotFound),
        ("", 404, S3ErrorKind::NotFound),
        ("BucketAlreadyExists", 409, S3ErrorKind::Taken),
        ("BucketNotEmpty", 409, S3ErrorKind::NotEmpty),
        ("PreconditionFailed", 412, S3ErrorKind::Conflict),
        ("ConditionalRequestConflict", 409, S3ErrorKind::Unavailable),
        ("OperationAborted", 409, S3ErrorKind::Unavailable),
        ("SlowDown", 503, S3ErrorKind::Unavailable),
        ("", 502, S3ErrorKind::Unavailable),
        ("AccessDenied", 403, S3ErrorKind::Denied),
        ("InvalidAccessKeyId", 403, S3ErrorKind::Denied),
        ("SignatureDoesNotMatch", 403, S3ErrorKind::Denied),
        ("ExpiredToken", 400, S3ErrorKind::Denied),
        ("", 403, S3ErrorKind::Denied),
        ("PermanentRedirect", 301, S3ErrorKind::Misconfigured),
        ("AuthorizationHeaderMalformed", 400, S3ErrorKind::Misconfigured),
        ("NotImplemented", 501, S3ErrorKind::Unsupported),
        ("MalformedXML", 400, S3ErrorKind::Invalid),
        ("InvalidBucketName", 400, S3ErrorKind::Invalid),
        ("SomethingNew", 409, S3ErrorKind::Other),
    ] {
        let error = answered(code, "", status);
        assert_eq!(error.kind(), kind, "{code} {status}: {error}");
        assert_eq!(error.is_temporary(), kind == S3ErrorKind::Unavailable);
    }
}

#[test]
fn an_error_names_operation_bucket_key_endpoint_and_code_and_what_to_do() {
    let error = answered("AccessDenied", "Access Denied.", 403);
    assert_eq!(
        error.to_string(),
        "put object failed: AccessDenied: Access Denied; check the credentials and their permissions \
         (bucket: receipts, key: a/b, endpoint: http://127.0.0.1:9000)"
    );
    assert_eq!((error.code(), error.operation()), (Some("AccessDenied"), "put object"));
}

#[test]
fn a_refused_signature_does_not_show_the_signed_request() {
    let message = "does not match\n\nThe Canonical String should have been\n'x-amz-security-token:hunter2'";
    let error = answered("SignatureDoesNotMatch", message, 403);
    assert!(error.to_string().contains("does not match"), "{error}");
    assert!(!format!("{error} {error:#?}").contains("hunter2"), "{error}");
}

#[test]
fn a_lost_connection_is_temporary_and_says_what_is_known() {
    let error =
        SdkError::<PutObjectError, _>::dispatch_failure(ConnectorError::io("connection reset".into()));
    let origin = origin();
    let at = At { operation: "put object", origin: &origin, bucket: None, key: None };
    let error = at.failed(&error);
    assert!(error.is_temporary());
    assert!(error.to_string().contains("S3 is not reached"), "{error}");
    assert!(error.to_string().contains("connection reset"), "{error}");
    let error = BackendError::from(error);
    assert_eq!(error.kind(), BackendErrorKind::Unavailable);
    assert!(error.to_string().contains("endpoint: http://127.0.0.1:9000"), "{error}");
}
