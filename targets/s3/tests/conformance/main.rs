//! The conformance suite of target systems, on each server, each case in a bucket of its own.

#[path = "../server/mod.rs"]
mod server;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::target::{Mode, Session, TargetSystem};
use flamingock_target_s3::{Bulk, Content, S3Changes, S3Target};
use flamingock_testing::conformance::{
    BoxError, Proxy, TargetCapabilities, TargetFixture, TargetPlace, run, target_suite,
};

use crate::server::{Kind, SECRET, Server, bucket_name, through};

#[derive(Debug)]
struct Fixture(Kind);

#[derive(Debug)]
struct Place {
    server: Server,
    proxy: Proxy,
    bucket: String,
}

#[async_trait]
impl TargetFixture for Fixture {
    fn name(&self) -> String {
        self.0.name().to_owned()
    }

    fn available(&self) -> Result<(), String> {
        self.0.server().map(drop)
    }

    fn capabilities(&self) -> TargetCapabilities {
        TargetCapabilities::new([Mode::Plain]).unplugs().secret(SECRET)
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        let server = self.0.server()?;
        let (proxy, bucket) = (server.proxy().await?, bucket_name());
        let place = Place { server, proxy, bucket };
        place.s3().create_bucket(&place.bucket).await?;
        Ok(Arc::new(place))
    }
}

impl Place {
    /// Around the proxy, for the fixture itself.
    fn s3(&self) -> S3Changes {
        S3Changes::new(&self.server.client())
    }
}

#[async_trait]
impl TargetPlace for Place {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        let client = self.server.client_at(&through(&self.proxy));
        Ok(Arc::new(S3Target::new("files", client).check_timeout(Duration::from_secs(4))))
    }

    async fn put(
        &self,
        target: &dyn TargetSystem,
        _session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        let s3 = target.resources(mode).get::<S3Changes>().ok_or("there is no S3Changes")?;
        s3.create_object(&self.bucket, name, &Content::from("done")).await?;
        Ok(())
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        Ok(self.s3().read_object(&self.bucket, name).await?.is_some())
    }

    async fn unplug(&self) -> Result<(), BoxError> {
        self.proxy.unplug();
        Ok(())
    }

    async fn remove(&self) -> Result<(), BoxError> {
        self.s3().empty_bucket(&self.bucket, &Bulk::new()).await?;
        self.s3().delete_bucket(&self.bucket).await?;
        Ok(())
    }
}

fn main() -> ExitCode {
    run(Kind::ALL.map(|kind| target_suite(Arc::new(Fixture(kind)))))
}
