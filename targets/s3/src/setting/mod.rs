//! What is set on a bucket: each setting consists of parts, such as rules, that have a name.

mod access;
mod cors;
mod encryption;
mod lifecycle;
mod policy;
mod tags;
mod versioning;

use flamingock_core::change::TargetState;

use self::access::Access;
pub use self::policy::BucketPolicy;
use crate::error::{S3Error, S3ErrorKind};
use crate::s3::{Done, S3Changes};

/// A setting of a bucket, as the SDK has it: [`VersioningConfiguration`], [`BucketLifecycleConfiguration`],
/// [`CorsConfiguration`], [`ServerSideEncryptionConfiguration`], [`Tagging`], and [`BucketPolicy`].
///
/// Its parts are lifecycle and CORS rules by their id, statements of a policy by their `Sid`, tags by
/// their key; versioning and encryption have a single one. A part without a name is known by its content.
///
/// [`VersioningConfiguration`]: aws_sdk_s3::types::VersioningConfiguration
/// [`BucketLifecycleConfiguration`]: aws_sdk_s3::types::BucketLifecycleConfiguration
/// [`CorsConfiguration`]: aws_sdk_s3::types::CorsConfiguration
/// [`ServerSideEncryptionConfiguration`]: aws_sdk_s3::types::ServerSideEncryptionConfiguration
/// [`Tagging`]: aws_sdk_s3::types::Tagging
#[expect(private_bounds, reason = "implemented here only")]
pub trait Setting: Access {}

impl<S: Access> Setting for S {}

impl S3Changes {
    /// What is set, if anything is.
    ///
    /// # Errors
    /// When the bucket is not there or may not be read, or the server has no such setting.
    pub async fn setting<S: Setting>(&self, bucket: &str) -> Result<Option<S>, S3Error> {
        S::read(&self.client, self.at(S::READ).bucket(bucket)).await
    }

    /// Adds these parts, and replaces those of the same names; what else is set stays, the `Version` of
    /// a policy, too. S3 replaces a setting as a whole: it is read, merged and written.
    ///
    /// # Errors
    /// As [`setting`](Self::setting), or when it may not be written;
    /// [`Invalid`](S3ErrorKind::Invalid) when the parts are of a policy of another `Version`.
    pub async fn add<S: Setting>(&self, bucket: &str, setting: &S) -> Result<Done, S3Error> {
        let Some(stands) = self.setting::<S>(bucket).await? else {
            return self.write(bucket, setting).await;
        };
        if let Some(why) = setting.conflict(&stands) {
            return Err(self.at(S::WRITE).bucket(bucket).error(S3ErrorKind::Invalid, why));
        }
        if access::state(setting, &stands) == TargetState::Applied {
            return Ok(Done::Before);
        }
        self.write(bucket, &stands.with_parts(access::merged(setting, &stands))).await
    }

    /// Replaces everything that is set by this.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn set<S: Setting>(&self, bucket: &str, setting: &S) -> Result<Done, S3Error> {
        let stands = self.setting::<S>(bucket).await?;
        if stands.is_some_and(|stands| access::same(setting, &stands)) {
            return Ok(Done::Before);
        }
        self.write(bucket, setting).await
    }

    /// Removes the parts of these names, whatever they say; what else is set stays.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn remove<S: Setting>(&self, bucket: &str, setting: &S) -> Result<Done, S3Error> {
        let Some(stands) = self.setting::<S>(bucket).await? else { return Ok(Done::Before) };
        let (before, left) = (stands.parts().len(), access::without(setting, &stands));
        if left.len() == before {
            return Ok(Done::Before);
        }
        if left.is_empty() {
            return self.clear::<S>(bucket).await;
        }
        self.write(bucket, &stands.with_parts(left)).await
    }

    /// Removes everything that is set. Versioning cannot be removed once it was on: it is suspended.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn clear<S: Setting>(&self, bucket: &str) -> Result<Done, S3Error> {
        if self.setting::<S>(bucket).await?.is_none() {
            return Ok(Done::Before);
        }
        S::erase(&self.client, self.at(S::ERASE).bucket(bucket)).await?;
        Ok(Done::Now)
    }

    /// Whether these parts are set, for `#[verify]`; other parts do not matter.
    ///
    /// # Errors
    /// As [`setting`](Self::setting).
    pub async fn has<S: Setting>(&self, bucket: &str, setting: &S) -> Result<TargetState, S3Error> {
        let stands = self.setting::<S>(bucket).await?;
        Ok(stands.map_or(TargetState::NotApplied, |stands| access::state(setting, &stands)))
    }

    async fn write<S: Setting>(&self, bucket: &str, setting: &S) -> Result<Done, S3Error> {
        setting.write(&self.client, self.at(S::WRITE).bucket(bucket)).await?;
        Ok(Done::Now)
    }
}
