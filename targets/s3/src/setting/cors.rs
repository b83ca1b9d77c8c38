use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{CorsConfiguration, CorsRule};

use super::access::Access;
use crate::error::{At, S3Error, S3ErrorKind};

impl Access for CorsConfiguration {
    const READ: &'static str = "read CORS rules";
    const WRITE: &'static str = "set CORS rules";
    const ERASE: &'static str = "remove CORS rules";
    type Part = CorsRule;

    fn parts(&self) -> Vec<CorsRule> {
        self.cors_rules.clone()
    }

    fn with_parts(&self, cors_rules: Vec<CorsRule>) -> Self {
        let mut with = self.clone();
        with.cors_rules = cors_rules;
        with
    }

    fn name(rule: &CorsRule) -> Option<String> {
        rule.id.clone()
    }

    fn content(rule: &CorsRule) -> CorsRule {
        let mut rule = rule.clone();
        rule.id = None;
        rule.allowed_headers.take_if(|headers| headers.is_empty());
        rule.expose_headers.take_if(|headers| headers.is_empty());
        for list in [
            Some(&mut rule.allowed_methods),
            Some(&mut rule.allowed_origins),
            rule.allowed_headers.as_mut(),
            rule.expose_headers.as_mut(),
        ] {
            list.into_iter().for_each(|list| list.sort_unstable());
        }
        rule
    }

    async fn read(client: &Client, at: At<'_>) -> Result<Option<Self>, S3Error> {
        let request = client.get_bucket_cors().set_bucket(at.bucket.map(str::to_owned));
        match request.send().await {
            Ok(found) => {
                let read = Self::builder().set_cors_rules(found.cors_rules).build();
                read.map(Some).map_err(|error| at.error(S3ErrorKind::Other, error.to_string()))
            }
            Err(error) if error.code() == Some("NoSuchCORSConfiguration") => Ok(None),
            Err(error) => Err(at.failed(&error)),
        }
    }

    async fn write(&self, client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.put_bucket_cors().set_bucket(at.bucket.map(str::to_owned));
        request.cors_configuration(self.clone()).send().await.map(drop).map_err(|error| at.failed(&error))
    }

    async fn erase(client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.delete_bucket_cors().set_bucket(at.bucket.map(str::to_owned));
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }
}
