use std::collections::VecDeque;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::Object;

use crate::bulk::Prefix;
use crate::error::{At, S3Error};

/// The objects below a prefix, page by page. Nothing grows with their number.
pub(crate) struct Listing<'a> {
    client: &'a Client,
    at: At<'a>,
    prefix: Prefix<'a>,
    page: VecDeque<Entry>,
    next: Next,
}

enum Next {
    First,
    After(String),
    End,
}

/// Whether one object is the copy of another, as far as listings tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    Same,
    /// The same size, and another ETag, which is what copies of large uploads in parts get, and those
    /// with keys of one's own.
    Unsure,
    Other,
}

/// An object of a listing.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) size: i64,
    pub(crate) etag: String,
}

impl Entry {
    fn of(object: Object) -> Option<Self> {
        let etag = object.e_tag.unwrap_or_default().trim_matches('"').to_owned();
        Some(Self { key: object.key?, size: object.size.unwrap_or_default(), etag })
    }

    /// The key without the prefix below which it was found.
    pub(crate) fn name(&self, prefix: Prefix<'_>) -> &str {
        self.key.strip_prefix(prefix.prefix).unwrap_or(&self.key)
    }

    /// Whether a copy of it would be this.
    pub(crate) fn likeness(&self, copy: &Self) -> Likeness {
        if self.size != copy.size {
            Likeness::Other
        } else if self.etag.is_empty() || self.etag != copy.etag {
            Likeness::Unsure
        } else {
            Likeness::Same
        }
    }
}

impl<'a> Listing<'a> {
    pub(crate) fn new(client: &'a Client, at: At<'a>, prefix: Prefix<'a>) -> Self {
        Self { client, at: at.bucket(prefix.bucket), prefix, page: VecDeque::new(), next: Next::First }
    }

    /// The next page, unless there is none.
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<Entry>>, S3Error> {
        while self.page.is_empty() && self.fetch().await? {}
        let page: Vec<_> = std::mem::take(&mut self.page).into();
        Ok((!page.is_empty()).then_some(page))
    }

    /// The next object, without taking it.
    pub(crate) async fn peek(&mut self) -> Result<Option<&Entry>, S3Error> {
        while self.page.is_empty() && self.fetch().await? {}
        Ok(self.page.front())
    }

    pub(crate) fn skip(&mut self) {
        self.page.pop_front();
    }

    /// `false`: there is no more.
    async fn fetch(&mut self) -> Result<bool, S3Error> {
        let token = match &self.next {
            Next::First => None,
            Next::After(token) => Some(token.clone()),
            Next::End => return Ok(false),
        };
        let request = self.client.list_objects_v2().bucket(self.prefix.bucket).prefix(self.prefix.prefix);
        let request = request.set_continuation_token(token);
        let answer = request.send().await.map_err(|error| self.at.failed(&error))?;
        self.page.extend(answer.contents.unwrap_or_default().into_iter().filter_map(Entry::of));
        self.next = answer.next_continuation_token.map_or(Next::End, Next::After);
        Ok(true)
    }
}
