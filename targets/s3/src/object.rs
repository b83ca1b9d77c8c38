use std::fmt;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use flamingock_core::change::TargetState;

use crate::error::{At, S3Error, S3ErrorKind};
use crate::s3::{Done, S3Changes};

/// What an object is to hold.
///
/// ```
/// use flamingock_target_s3::Content;
///
/// let settings = Content::from("{}").content_type("application/json");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    bytes: Vec<u8>,
    content_type: Option<String>,
}

impl Content {
    /// What it is, such as `application/json`; the server decides unless told. An object of another type
    /// is another content.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }
}

impl<B: Into<Vec<u8>>> From<B> for Content {
    fn from(bytes: B) -> Self {
        Self { bytes: bytes.into(), content_type: None }
    }
}

impl fmt::Debug for Content {
    /// Without the bytes: they may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.bytes.len())
    }
}

/// What an object holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// Names this state of the object: for [`S3Changes::replace_object`].
    pub etag: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Stored {
    /// Without the bytes: they may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({}, {} bytes)", self.etag, self.bytes.len())
    }
}

impl S3Changes {
    /// Creates an object, on condition that there is none (`If-None-Match`). Of several that try at
    /// once, one does.
    ///
    /// # Errors
    /// [`Conflict`](S3ErrorKind::Conflict) when there is one with another content.
    pub async fn create_object(&self, bucket: &str, key: &str, content: &Content) -> Result<Done, S3Error> {
        let at = self.at("create object").bucket(bucket).key(key);
        let request = self.put(bucket, key, content).if_none_match("*");
        self.put_if(at, request, content, "there is an object with another content").await
    }

    /// Replaces an object, on condition that it is still the one with this ETag (`If-Match`).
    ///
    /// # Errors
    /// [`Conflict`](S3ErrorKind::Conflict) when it is another one by now, or gone.
    pub async fn replace_object(
        &self,
        bucket: &str,
        key: &str,
        etag: &str,
        content: &Content,
    ) -> Result<Done, S3Error> {
        let at = self.at("replace object").bucket(bucket).key(key);
        let request = self.put(bucket, key, content).if_match(etag);
        self.put_if(at, request, content, "the object is not the one that was read").await
    }

    /// Writes an object, whatever stands there; nothing is written when it is the same.
    ///
    /// # Errors
    /// When it may not be written.
    pub async fn put_object(&self, bucket: &str, key: &str, content: &Content) -> Result<Done, S3Error> {
        let at = self.at("put object").bucket(bucket).key(key);
        if self.holds(at, content).await? {
            return Ok(Done::Before);
        }
        self.put(bucket, key, content).send().await.map_err(|error| at.failed(&error))?;
        Ok(Done::Now)
    }

    /// Deletes an object. Nothing happens where there is none. With versioning it can be brought back.
    ///
    /// # Errors
    /// When it may not be deleted.
    pub async fn delete_object(&self, bucket: &str, key: &str) -> Result<Done, S3Error> {
        let at = self.at("delete object").bucket(bucket).key(key);
        if self.head(at).await?.is_none() {
            return Ok(Done::Before);
        }
        let request = self.client.delete_object().bucket(bucket).key(key);
        request.send().await.map_err(|error| at.failed(&error))?;
        Ok(Done::Now)
    }

    /// Reads an object into memory, if there is one.
    ///
    /// # Errors
    /// When it may not be read.
    pub async fn read_object(&self, bucket: &str, key: &str) -> Result<Option<Stored>, S3Error> {
        self.read(self.at("read object").bucket(bucket).key(key)).await
    }

