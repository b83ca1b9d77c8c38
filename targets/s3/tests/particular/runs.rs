//! Changes as users write them, applied by the real runner with an audit on SQLite.

use std::time::{Duration, Instant};

use flamingock::audit::{AuditState, AuditStore as _};
use flamingock::prelude::*;
use flamingock::report::{ChangeOutcome, Report};
use flamingock::s3::{BucketState, Content, Done};
use flamingock::{RunError, RunErrorKind};
use flamingock_testing::conformance::Proxy;
use tempfile::TempDir;

use crate::Place;
use crate::server::{Kind, through};

/// The bucket of a case.
struct Receipts(String);

/// Where the third change fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// After it has done a part.
    Late,
}

struct Hook(Option<Proxy>);

mod changes {
    use super::*;

    pub(super) struct CreateReceipts;

    #[change(id = "create-receipts", order = 1, target_system = "files")]
    impl CreateReceipts {
        #[apply]
        async fn apply(s3: &S3Changes, receipts: &Receipts) -> ChangeResult {
            s3.create_bucket(&receipts.0).await?;
            Ok(())
        }

        #[rollback]
        async fn rollback(s3: &S3Changes, receipts: &Receipts) -> ChangeResult {
            // Somebody else's is not ours to delete.
            if s3.bucket(&receipts.0).await? == BucketState::Ours {
                s3.delete_bucket(&receipts.0).await?;
            }
            Ok(())
        }
    }

    pub(super) struct AddSettings;

    #[change(id = "add-settings", order = 2, target_system = "files")]
    impl AddSettings {
        #[apply]
        async fn apply(s3: &S3Changes, receipts: &Receipts, trouble: &Trouble, hook: &Hook) -> ChangeResult {
            s3.create_object(&receipts.0, "settings.json", &Content::from("{}")).await?;
            if let Some(proxy) = &hook.0 {
                proxy.unplug();
            }
            s3.create_object(&receipts.0, "ready", &Content::from("yes")).await?;
            if *trouble == Trouble::Late {
                return Err("the settings are not what they should be".into());
            }
            Ok(())
        }

        #[rollback]
        async fn rollback(s3: &S3Changes, receipts: &Receipts) -> ChangeResult {
            s3.delete_object(&receipts.0, "ready").await?;
            s3.delete_object(&receipts.0, "settings.json").await?;
            Ok(())
        }

        #[verify]
        async fn verify(s3: &S3Changes, receipts: &Receipts) -> Result<TargetState, BoxError> {
            // Nothing of it does any harm to a second attempt.
            Ok(match s3.has_object(&receipts.0, "ready", &Content::from("yes")).await? {
                TargetState::Applied => TargetState::Applied,
                _ => TargetState::NotApplied,
            })
        }
    }

    flamingock::change_set!(pub(super) CHANGES);
}

struct Application {
    place: Place,
    audit: TempDir,
}

impl Application {
    fn new(kind: Kind) -> Self {
        Self { place: Place::empty(kind), audit: tempfile::tempdir().unwrap() }
    }

    async fn store(&self) -> SqliteAuditStore {
        let file = self.audit.path().join("audit.db");
        SqliteAuditStore::connect(&format!("sqlite://{}", file.display())).await.unwrap()
    }

    async fn start(
        &self,
        target: S3Target,
        trouble: Trouble,
        proxy: Option<Proxy>,
    ) -> Result<Report, RunError> {
        self.built(target, trouble, proxy).await.run().await
    }

    async fn built(&self, target: S3Target, trouble: Trouble, proxy: Option<Proxy>) -> Flamingock {
        Flamingock::builder()
            .service("shop")
            .changes(changes::CHANGES)
            .audit_store(self.store().await)
            .target(target)
            .dependency(Receipts(self.place.bucket.clone()))
            .dependency(trouble)
            .dependency(Hook(proxy))
            .build()
            .unwrap()
    }

    fn target(&self) -> S3Target {
        S3Target::new("files", self.place.client.clone())
    }
}

