use std::fmt;

use async_trait::async_trait;

use super::{AuditEntry, AuditState, ChainHash, Head, Verdict};
use crate::lock::FencingToken;
use crate::{BackendError, History};

/// A run, as the head names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Execution id (UUIDv7).
    pub id: String,
    /// `service@host#uuid`.
    pub owner: String,
}

/// The right to append, taken by one run and lost to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Office {
    /// Whose changes.
    pub history: History,
    /// The run in office.
    pub execution: Execution,
    /// The token under which it appends, fences and marks.
    pub token: FencingToken,
    /// The head as it is now in office.
    pub head: Head,
}

/// What one append makes durable, together.
#[derive(Debug)]
pub struct Append<'a> {
    /// Sequence that the head must still have.
    pub expected: u64,
    /// New entries, with sequences `expected + 1` and on, chained. May be empty.
    pub entries: &'a [AuditEntry],
    /// The head afterwards.
    pub head: HeadChange,
}

/// What an append changes in the head. Token, owner and execution stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadChange {
    /// Sequence of the last entry.
    pub sequence: u64,
    /// Hash of the last entry.
    pub hash: ChainHash,
    /// Digests of the pipelines that are complete at this sequence.
    pub digests: Vec<String>,
    /// How the run ended, if this is its last append.
    pub verdict: Option<Verdict>,
}

/// Which entries to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// Only entries after this sequence.
    pub after: u64,
    /// At most so many; 0: as many as the store likes to give at once.
    pub limit: usize,
    /// Only this change's.
    pub change: Option<String>,
    /// Only those in this state.
    pub state: Option<AuditState>,
    /// Only those recorded at or after this time.
    pub since: Option<jiff::Timestamp>,
}

/// Where the audit is kept.
///
/// # Contract
/// - [`head`](Self::head) is one read, consistent with every append that was acknowledged before it
///   was sent. Before [`initialize`](Self::initialize) it answers [`None`] and creates nothing.
/// - A store that was written by a newer release, or has another shape, is refused by `head` and
///   `initialize` with `NewerFormat` or `Schema`, and nothing is changed.
/// - [`take_office`](Self::take_office) is one atomic write: the head's token becomes the greater of
///   its own and the lease's, plus one; owner and execution become the run's. Sequence, hash and
///   digests stay. Taking it again with the same execution takes it anew, with a higher token.
/// - [`append`](Self::append) is atomic: all entries and the head's change become durable together
///   or not at all, also when the process dies in between. It succeeds only where the head still has
///   the office's token and execution and the expected sequence; else it fails with `LeaseLost`.
/// - Every append replaces the head's digests and verdict with those of its [`HeadChange`].
/// - Sequences have no gap. Entries are never changed and come back exactly as they were appended.
/// - Ids compare byte by byte.
/// - Histories do not touch each other.
/// - [`histories`](Self::histories) gives those that have a head, by service and then tenant; none
///   before [`initialize`](Self::initialize).
/// - [`latest`](Self::latest) gives the entry with the greatest sequence of each change (entries with
///   an empty change id are left out); [`entries`](Self::entries) gives those that fit, by sequence,
///   and an empty page only when there are no more.
/// - What was stored and cannot be read is `Corrupt`, with the sequence, and never a panic.
#[async_trait]
pub trait AuditStore: fmt::Debug + Send + Sync + 'static {
    /// What it is: `postgres`, `sqlite`, ..
    fn kind(&self) -> &str;

    /// Where it is, without secrets.
    fn address(&self) -> String;

    /// Creates what it needs, where it may, or checks that it is there. Idempotent, and safe when
    /// several do it at once.
    ///
    /// # Errors
    /// When the store is not reached, or what is there has another shape or a newer format.
    async fn initialize(&self) -> Result<(), BackendError>;

    /// The head of a history; [`None`] before its first run.
    ///
    /// # Errors
    /// When the store is not reached or its format is not known.
    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError>;

    /// The histories that are kept here.
    ///
    /// # Errors
    /// When the store is not reached.
    async fn histories(&self) -> Result<Vec<History>, BackendError>;

    /// Puts a run in office.
    ///
    /// # Errors
    /// When the store is not reached. Asking again is safe.
    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError>;

    /// Appends entries and changes the head.
    ///
    /// # Errors
    /// `LeaseLost` when the office is lost or the sequence has moved on. After any other error the
    /// outcome is unknown until the head was read.
    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError>;

    /// The newest entry of each change, by sequence.
    ///
    /// # Errors
    /// When the store is not reached or an entry cannot be read.
    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError>;

    /// A page of entries, by sequence.
    ///
    /// # Errors
    /// When the store is not reached or an entry cannot be read.
    async fn entries(&self, history: &History, filter: &EntryFilter)
    -> Result<Vec<AuditEntry>, BackendError>;
}
