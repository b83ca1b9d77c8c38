use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{Tag, Tagging};

use super::access::Access;
use crate::error::{At, S3Error, S3ErrorKind};

impl Access for Tagging {
    const READ: &'static str = "read tags";
    const WRITE: &'static str = "set tags";
    const ERASE: &'static str = "remove tags";
    type Part = Tag;

    fn parts(&self) -> Vec<Tag> {
        self.tag_set.clone()
    }

    fn with_parts(&self, tag_set: Vec<Tag>) -> Self {
        let mut with = self.clone();
        with.tag_set = tag_set;
        with
    }

    fn name(tag: &Tag) -> Option<String> {
        Some(tag.key.clone())
    }

    fn content(tag: &Tag) -> Tag {
        tag.clone()
    }

    async fn read(client: &Client, at: At<'_>) -> Result<Option<Self>, S3Error> {
        let request = client.get_bucket_tagging().set_bucket(at.bucket.map(str::to_owned));
        match request.send().await {
            Ok(found) => {
                let read = Self::builder().set_tag_set(Some(found.tag_set)).build();
                read.map(Some).map_err(|error| at.error(S3ErrorKind::Other, error.to_string()))
            }
            Err(error) if error.code() == Some("NoSuchTagSet") => Ok(None),
            Err(error) => Err(at.failed(&error)),
        }
    }

    async fn write(&self, client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.put_bucket_tagging().set_bucket(at.bucket.map(str::to_owned));
        request.tagging(self.clone()).send().await.map(drop).map_err(|error| at.failed(&error))
    }

    async fn erase(client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.delete_bucket_tagging().set_bucket(at.bucket.map(str::to_owned));
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }
}
