use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{ServerSideEncryptionConfiguration, ServerSideEncryptionRule};

use super::access::Access;
use crate::error::{At, S3Error};

impl Access for ServerSideEncryptionConfiguration {
    const READ: &'static str = "read encryption";
    const WRITE: &'static str = "set encryption";
    const ERASE: &'static str = "remove encryption";
    type Part = ServerSideEncryptionRule;

    fn parts(&self) -> Vec<ServerSideEncryptionRule> {
        self.rules.clone()
    }

    fn with_parts(&self, rules: Vec<ServerSideEncryptionRule>) -> Self {
        let mut with = self.clone();
        with.rules = rules;
        with
    }

    /// There is one, and it has no name.
    fn name(_rule: &ServerSideEncryptionRule) -> Option<String> {
        Some(String::new())
    }

    fn content(rule: &ServerSideEncryptionRule) -> ServerSideEncryptionRule {
        let mut rule = rule.clone();
        rule.bucket_key_enabled.take_if(|enabled| !*enabled);
        rule
    }

    async fn read(client: &Client, at: At<'_>) -> Result<Option<Self>, S3Error> {
        let request = client.get_bucket_encryption().set_bucket(at.bucket.map(str::to_owned));
        match request.send().await {
            Ok(found) => Ok(found.server_side_encryption_configuration),
            Err(error) if error.code() == Some("ServerSideEncryptionConfigurationNotFoundError") => Ok(None),
            Err(error) => Err(at.failed(&error)),
        }
    }

    async fn write(&self, client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.put_bucket_encryption().set_bucket(at.bucket.map(str::to_owned));
        let request = request.server_side_encryption_configuration(self.clone());
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }

    async fn erase(client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.delete_bucket_encryption().set_bucket(at.bucket.map(str::to_owned));
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }
}