pub(crate) async fn a_change_is_applied_once_and_undone(kind: Kind) {
    let app = Application::new(kind);
    let report = app.start(app.target(), Trouble::None, None).await.unwrap();
    assert_eq!(report.changes.applied, 2, "{report}");
    let report = app.start(app.target(), Trouble::None, None).await.unwrap();
    assert_eq!((report.changes.applied, report.changes.already_applied), (0, 2), "{report}");
    let Place { s3, bucket, .. } = &app.place;
    assert!(s3.read_object(bucket, "settings.json").await.unwrap().is_some());

    let built = app.built(app.target(), Trouble::None, None).await;
    built.undo(&["add-settings", "create-receipts"]).await.unwrap();
    assert_eq!(s3.bucket(bucket).await.unwrap(), BucketState::Missing);
    let report = app.start(app.target(), Trouble::None, None).await.unwrap();
    assert_eq!(report.changes.applied, 2, "{report}");
    app.place.remove().await;
}

pub(crate) async fn a_failed_change_is_compensated(kind: Kind) {
    let app = Application::new(kind);
    let error = app.start(app.target(), Trouble::Late, None).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed, "{error}");
    let failing = error.report().failing().next().unwrap();
    assert_eq!(
        (failing.id.as_str(), failing.outcome),
        ("add-settings", ChangeOutcome::RolledBack),
        "{error}"
    );
    let Place { s3, bucket, .. } = &app.place;
    assert!(s3.is_empty((bucket.as_str(), "")).await.unwrap(), "the compensation took everything back");
    // The first change stays.
    assert_eq!(s3.create_bucket(bucket).await.unwrap(), Done::Before);

    let report = app.start(app.target(), Trouble::None, None).await.unwrap();
    assert_eq!((report.changes.applied, report.changes.already_applied), (1, 1), "{report}");
    app.place.remove().await;
}

pub(crate) async fn a_server_that_dies_in_a_change_leaves_an_issue_that_verify_settles(kind: Kind) {
    let app = Application::new(kind);
    let proxy = app.place.server.proxy().await.unwrap();
    let client = app.place.server.client_at(&through(&proxy));
    let target =
        S3Target::new("files", client).timeout(Duration::from_secs(4)).check_timeout(Duration::from_secs(4));
    let since = Instant::now();
    let error = app.start(target, Trouble::None, Some(proxy)).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    let text = error.to_string();
    for part in ["add-settings", "create object failed", "key: ready", &app.place.bucket] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let outcome = error.report().failing().next().unwrap().outcome;

    // Half of it stands there, and the audit says that nobody knows: the compensation has failed, or was not
    // tried, where a request had been sent as a whole before the server was gone.
    let Place { s3, bucket, .. } = &app.place;
    assert!(s3.read_object(bucket, "settings.json").await.unwrap().is_some());
    let history = flamingock::History::new("shop");
    let latest = app.store().await.latest(&history).await.unwrap();
    let entry = latest.iter().find(|entry| entry.change == "add-settings").unwrap();
    let refused = (ChangeOutcome::Failed, Some(AuditState::RollbackFailed));
    let sent = (ChangeOutcome::Unknown, Some(AuditState::Started));
    assert!([refused, sent].contains(&(outcome, entry.state)), "{error}");

    let report = app.start(app.target(), Trouble::None, None).await.unwrap();
    assert_eq!((report.changes.applied, report.changes.already_applied), (1, 1), "{report}");
    assert!(s3.read_object(bucket, "ready").await.unwrap().is_some());
    app.place.remove().await;
}

pub(crate) async fn a_bucket_of_somebody_else_stops_the_run_and_is_compensated(kind: Kind) {
    let app = Application::new(kind);
    let place = &app.place;
    place.s3.create_bucket(&place.bucket).await.unwrap();
    let stranger = S3Target::new("files", place.server.client_of(&place.server.other));
    let error = app.start(stranger, Trouble::None, None).await.unwrap_err();
    let failing = error.report().failing().next().unwrap();
    assert_eq!(
        (failing.id.as_str(), failing.outcome),
        ("create-receipts", ChangeOutcome::RolledBack),
        "{error}"
    );
    assert!(error.to_string().contains("BucketAlreadyExists"), "{error}");
    assert_eq!(place.s3.bucket(&place.bucket).await.unwrap(), BucketState::Ours, "it is untouched");
    app.place.remove().await;
}
