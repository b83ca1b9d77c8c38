use flamingock::aws_sdk_s3::error::BuildError;
use flamingock::aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
};
use flamingock::prelude::*;
use flamingock::s3::BucketState;

use crate::settings::Settings;

pub(crate) struct CreateReceipts;

/// Receipts are kept as files; drafts of them for 30 days.
#[change(id = "create-receipts", target_system = "files", author = "inventory")]
impl CreateReceipts {
    #[apply]
    async fn apply(s3: &S3Changes, settings: &Settings) -> ChangeResult {
        s3.create_bucket(&settings.bucket).await?;
        s3.add(&settings.bucket, &drafts_expire()?).await?;
        Ok(())
    }

    #[rollback]
    async fn rollback(s3: &S3Changes, settings: &Settings) -> ChangeResult {
        if s3.bucket(&settings.bucket).await? == BucketState::Ours {
            s3.delete_bucket(&settings.bucket).await?;
        }
        Ok(())
    }

    // A crash half-way leaves a bucket without the rule, at most: the next start asks here.
    #[verify]
    async fn verify(s3: &S3Changes, settings: &Settings) -> Result<TargetState, BoxError> {
        if s3.bucket(&settings.bucket).await? != BucketState::Ours {
            return Ok(TargetState::NotApplied);
        }
        Ok(match s3.has(&settings.bucket, &drafts_expire()?).await? {
            TargetState::Applied => TargetState::Applied,
            _ => TargetState::PartiallyApplied,
        })
    }
}

fn drafts_expire() -> Result<BucketLifecycleConfiguration, BuildError> {
    let rule = LifecycleRule::builder()
        .id("drafts")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("drafts/").build())
        .expiration(LifecycleExpiration::builder().days(30).build());
    BucketLifecycleConfiguration::builder().rules(rule.build()?).build()
}