    /// Whether an object has this content, for `#[verify]`. An object is written as a whole or not.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn has_object(
        &self,
        bucket: &str,
        key: &str,
        content: &Content,
    ) -> Result<TargetState, S3Error> {
        let at = self.at("look for object").bucket(bucket).key(key);
        Ok(if self.holds(at, content).await? { TargetState::Applied } else { TargetState::NotApplied })
    }

    fn put(&self, bucket: &str, key: &str, content: &Content) -> PutObjectFluentBuilder {
        let request = self.client.put_object().bucket(bucket).key(key);
        let request = request.body(ByteStream::from(content.bytes.clone()));
        request.set_content_type(content.content_type.clone())
    }

    /// Sends a conditional request. Where the condition does not hold, it may be because of an earlier
    /// attempt of ours whose answer was lost: the content tells.
    async fn put_if(
        &self,
        at: At<'_>,
        request: PutObjectFluentBuilder,
        content: &Content,
        conflict: &str,
    ) -> Result<Done, S3Error> {
        let error = match request.send().await {
            Ok(_) => return Ok(Done::Now),
            Err(error) => error,
        };
        let failed = at.failed(&error);
        let unmatched = failed.kind() == S3ErrorKind::Conflict || error.code() == Some("NoSuchKey");
        if !unmatched {
            return Err(failed);
        }
        if self.holds(at, content).await? {
            Ok(Done::Before)
        } else {
            Err(at.error(S3ErrorKind::Conflict, conflict))
        }
    }

    async fn holds(&self, at: At<'_>, content: &Content) -> Result<bool, S3Error> {
        let Some(head) = self.head(at).await? else { return Ok(false) };
        // Of another size or type it is not read.
        let is_sized = head.content_length == i64::try_from(content.bytes.len()).ok();
        let is_typed = content.content_type.is_none() || content.content_type == head.content_type;
        if !is_sized || !is_typed {
            return Ok(false);
        }
        Ok(self.read(at).await?.is_some_and(|stored| stored.bytes == content.bytes))
    }

    async fn head(&self, at: At<'_>) -> Result<Option<HeadObjectOutput>, S3Error> {
        let request = self.client.head_object().set_bucket(at.bucket.map(str::to_owned));
        match request.set_key(at.key.map(str::to_owned)).send().await {
            Ok(head) => Ok(Some(head)),
            Err(error) => self.unless_missing(at, at.failed(&error)).await,
        }
    }

    async fn read(&self, at: At<'_>) -> Result<Option<Stored>, S3Error> {
        let request = self.client.get_object().set_bucket(at.bucket.map(str::to_owned));
        let stored = match request.set_key(at.key.map(str::to_owned)).send().await {
            Ok(stored) => stored,
            Err(error) => return self.unless_missing(at, at.failed(&error)).await,
        };
        let interrupted = |why: String| {
            at.error(S3ErrorKind::Unavailable, format!("the object could not be read to its end: {why}"))
        };
        // The timeouts of the SDK end with the headers.
        let patience = self.patience();
        let bytes = tokio::time::timeout(patience, stored.body.collect()).await;
        let bytes = bytes.map_err(|_| interrupted(format!("not within {patience:?}")))?;
        let bytes = bytes.map_err(|error| interrupted(error.to_string()))?;
        Ok(Some(Stored { etag: stored.e_tag.unwrap_or_default(), bytes: bytes.to_vec() }))
    }

    /// No object is an answer; no bucket is a failure, and a HEAD cannot tell them apart.
    async fn unless_missing<T>(&self, at: At<'_>, failed: S3Error) -> Result<Option<T>, S3Error> {
        if failed.kind() != S3ErrorKind::NotFound || failed.code() == Some("NoSuchBucket") {
            return Err(failed);
        }
        if failed.code() == Some("NoSuchKey") {
            return Ok(None);
        }
        match self.client.head_bucket().set_bucket(at.bucket.map(str::to_owned)).send().await {
            Ok(_) => Ok(None),
            Err(error) => match at.failed(&error) {
                error if error.kind() == S3ErrorKind::NotFound => {
                    Err(at.error(S3ErrorKind::NotFound, "there is no such bucket"))
                }
                // Who may look at objects may not always look at their bucket.
                error if error.kind() == S3ErrorKind::Denied => Ok(None),
                error => Err(error),
            },
        }
    }
}
