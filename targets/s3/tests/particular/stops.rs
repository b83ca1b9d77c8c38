//! A change that is stopped while a request is under way.

use std::io;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError as SdkBoxError;
use flamingock::audit::{AuditState, AuditStore as _};
use flamingock::prelude::*;
use flamingock::report::{ChangeOutcome, Report};
use flamingock::s3::Content;
use flamingock::{History, RunError};
use flamingock_core::BackendErrorKind;
use flamingock_core::target::{Mode, TargetSystem as _};
use flamingock_target_s3::{Bulk, S3ErrorKind};
use flamingock_testing::conformance::{Proxy, Traffic};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Place;
use crate::server::{Kind, Server, through};

/// How long the server takes for the object of the change; it is stopped before.
const SLOW: Duration = Duration::from_secs(3);

struct Bucket(String);

/// Whether answers are swallowed from here on.
struct Swallowing(Option<Proxy>);

mod changes {
    use super::*;

    pub(super) struct CreateLate;

    #[change(id = "create-late", order = 1, target_system = "files", timeout = "1s")]
    impl CreateLate {
        #[apply]
        async fn apply(s3: &S3Changes, bucket: &Bucket, swallowing: &Swallowing) -> ChangeResult {
            if let Some(proxy) = &swallowing.0 {
                proxy.swallow_answers(true);
            }
            s3.create_object(&bucket.0, "late", &Content::from("yes")).await?;
            Ok(())
        }

        #[rollback]
        async fn rollback(s3: &S3Changes, bucket: &Bucket) -> ChangeResult {
            s3.delete_object(&bucket.0, "late").await?;
            Ok(())
        }

        #[verify]
        async fn verify(s3: &S3Changes, bucket: &Bucket) -> Result<TargetState, BoxError> {
            Ok(s3.has_object(&bucket.0, "late", &Content::from("yes")).await?)
        }
    }

    flamingock::change_set!(pub(super) CHANGES);
}

async fn store(audit: &TempDir) -> SqliteAuditStore {
    let file = audit.path().join("audit.db");
    SqliteAuditStore::connect(&format!("sqlite://{}", file.display())).await.unwrap()
}

async fn start(
    place: &Place,
    audit: &TempDir,
    endpoint: &str,
    swallowing: Option<Proxy>,
) -> Result<Report, RunError> {
    Flamingock::builder()
        .service("shop")
        .changes(changes::CHANGES)
        .audit_store(store(audit).await)
        .target(S3Target::new("files", place.server.client_at(endpoint)))
        .dependency(Bucket(place.bucket.clone()))
        .dependency(Swallowing(swallowing))
        .operation_timeout(SLOW * 2)
        .build()
        .unwrap()
        .run()
        .await
}

async fn state(audit: &TempDir) -> Option<AuditState> {
    let latest = store(audit).await.latest(&History::new("shop")).await.unwrap();
    latest.iter().find(|entry| entry.change == "create-late").unwrap().state
}

/// A server that does what it was sent also for who has hung up.
async fn slowly(client: TcpStream, server: TcpStream, _: Traffic) -> io::Result<()> {
    let ((mut questions, mut to_client), (mut answers, mut to_server)) =
        (client.into_split(), server.into_split());
    let answering = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = questions.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        let said = String::from_utf8_lossy(&buffer[..length]);
        if said.starts_with("PUT ") && said.contains("/late") {
            tokio::time::sleep(SLOW).await;
        }
        to_server.write_all(&buffer[..length]).await?;
    }
    tokio::time::sleep(SLOW).await;
    answering.abort();
    Ok(())
}

pub(crate) async fn what_a_stopped_change_has_sent_is_waited_for_and_compensated(kind: Kind) {
    let (place, audit) = (Place::fresh(kind).await, tempfile::tempdir().unwrap());
    let proxy = Proxy::carried(place.server.address(), slowly).await.unwrap();
    let error = start(&place, &audit, &through(&proxy), None).await.unwrap_err();
    assert_eq!(error.report().failing().next().unwrap().outcome, ChangeOutcome::RolledBack, "{error}");
    assert_eq!(state(&audit).await, Some(AuditState::RolledBack));
    // Nothing of it comes later.
    tokio::time::sleep(SLOW).await;
    assert!(place.s3.read_object(&place.bucket, "late").await.unwrap().is_none());
    place.remove().await;
}

pub(crate) async fn what_a_stopped_change_has_sent_and_nobody_answers_is_not_compensated(kind: Kind) {
    let (place, audit) = (Place::fresh(kind).await, tempfile::tempdir().unwrap());
    let proxy = place.server.proxy().await.unwrap();
    let endpoint = through(&proxy);
    let error = start(&place, &audit, &endpoint, Some(proxy)).await.unwrap_err();
    assert!(error.to_string().contains("what still runs could not be ended"), "{error}");
    assert_eq!(state(&audit).await, Some(AuditState::Started), "{error}");
    // It has taken effect, and the next start finds out.
    assert!(place.s3.read_object(&place.bucket, "late").await.unwrap().is_some());
    let report = start(&place, &audit, &place.server.endpoint, None).await.unwrap();
    assert_eq!(report.changes.applied, 1, "{report}");
    assert!(report.to_string().contains("evidence: verify"), "{report}");
    place.remove().await;
}

