//! A change that is stopped while a request is under way.

use std::io;
use std::time::Duration;

use flamingock::audit::{AuditState, AuditStore as _};
use flamingock::prelude::*;
use flamingock::report::{ChangeOutcome, Report};
use flamingock::s3::Content;
use flamingock::{History, RunError};
use flamingock_testing::conformance::{Proxy, Traffic};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Place;
use crate::server::{Kind, through};

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
