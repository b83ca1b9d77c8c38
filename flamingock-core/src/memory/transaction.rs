use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Fault;
use super::database::{Database, ended, session_name};
use super::fault::lost;
use crate::lock::FencingToken;
use crate::target::{Begun, Fence, Marker, MarkerState, MarkerUpdate, Mode, Session};
use crate::{BackendError, BackendErrorKind};

/// The session of a [`MemoryTarget`](super::MemoryTarget): what its changes take as
/// `db: &mut MemoryTransaction`.
///
/// In a transactional change what it does is visible to others at commit, else at once.
pub struct MemoryTransaction {
    database: Arc<Database>,
    session: u64,
    lock_timeout: Duration,
}

impl MemoryTransaction {
    pub(super) fn open(
        database: &Arc<Database>,
        mode: Mode,
        lock_timeout: Duration,
    ) -> Result<Self, BackendError> {
        let session = database.reach("open")?.open(mode == Mode::Plain);
        Ok(Self { database: Arc::clone(database), session, lock_timeout })
    }

    /// The value at `key`, as this session sees it.
    ///
    /// # Errors
    /// When the target is switched off or the session was ended.
    pub fn get(&mut self, key: &str) -> Result<Option<String>, BackendError> {
        let mut state = self.database.reach("get")?;
        let own = state.transaction(self.session, "get")?.writes.get(key).cloned();
        Ok(own.unwrap_or_else(|| state.data.get(key).cloned()))
    }

