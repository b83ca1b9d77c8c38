use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{BucketLifecycleConfiguration, LifecycleRule, TransitionDefaultMinimumObjectSize};

use super::access::Access;
use crate::error::{At, S3Error};

type Found = (Vec<LifecycleRule>, Option<TransitionDefaultMinimumObjectSize>);

async fn get(client: &Client, at: At<'_>) -> Result<Option<Found>, S3Error> {
    let request = client.get_bucket_lifecycle_configuration().set_bucket(at.bucket.map(str::to_owned));
    match request.send().await {
        Ok(found) => Ok(found.rules.map(|rules| (rules, found.transition_default_minimum_object_size))),
        Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(None),
        Err(error) => Err(at.failed(&error)),
    }
}

impl Access for BucketLifecycleConfiguration {
    const READ: &'static str = "read lifecycle";
    const WRITE: &'static str = "set lifecycle";
    const ERASE: &'static str = "remove lifecycle";
    type Part = LifecycleRule;

    fn parts(&self) -> Vec<LifecycleRule> {
        self.rules.clone()
    }

    fn with_parts(&self, rules: Vec<LifecycleRule>) -> Self {
        let mut with = self.clone();
        with.rules = rules;
        with
    }

    fn name(rule: &LifecycleRule) -> Option<String> {
        rule.id.clone()
    }

    fn content(rule: &LifecycleRule) -> LifecycleRule {
        let mut rule = rule.clone();
        rule.id = None;
        // "All objects" can be said in three ways.
        if let Some(filter) = &mut rule.filter {
            filter.prefix.take_if(|prefix| prefix.is_empty());
        }
        rule.filter.take_if(|filter| {
            let nothing = filter.prefix.is_none() && filter.tag.is_none() && filter.and.is_none();
            nothing && filter.object_size_greater_than.is_none() && filter.object_size_less_than.is_none()
        });
        if let Some(expiration) = &mut rule.expiration {
            expiration.expired_object_delete_marker.take_if(|marker| !*marker);
        }
        rule.transitions.take_if(|transitions| transitions.is_empty());
        rule.noncurrent_version_transitions.take_if(|transitions| transitions.is_empty());
        rule
    }

    async fn read(client: &Client, at: At<'_>) -> Result<Option<Self>, S3Error> {
        let Some((rules, _)) = get(client, at).await? else { return Ok(None) };
        let read = Self::builder().set_rules(Some(rules)).build();
        read.map(Some).map_err(|error| at.error(crate::S3ErrorKind::Other, error.to_string()))
    }

    async fn write(&self, client: &Client, at: At<'_>) -> Result<(), S3Error> {
        // It stands beside the rules, and would go back to its default.
        let minimum = get(client, at).await?.and_then(|(_, minimum)| minimum);
        let request = client.put_bucket_lifecycle_configuration().set_bucket(at.bucket.map(str::to_owned));
        let request = request.set_transition_default_minimum_object_size(minimum);
        request.lifecycle_configuration(self.clone()).send().await.map_err(|error| at.failed(&error))?;
        Ok(())
    }

    async fn erase(client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.delete_bucket_lifecycle().set_bucket(at.bucket.map(str::to_owned));
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }
}