fn target(place: &Place, proxy: &Proxy) -> (S3Target, S3Changes) {
    let target = S3Target::new("files", place.server.client_at(&through(proxy)));
    // Two attempts, each of which ends before the slow server has read.
    let target = target.timeout(SLOW / 2).check_timeout(Duration::from_secs(1));
    let s3 = target.resources(Mode::Plain).get::<S3Changes>().unwrap().clone();
    (target, s3)
}

pub(crate) async fn what_a_failed_change_has_sent_is_waited_for(kind: Kind) {
    let place = Place::fresh(kind).await;
    let proxy = Proxy::carried(place.server.address(), slowly).await.unwrap();
    let (target, s3) = target(&place, &proxy);
    let session = target.open(Mode::Plain).await.unwrap();
    // One of two at once fails, and with it the change.
    let late = Content::from("yes");
    let both = tokio::try_join!(s3.create_object(&place.bucket, "late", &late), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        s3.create_object(&format!("{}-absent", place.bucket), "x", &Content::from("no")).await
    });
    assert_eq!(both.unwrap_err().kind(), S3ErrorKind::NotFound);
    // It was sent, and nobody else may conclude anything yet.
    for result in [target.check().await, target.open(Mode::Plain).await.map(drop)] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("is not answered yet"), "{error}");
    }
    session.rollback().await.unwrap();
    assert!(place.s3.read_object(&place.bucket, "late").await.unwrap().is_some());
    target.check().await.unwrap();
    place.remove().await;
}

pub(crate) async fn an_upload_that_was_given_up_half_way_does_not_go_on(kind: Kind) {
    let place = Place::fresh(kind).await;
    let proxy = Proxy::carried(place.server.address(), slowly).await.unwrap();
    let (target, s3) = target(&place, &proxy);
    let session = target.open(Mode::Plain).await.unwrap();
    // More than connections hold that nobody reads.
    let large = Content::from(vec![b'x'; 64 * 1024 * 1024]);
    let error = s3.put_object(&place.bucket, "late", &large).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Unavailable, "{error}");
    let since = Instant::now();
    session.rollback().await.unwrap();
    assert!(since.elapsed() < SLOW * 3, "{:?}", since.elapsed());
    tokio::time::sleep(SLOW * 2).await;
    assert!(place.s3.read_object(&place.bucket, "late").await.unwrap().is_none());
    place.remove().await;
}

pub(crate) async fn what_broke_after_it_was_sent_may_still_take_effect(kind: Kind) {
    let place = Place::fresh(kind).await;
    let proxy = place.server.proxy().await.unwrap();
    let (target, s3) = target(&place, &proxy);
    let session = target.open(Mode::Plain).await.unwrap();
    proxy.swallow_answers(true);
    let late = Content::from("yes");
    let (created, ()) = tokio::join!(s3.create_object(&place.bucket, "late", &late), async {
        proxy.has_swallowed().await;
        proxy.unplug();
    });
    assert_eq!(created.unwrap_err().kind(), S3ErrorKind::Unavailable);
    let error = session.rollback().await.unwrap_err();
    assert!(error.to_string().contains("may still take effect"), "{error}");
    // What is refused a connection has no effect.
    let refused = s3.create_object(&place.bucket, "late", &Content::from("no")).await.unwrap_err();
    assert_eq!(refused.kind(), S3ErrorKind::Unavailable);
    assert!(place.s3.read_object(&place.bucket, "late").await.unwrap().is_some());
    place.remove().await;
}

/// What has this in its name is refused.
#[derive(Debug)]
struct Refuse(&'static str);

impl Intercept for Refuse {
    fn name(&self) -> &'static str {
        "refuse"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), SdkBoxError> {
        if context.request().uri().contains(self.0) { Err("refused".into()) } else { Ok(()) }
    }
}

pub(crate) async fn a_copy_that_fails_ends_with_all_that_is_under_way(kind: Kind) {
    let place = Place::fresh(kind).await;
    for name in ["broken", "late", "next"] {
        place.s3.create_object(&place.bucket, &format!("from/{name}"), &Content::from("yes")).await.unwrap();
    }
    let proxy = Proxy::carried(place.server.address(), slowly).await.unwrap();
    let config = Server::config(&through(&proxy), &place.server.user).interceptor(Refuse("to/broken"));
    let s3 = S3Changes::new(&Client::from_conf(config.build()));
    let (from, to) = ((place.bucket.as_str(), "from/"), (place.bucket.as_str(), "to/"));
    s3.copy_prefix(from, to, &Bulk::new().concurrency(2)).await.unwrap_err();
    assert!(place.s3.read_object(&place.bucket, "to/late").await.unwrap().is_some());
    assert!(place.s3.read_object(&place.bucket, "to/next").await.unwrap().is_none());
    place.remove().await;
}
