use aws_sdk_s3::types::{Delete, Error, ObjectIdentifier};

use super::{Bulk, Prefix};
use crate::error::{At, S3Error, S3ErrorKind};
use crate::listing::Listing;
use crate::s3::S3Changes;

/// A key, and which version of it.
type Version = (String, Option<String>);

/// Objects of one request: small enough for several at once of a page.
const BATCH: usize = 250;

impl S3Changes {
    /// Deletes all objects below a prefix, and says how many. After a failure or a crash the next call
    /// goes on where it stopped. With versioning they can be brought back.
    ///
    /// # Errors
    /// The first object that could not be deleted. An empty prefix is refused: for everything there is
    /// [`empty_bucket`](Self::empty_bucket).
    pub async fn delete_prefix<'a>(
        &self,
        prefix: impl Into<Prefix<'a>>,
        bulk: &Bulk<'_>,
    ) -> Result<u64, S3Error> {
        let prefix = prefix.into();
        let at = self.at("delete objects").bucket(prefix.bucket);
        if prefix.prefix.is_empty() {
            return Err(
                at.error(S3ErrorKind::Invalid, "the prefix is empty; empty_bucket deletes everything")
            );
        }
        let mut listing = Listing::new(&self.client, at, prefix);
        let mut deleted = 0;
        while let Some(page) = listing.page().await? {
            let objects = page.into_iter().map(|entry| (entry.key, None)).collect();
            self.delete_all(at, objects, &mut deleted, bulk).await?;
        }
        Ok(deleted)
    }

    /// Deletes everything in a bucket: all objects with all their versions, and unfinished uploads. It
    /// cannot be brought back. Says how many versions there were.
    ///
    /// # Errors
    /// The first that could not be deleted.
    pub async fn empty_bucket(&self, bucket: &str, bulk: &Bulk<'_>) -> Result<u64, S3Error> {
        let at = self.at("empty bucket").bucket(bucket);
        let mut deleted = 0;
        let mut before = None;
        // As all of it is gone afterwards, the first page is asked for again.
        loop {
            let request = self.client.list_object_versions().bucket(bucket);
            let page = request.send().await.map_err(|error| at.failed(&error))?;
            let versions = page.versions.unwrap_or_default().into_iter().map(|one| (one.key, one.version_id));
            let markers = page.delete_markers.unwrap_or_default();
            let markers = markers.into_iter().map(|one| (one.key, one.version_id));
            let all: Vec<Version> =
                versions.chain(markers).filter_map(|(key, version)| Some((key?, version))).collect();
            if all.is_empty() {
                break;
            }
            if before.as_ref() == all.first() {
                return Err(at.error(S3ErrorKind::Other, "what was deleted is still listed"));
            }
            before = all.first().cloned();
            self.delete_all(at, all, &mut deleted, bulk).await?;
        }
        self.abort_uploads(at, bucket).await?;
        Ok(deleted)
    }

    /// Whether there is no object below a prefix, for `#[verify]`.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn is_empty<'a>(&self, prefix: impl Into<Prefix<'a>>) -> Result<bool, S3Error> {
        let mut listing = Listing::new(&self.client, self.at("look for objects"), prefix.into());
        Ok(listing.peek().await?.is_none())
    }

    async fn delete_all(
        &self,
        at: At<'_>,
        mut objects: Vec<Version>,
        deleted: &mut u64,
        bulk: &Bulk<'_>,
    ) -> Result<(), S3Error> {
        let seen = *deleted + objects.len() as u64;
        let mut batches = Vec::with_capacity(objects.len().div_ceil(BATCH));
        while !objects.is_empty() {
            batches.push(objects.split_off(objects.len().saturating_sub(BATCH)));
        }
        let batches = batches.into_iter().map(|batch| self.delete_batch(at, batch, bulk));
        let done = bulk.each(batches, |count| {
            *deleted += count;
            bulk.progress(*deleted, seen, "deleted");
        });
        done.await.map_err(|error| error.after(&format!("after {deleted} objects")))
    }

    async fn delete_batch(&self, at: At<'_>, batch: Vec<Version>, bulk: &Bulk<'_>) -> Result<u64, S3Error> {
        bulk.check(at)?;
        let count = batch.len() as u64;
        let objects = batch
            .into_iter()
            .map(|(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version).build());
        let unmade = |error: aws_sdk_s3::error::BuildError| at.error(S3ErrorKind::Other, error.to_string());
        let objects = objects.collect::<Result<Vec<_>, _>>().map_err(unmade)?;
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(unmade)?;
        let request = self.client.delete_objects().set_bucket(at.bucket.map(str::to_owned)).delete(delete);
        let answer = request.send().await.map_err(|error| at.failed(&error))?;
        match answer.errors().first() {
            Some(error) => Err(refused(at, error)),
            None => Ok(count),
        }
    }

    async fn abort_uploads(&self, at: At<'_>, bucket: &str) -> Result<(), S3Error> {
        // As each is gone from the list afterwards, the first page is asked for again.
        loop {
            let request = self.client.list_multipart_uploads().bucket(bucket);
            let page = match request.send().await.map_err(|error| at.failed(&error)) {
                Err(error) if error.kind() == S3ErrorKind::Unsupported => return Ok(()),
                page => page?,
            };
            for upload in page.uploads() {
                let abort = self.client.abort_multipart_upload().bucket(bucket);
                let abort = abort.set_key(upload.key.clone()).set_upload_id(upload.upload_id.clone());
                abort.send().await.map_err(|error| at.failed(&error))?;
            }
            if !page.is_truncated.unwrap_or_default() || page.uploads().is_empty() {
                return Ok(());
            }
        }
    }
}

/// One of several that was not deleted.
fn refused(at: At<'_>, error: &Error) -> S3Error {
    let at = error.key().map_or(at, |key| At { key: Some(key), ..at });
    at.answered(error.code().unwrap_or_default(), error.message().unwrap_or_default(), 0, None)
}
