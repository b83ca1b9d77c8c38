use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use super::access::Access;
use crate::error::{At, S3Error};

impl Access for VersioningConfiguration {
    const READ: &'static str = "read versioning";
    const WRITE: &'static str = "set versioning";
    const ERASE: &'static str = "suspend versioning";
    /// All of it: what is wanted beside the status is written with it.
    type Part = Self;

    fn parts(&self) -> Vec<Self> {
        self.status.iter().map(|_| self.clone()).collect()
    }

    fn with_parts(&self, parts: Vec<Self>) -> Self {
        parts.into_iter().next_back().unwrap_or_else(|| Self::builder().build())
    }

    /// There is one, and it has no name.
    fn name(_part: &Self) -> Option<String> {
        Some(String::new())
    }

    fn content(part: &Self) -> Self {
        Self::builder().set_status(part.status.clone()).build()
    }

    async fn read(client: &Client, at: At<'_>) -> Result<Option<Self>, S3Error> {
        let request = client.get_bucket_versioning().set_bucket(at.bucket.map(str::to_owned));
        let found = request.send().await.map_err(|error| at.failed(&error))?;
        Ok(found.status.map(|status| Self::builder().status(status).build()))
    }

    async fn write(&self, client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.put_bucket_versioning().set_bucket(at.bucket.map(str::to_owned));
        let request = request.versioning_configuration(self.clone());
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }

    async fn erase(client: &Client, at: At<'_>) -> Result<(), S3Error> {
        Self::builder().status(BucketVersioningStatus::Suspended).build().write(client, at).await
    }
}
