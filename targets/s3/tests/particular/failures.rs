use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use flamingock_core::target::{Mode, TargetSystem as _};
use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_target_s3::{Content, S3Changes, S3ErrorKind, S3Target};
use tokio::net::TcpListener;

use crate::Place;
use crate::server::{Kind, SECRET, User, through};

/// What one second may become on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

fn assert_shows(error: &BackendError, parts: &[&str]) {
    let shown = format!("{error} {error:#?}");
    parts.iter().for_each(|part| assert!(shown.contains(part), "{part} is missing: {error}"));
    assert!(!shown.contains(SECRET) && !shown.contains("Signature="), "{error:#?}");
}

fn target(place: &Place, endpoint: &str) -> S3Target {
    S3Target::new("files", place.server.client_at(endpoint)).check_timeout(Duration::from_secs(2))
}

pub(crate) async fn a_server_that_refuses_connections_is_one_clear_error(kind: Kind) {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = format!("http://{free}");
    let since = Instant::now();
    let error = target(&Place::empty(kind), &endpoint).check().await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
    assert_shows(&error, &["check failed", "not reached", &endpoint]);
    assert!(since.elapsed() < Duration::from_secs(2) + SLACK, "{:?}", since.elapsed());
}

pub(crate) async fn a_server_that_never_answers_is_one_clear_error_in_time(kind: Kind) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let target = target(&Place::empty(kind), &endpoint);
    for result in [target.check().await, target.open(Mode::Plain).await.map(drop)] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
        assert_shows(&error, &["did not answer in time", &endpoint]);
    }
    let since = Instant::now();
    target.check().await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(2) + SLACK, "{:?}", since.elapsed());
}

pub(crate) async fn a_server_that_dies_in_a_request_is_one_clear_error_in_time(kind: Kind) {
    let place = Place::fresh(kind).await;
    let proxy = place.server.proxy().await.unwrap();
    let target = target(&place, &through(&proxy)).timeout(Duration::from_secs(3));
    let s3 = target.resources(Mode::Plain).get::<S3Changes>().unwrap();
    s3.create_object(&place.bucket, "a", &Content::from("1")).await.unwrap();

    // It reads, and says nothing any more.
    proxy.swallow_answers(true);
    let since = Instant::now();
    let error = s3.create_object(&place.bucket, "b", &Content::from("1")).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Unavailable, "{error}");
    assert!(since.elapsed() < Duration::from_secs(3) + SLACK, "{:?}", since.elapsed());
    // moto hangs up, and the proxy with it.
    let how = if kind == Kind::Moto { "connection closed" } else { "in time" };
    for part in ["create object failed", &place.bucket, "key: b", &through(&proxy), how] {
        assert!(error.to_string().contains(part), "{part} is missing: {error}");
    }
    // The client of the changes has the same limits.
    let client = target.resources(Mode::Plain).get::<Client>().unwrap();
    let since = Instant::now();
    client.head_object().bucket(&place.bucket).key("a").send().await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(3) + SLACK, "{:?}", since.elapsed());

    proxy.unplug();
    let error = s3.create_object(&place.bucket, "b", &Content::from("1")).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Unavailable, "{error}");
    place.remove().await;
}

pub(crate) async fn missing_credentials_are_one_clear_error(kind: Kind) {
    let place = Place::empty(kind);
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("eu-west-1"))
        .endpoint_url(&place.server.endpoint)
        .force_path_style(true);
    let error = S3Target::new("files", Client::from_conf(config.build())).check().await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
    assert_shows(&error, &["credentials"]);
}

pub(crate) async fn wrong_credentials_are_one_clear_error(kind: Kind) {
    let place = Place::empty(kind);
    let real = &place.server.user;
    for (user, code) in [
        (User { name: real.name.clone(), password: format!("not-{SECRET}") }, "SignatureDoesNotMatch"),
        (User { name: "nobody".to_owned(), password: SECRET.to_owned() }, "InvalidAccessKeyId"),
    ] {
        let client = place.server.client_of(&user);
        let error = S3Target::new("files", client.clone()).check().await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
        assert_shows(&error, &[code, "check the credentials", &place.server.endpoint, "request id: "]);
        let error = S3Changes::new(&client).create_bucket("orders").await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (S3ErrorKind::Denied, Some(code)), "{error}");
    }
}

/// What moto lacks: it checks no signature.
pub(crate) async fn moto_takes_any_credentials(kind: Kind) {
    let place = Place::empty(kind);
    let user = User { name: "nobody".to_owned(), password: "wrong".to_owned() };
    S3Target::new("files", place.server.client_of(&user)).check().await.unwrap();
}