    /// Puts a value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn put(&mut self, key: impl Into<String>, value: impl Into<String>) -> Result<(), BackendError> {
        self.write("put", key.into(), Some(value.into()))
    }

    /// Removes a value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn remove(&mut self, key: impl Into<String>) -> Result<(), BackendError> {
        self.write("remove", key.into(), None)
    }

    /// Commits what was done so far, the marker `begun` included, as MySQL does at a DDL statement.
    /// The session goes on in a new transaction, without the fence's lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn implicit_commit(&mut self) -> Result<(), BackendError> {
        let mut state = self.database.reach("commit")?;
        let mut transaction = std::mem::take(state.transaction(self.session, "commit")?);
        state.apply(&mut transaction);
        state.sessions.insert(self.session, transaction);
        Ok(())
    }

    /// Takes back what was done so far, the marker included, as a ROLLBACK in a change's text does.
    /// What follows takes effect at once.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn implicit_rollback(&mut self) -> Result<(), BackendError> {
        let mut state = self.database.reach("roll back")?;
        let transaction = state.transaction(self.session, "roll back")?;
        transaction.writes.clear();
        transaction.markers.clear();
        transaction.guard = None;
        transaction.autocommit = true;
        Ok(())
    }

    fn write(
        &mut self,
        operation: &'static str,
        key: String,
        value: Option<String>,
    ) -> Result<(), BackendError> {
        let mut state = self.database.reach(operation)?;
        let transaction = state.transaction(self.session, operation)?;
        if !transaction.autocommit {
            transaction.writes.insert(key, value);
            return Ok(());
        }
        match value {
            Some(value) => state.data.insert(key, value),
            None => state.data.remove(&key),
        };
        Ok(())
    }

    /// Holds the lock on the fence from now on, and tells what the fence is.
    async fn lock_fence(
        &mut self,
        fence: &Fence,
        operation: &'static str,
    ) -> Result<Option<FencingToken>, BackendError> {
        let held = self.database.reach(operation)?.transaction(self.session, operation)?.guard.is_some();
        if !held {
            let guard = self.database.lock_fence(&fence.history, self.lock_timeout, operation).await?;
            self.database.reach(operation)?.transaction(self.session, operation)?.guard = Some(guard);
        }
        let state = self.database.reach(operation)?;
        let row = state.fences.get(&fence.history);
        Ok(match row {
            Some(row) if row.token == fence.token && row.execution == fence.execution => None,
            Some(row) => Some(row.token),
            None => Some(FencingToken(0)),
        })
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        const OPERATION: &str = "begin the marker";
        if self.database.reach(OPERATION)?.transaction(self.session, OPERATION)?.autocommit {
            let message = "a plain session keeps no markers";
            return Err(BackendError::new(BackendErrorKind::Misconfigured, OPERATION, message));
        }
        if let Some(newer) = self.lock_fence(fence, OPERATION).await? {
            return Ok(Begun::Fenced(newer));
        }
        let mut state = self.database.reach(OPERATION)?;
        let key = (fence.history.clone(), update.change.clone());
        if let Some(marker) = state.markers.get(&key) {
            let stands = marker.state == MarkerState::Done && marker.sequence > update.outranks;
            if stands && update.state == MarkerState::Begun {
                return Ok(Begun::Stands(marker.clone()));
            }
        }
        let marker = Marker {
            state: update.state,
            execution: fence.execution.clone(),
            token: fence.token,
            sequence: update.sequence,
            session: Some(session_name(self.session)),
        };
        let transaction = state.transaction(self.session, OPERATION)?;
        transaction.begun = Some((fence.clone(), update.change.clone()));
        transaction.markers.insert(key, marker);
        Ok(Begun::Written)
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        const OPERATION: &str = "finish the marker";
        let begun = self.database.reach(OPERATION)?.transaction(self.session, OPERATION)?.begun.clone();
        let not_there = || {
            let message = format!(
                "there is no marker `{}` of this run for change `{}`: the change ended its own transaction",
                update.state, update.change
            );
            BackendError::new(BackendErrorKind::Other, OPERATION, message)
        };
        let (fence, _) = begun.ok_or_else(not_there)?;
        // After an implicit commit the lock is gone, and a newer run may have been there meanwhile.
        if let Some(newer) = self.lock_fence(&fence, OPERATION).await? {
            let message = format!("the fence now has token {newer}");
            return Err(BackendError::lease_lost(OPERATION, message));
        }
        let mut state = self.database.reach(OPERATION)?;
        let key = (fence.history.clone(), update.change.clone());
        let committed = state.markers.get(&key).cloned();
        let transaction = state.transaction(self.session, OPERATION)?;
        let mut marker = transaction
            .markers
            .get(&key)
            .cloned()
            .or(committed)
            .filter(|marker| marker.execution == fence.execution && marker.state == update.state)
            .ok_or_else(not_there)?;
        marker.state = marker.state.finished();
        transaction.markers.insert(key, marker);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), BackendError> {
        let mut state = self.database.reach("commit")?;
        let mut transaction =
            state.sessions.remove(&self.session).ok_or_else(|| ended(self.session, "commit"))?;
        let fault = state.next_commit.take();
        if fault != Some(Fault::NoEffect) {
            state.apply(&mut transaction);
        }
        if fault.is_some() { Err(lost("commit")) } else { Ok(()) }
    }

    /// Ends the session; what it did and did not commit is gone.
    fn end(&mut self, operation: &'static str) -> Result<(), BackendError> {
        self.database.reach(operation)?.sessions.remove(&self.session);
        Ok(())
    }
}

impl Drop for MemoryTransaction {
    fn drop(&mut self) {
        self.database.state().sessions.remove(&self.session);
    }
}

impl fmt::Debug for MemoryTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransaction").field("session", &self.session).finish_non_exhaustive()
    }
}

#[async_trait]
impl Session for MemoryTransaction {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        (type_id == TypeId::of::<Self>()).then_some(self)
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        Self::begin_marker(self, fence, update).await
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        Self::finish_marker(self, update).await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), BackendError> {
        Self::commit(&mut self)
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), BackendError> {
        self.end("roll back")
    }

    async fn abort(mut self: Box<Self>) -> Result<(), BackendError> {
        self.end("abort")
    }
}
