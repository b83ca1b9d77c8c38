use flamingock_core::change::TargetState;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Bulk, Prefix};
use crate::error::{At, S3Error, S3ErrorKind};
use crate::listing::{Entry, Likeness, Listing};
use crate::s3::S3Changes;

/// What CopyObject takes.
const LARGEST: i64 = 5 * 1024 * 1024 * 1024;

/// What stands in a path as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What [`S3Changes::copy_prefix`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Objects that were copied now.
    pub copied: u64,
    /// Objects that were there before.
    pub there: u64,
}

impl S3Changes {
    /// Copies all objects below `from` to below `to`, inside the server. What is there already, with the
    /// same size and ETag, is left: after a failure or a crash the next call goes on where it stopped.
    ///
    /// # Errors
    /// The first object that could not be copied; what was copied until then stays. Objects of more
    /// than 5 GiB are refused, and before anything is copied, copies that would stand below `from`.
    pub async fn copy_prefix<'a>(
        &self,
        from: impl Into<Prefix<'a>>,
        to: impl Into<Prefix<'a>>,
        bulk: &Bulk<'_>,
    ) -> Result<Copied, S3Error> {
        let (from, to) = (from.into(), to.into());
        let at = self.at("copy objects").bucket(to.bucket);
        self.refuse_overlap(at, from, to).await?;
        let mut both = Both::new(self, at, from, to);
        let mut copied = Copied::default();
        let after = |copied: Copied| format!("after {} objects", copied.copied + copied.there);
        while let Some(page) = both.page().await.map_err(|error| error.after(&after(copied)))? {
            let (there, missing): (Vec<_>, Vec<_>) =
                page.into_iter().partition(|(_, likeness)| *likeness == Likeness::Same);
            copied.there += there.len() as u64;
            let seen = copied.copied + copied.there + missing.len() as u64;
            let copies = missing.into_iter().map(|(entry, _)| self.copy(entry, from, to, bulk));
            let done = bulk.each(copies, |()| {
                copied.copied += 1;
                bulk.progress(copied.copied + copied.there, seen, "copied");
            });
            done.await.map_err(|error| error.after(&after(copied)))?;
        }
        Ok(copied)
    }

    /// Whether all objects below `from` have a copy below `to`, for `#[verify]`. Nothing to copy counts
    /// as applied. What has the size of a copy and another ETag may be one or not: it counts as partially
    /// applied.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn has_copied<'a>(
        &self,
        from: impl Into<Prefix<'a>>,
        to: impl Into<Prefix<'a>>,
    ) -> Result<TargetState, S3Error> {
        let mut both = Both::new(self, self.at("look for copies"), from.into(), to.into());
        let (mut all, mut none) = (true, true);
        while let Some(page) = both.page().await? {
            all &= page.iter().all(|(_, likeness)| *likeness == Likeness::Same);
            none &= page.iter().all(|(_, likeness)| *likeness == Likeness::Other);
        }
        Ok(match (all, none) {
            (true, _) => TargetState::Applied,
            (false, true) => TargetState::NotApplied,
            (false, false) => TargetState::PartiallyApplied,
        })
    }

    /// A copy that stands below `from` would be copied itself, or replace what is still to be copied.
    async fn refuse_overlap(&self, at: At<'_>, from: Prefix<'_>, to: Prefix<'_>) -> Result<(), S3Error> {
        if from.bucket != to.bucket {
            return Ok(());
        }
        if to.prefix.starts_with(from.prefix) {
            let message = format!("{} is below {}: copies would be copied", to.prefix, from.prefix);
            return Err(at.error(S3ErrorKind::Invalid, message));
        }
        let Some(rest) = from.prefix.strip_prefix(to.prefix) else { return Ok(()) };
        // Of `a/b/` to `a/`, only what is below `a/b/b/` would come below `a/b/` again.
        let again = format!("{}{rest}", from.prefix);
        let mut listing = Listing::new(&self.client, at, Prefix { prefix: &again, ..from });
        let Some(entry) = listing.peek().await? else { return Ok(()) };
        let message = format!(
            "its copy would stand below {}, among what is copied; copy to another prefix first",
            from.prefix
        );
        Err(at.key(&entry.key).error(S3ErrorKind::Invalid, message))
    }

    async fn copy(
        &self,
        entry: Entry,
        from: Prefix<'_>,
        to: Prefix<'_>,
        bulk: &Bulk<'_>,
    ) -> Result<(), S3Error> {
        let at = self.at("copy objects").bucket(to.bucket).key(&entry.key);
        bulk.check(at)?;
        if entry.size > LARGEST {
            return Err(
                at.error(S3ErrorKind::Invalid, "it has more than 5 GiB, which S3 does not copy at once")
            );
        }
        let source = format!("{}/{}", from.bucket, entry.key);
        let request = self.client.copy_object().copy_source(utf8_percent_encode(&source, PATH).to_string());
        let request = request.bucket(to.bucket).key(format!("{}{}", to.prefix, entry.name(from)));
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }
}

/// Two listings side by side: what is below the one, and how far the other has it, too.
struct Both<'a> {
    from: Listing<'a>,
    to: Listing<'a>,
    prefixes: (Prefix<'a>, Prefix<'a>),
}

impl<'a> Both<'a> {
    fn new(s3: &'a S3Changes, at: At<'a>, from: Prefix<'a>, to: Prefix<'a>) -> Self {
        let listing = |prefix| Listing::new(&s3.client, at, prefix);
        Self { from: listing(from), to: listing(to), prefixes: (from, to) }
    }

    /// A page, each object with what stands in the place of its copy. What may be none is made again:
    /// that is slow, but never wrong.
    ///
    /// Listings come in the order of their keys. Where a server orders otherwise, a copy that is there
    /// may be missed, and made again; one that is missing is never taken for there.
    async fn page(&mut self) -> Result<Option<Vec<(Entry, Likeness)>>, S3Error> {
        let Some(page) = self.from.page().await? else { return Ok(None) };
        let mut judged = Vec::with_capacity(page.len());
        for entry in page {
            let name = entry.name(self.prefixes.0);
            let likeness = loop {
                match self.to.peek().await? {
                    Some(copy) if copy.name(self.prefixes.1) < name => self.to.skip(),
                    Some(copy) if copy.name(self.prefixes.1) == name => break entry.likeness(copy),
                    _ => break Likeness::Other,
                }
            };
            judged.push((entry, likeness));
        }
        Ok(Some(judged))
    }
}
