use std::sync::Arc;
use std::time::Duration;

use flamingock_core::audit::{Append, AuditEntry, AuditState, AuditStore, Execution, Head, Office};
use flamingock_core::lock::{FencingToken, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use tokio::sync::OnceCell;

use super::store_fixture::{Damage, StoreCapabilities, StoreHandle, StorePlace};
use crate::entries::Chain;

/// What a case of the store suites works with: a place of its own.
#[derive(Debug)]
pub(super) struct Stores {
    place: Arc<dyn StorePlace>,
    pub(super) capabilities: StoreCapabilities,
    /// The one handle, where there may be no other.
    only: OnceCell<StoreHandle>,
}

impl Stores {
    pub(super) fn new(place: Arc<dyn StorePlace>, capabilities: StoreCapabilities) -> Self {
        Self { place, capabilities, only: OnceCell::new() }
    }

    /// Another process' handle, where there may be several.
    pub(super) async fn open(&self) -> StoreHandle {
        if self.capabilities.several_handles {
            self.reopen().await
        } else {
            self.only.get_or_init(|| self.reopen()).await.clone()
        }
    }

    /// A new handle, after all others were dropped where there may be only one.
    pub(super) async fn reopen(&self) -> StoreHandle {
        self.place.open().await.expect("the fixture opens its place")
    }

    /// An audit store on which nothing was called yet.
    pub(super) async fn untouched_audit(&self) -> Arc<dyn AuditStore> {
        self.open().await.audit.expect("the fixture has an audit store")
    }

    /// An audit store, ready for use.
    pub(super) async fn audit(&self) -> Arc<dyn AuditStore> {
        let store = self.untouched_audit().await;
        store.initialize().await.expect("initialize");
        store
    }

    /// A lock, ready for use.
    pub(super) async fn lock(&self) -> Arc<dyn LockStore> {
        let lock = self.open().await.lock.expect("the fixture has a lock");
        lock.initialize().await.expect("initialize");
        lock
    }

    pub(super) async fn damage(&self, damage: Damage, history: &History, sequence: u64) {
        self.place.damage(damage, history, sequence).await.expect("the fixture does the damage it declares");
    }
}

/// The history that most cases use.
pub(super) fn orders() -> History {
    History::new("orders")
}

pub(super) fn execution(id: &str) -> Execution {
    Execution { id: id.to_owned(), owner: format!("orders@host#{id}") }
}

/// The head of a history that has one.
pub(super) async fn head(store: &Arc<dyn AuditStore>, history: &History) -> Head {
    store.head(history).await.expect("head").expect("the history has a head")
}

/// All entries of a history, in one page after the other.
pub(super) async fn all(store: &Arc<dyn AuditStore>, history: &History) -> Vec<AuditEntry> {
    pages(store, history, flamingock_core::audit::EntryFilter::default()).await.concat()
}

/// What the pages of a filter hold, up to the empty one.
pub(super) async fn pages(
    store: &Arc<dyn AuditStore>,
    history: &History,
    mut filter: flamingock_core::audit::EntryFilter,
) -> Vec<Vec<AuditEntry>> {
    let mut pages = Vec::new();
    loop {
        let page = store.entries(history, &filter).await.expect("entries");
        let Some(last) = page.last() else { return pages };
        assert!(last.sequence > filter.after, "the page after {} ends at {}", filter.after, last.sequence);
        filter.after = last.sequence;
        pages.push(page);
    }
}

pub(super) fn sequences(entries: &[AuditEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.sequence).collect()
}

/// A run in office that appends.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) store: Arc<dyn AuditStore>,
    pub(super) office: Office,
    pub(super) chain: Chain,
}

impl Recorder {
    pub(super) async fn start(store: &Arc<dyn AuditStore>, history: &History, id: &str) -> Self {
        let office = store.take_office(history, FencingToken(1), &execution(id)).await.expect("take office");
        Self { store: Arc::clone(store), chain: Chain::of(&office), office }
    }

    /// Appends these, together.
    pub(super) async fn append(
        &mut self,
        states: &[(&str, AuditState)],
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let mut chain = self.chain.clone();
        let entries: Vec<_> = states.iter().map(|(change, state)| chain.next(change, *state)).collect();
        self.append_sealed(&chain, &entries).await?;
        Ok(entries)
    }

    /// The same, and it must succeed.
    pub(super) async fn record(&mut self, states: &[(&str, AuditState)]) -> Vec<AuditEntry> {
        self.append(states).await.expect("append")
    }

    /// Appends entries made by `entry`, with its place in the history set, and they must be taken.
    pub(super) async fn record_entries(&mut self, entries: Vec<AuditEntry>) -> Vec<AuditEntry> {
        let mut chain = self.chain.clone();
        let entries: Vec<_> = entries.into_iter().map(|entry| chain.seal(entry)).collect();
        self.append_sealed(&chain, &entries).await.expect("append");
        entries
    }

    /// Appends what `chain` has sealed, and goes on from there.
    pub(super) async fn append_sealed(
        &mut self,
        chain: &Chain,
        entries: &[AuditEntry],
    ) -> Result<(), BackendError> {
        let append = Append { expected: self.chain.sequence(), entries, head: chain.head_change() };
        self.store.append(&self.office, &append).await?;
        self.chain = chain.clone();
        Ok(())
    }
}

/// That `result` failed so.
#[track_caller]
pub(super) fn assert_fails<T: std::fmt::Debug>(
    result: Result<T, BackendError>,
    kind: BackendErrorKind,
) -> BackendError {
    match result {
        Ok(value) => panic!("it should have failed with {kind:?}, and answered {value:?}"),
        Err(error) if error.kind() == kind => error,
        Err(error) => {
            panic!("it should have failed with {kind:?}, and failed with {:?}: {error}", error.kind())
        }
    }
}

/// That a secret shows in none of these texts.
#[track_caller]
pub(super) fn assert_hidden(secret: &str, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        assert!(!text.contains(secret), "a secret is shown: {}", text.replace(secret, "<secret>"));
    }
}

/// An error with all its causes, as a log would show it.
pub(super) fn shown(error: &BackendError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text} {error:?} {error}");
        cause = error.source();
    }
    text
}

pub(super) async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
