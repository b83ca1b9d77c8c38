use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use crate::error::{S3Error, S3ErrorKind};
use crate::s3::{Done, S3Changes};

/// The region whose buckets have no location.
const CLASSIC: &str = "us-east-1";

/// Whose a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketState {
    /// There is none of this name.
    Missing,
    /// It belongs to whom the credentials belong to.
    Ours,
    /// It belongs to somebody else.
    Theirs,
}

impl S3Changes {
    /// Creates a bucket in the client's region. One that is ours already is left as it is. In us-east-1
    /// and without a region it is asked for first, as [`bucket`](Self::bucket) does.
    ///
    /// # Errors
    /// [`Taken`](S3ErrorKind::Taken) when it is somebody else's.
    pub async fn create_bucket(&self, bucket: &str) -> Result<Done, S3Error> {
        let region = self.origin.region.as_deref().filter(|region| *region != CLASSIC);
        // Of one that is there, S3 says here that it was created, and resets who may use it.
        if region.is_none() && self.bucket(bucket).await? == BucketState::Ours {
            return Ok(Done::Before);
        }
        let request = self.client.create_bucket().bucket(bucket);
        let request = request.set_create_bucket_configuration(region.map(|region| {
            let location = BucketLocationConstraint::from(region);
            CreateBucketConfiguration::builder().location_constraint(location).build()
        }));
        match request.send().await {
            Ok(_) => Ok(Done::Now),
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(Done::Before),
            Err(error) => Err(self.at("create bucket").bucket(bucket).failed(&error)),
        }
    }

    /// Deletes an empty bucket. Nothing happens where there is none.
    ///
    /// # Errors
    /// [`NotEmpty`](S3ErrorKind::NotEmpty) when it holds objects: they are never deleted with it.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<Done, S3Error> {
        match self.client.delete_bucket().bucket(bucket).send().await {
            Ok(_) => Ok(Done::Now),
            Err(error) if error.code() == Some("NoSuchBucket") => Ok(Done::Before),
            Err(error) => Err(self.at("delete bucket").bucket(bucket).failed(&error)),
        }
    }

    /// Whose a bucket is, for `#[verify]`. It needs the permission to list one's buckets.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn bucket(&self, bucket: &str) -> Result<BucketState, S3Error> {
        let at = self.at("look for bucket").bucket(bucket);
        let refused = match self.client.head_bucket().bucket(bucket).send().await {
            Ok(_) => None,
            Err(error) => match at.failed(&error) {
                error if error.kind() == S3ErrorKind::NotFound => return Ok(BucketState::Missing),
                // Somebody else's, in another region, or the credentials are refused: the list tells.
                error if matches!(error.kind(), S3ErrorKind::Denied | S3ErrorKind::Misconfigured) => {
                    Some(error)
                }
                error => return Err(error),
            },
        };
        let mut pages = self.client.list_buckets().prefix(bucket).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused.clone().unwrap_or_else(|| at.failed(&error)))?;
            if page.buckets().iter().any(|listed| listed.name() == Some(bucket)) {
                return Ok(BucketState::Ours);
            }
        }
        Ok(BucketState::Theirs)
    }
}
