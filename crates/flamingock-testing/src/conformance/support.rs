use std::sync::Arc;
use std::time::Duration;

use flamingock_core::audit::{Append, AuditEntry, AuditState, AuditStore, Execution, Office};
use flamingock_core::lock::{FencingToken, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use tokio::sync::OnceCell;

use super::store_fixture::{Damage, StoreCapabilities, StoreHandle, StorePlace};
use crate::entries::Chain;

/// What a case of the store suites works with: a place of its own.
#[derive(Debug)]
pub(super) struct Stores {
    pub(super) place: Arc<dyn StorePlace>,
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
        let open = || async { self.place.open().await.expect("the fixture opens its place") };
        if self.capabilities.several_handles {
            open().await
        } else {
            self.only.get_or_init(open).await.clone()
        }
    }

    /// An audit store, ready for use.
    pub(super) async fn audit(&self) -> Arc<dyn AuditStore> {
        let store = self.open().await.audit.expect("the fixture has an audit store");
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

pub(super) async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
