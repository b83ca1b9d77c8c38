use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::database::{Database, FenceRow, session_name};
use super::{Fault, MemoryTransaction};
use crate::change::Resources;
use crate::target::{
    Fence, FenceRaised, Marker, MarkerState, Markers, Mode, Session, SessionType, Survey, TargetSystem,
};
use crate::{BackendError, History};

/// A key-value database in memory, with transactions, fence and markers.
///
/// Its changes take `db: &mut MemoryTransaction`. Clones share the data, as processes share a server.
///
/// ```
/// # use flamingock_core::{memory::{MemoryTarget, MemoryTransaction}, target::{Mode, TargetSystem}};
/// # use std::any::TypeId;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let target = MemoryTarget::new("orders-db");
/// let mut session = target.open(Mode::Transactional).await?;
/// if let Some(db) = session.handle(TypeId::of::<MemoryTransaction>()) {
///     db.downcast_mut::<MemoryTransaction>().map(|db| db.put("order:1", "open")).transpose()?;
/// }
/// assert_eq!(target.get("order:1"), None);
/// session.commit().await?;
/// assert_eq!(target.get("order:1").as_deref(), Some("open"));
/// # Ok::<(), flamingock_core::BackendError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MemoryTarget {
    id: String,
    lock_timeout: Duration,
    database: Arc<Database>,
    resources: Resources,
}

impl MemoryTarget {
    /// An empty database.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            lock_timeout: Duration::from_secs(30),
            database: Arc::default(),
            resources: Resources::new(),
        }
    }

    /// How long this handle and its sessions wait for another's transaction; 30 s unless told.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// The value at `key`, as everybody sees it.
    pub fn get(&self, key: &str) -> Option<String> {
        self.database.state().data.get(key).cloned()
    }

    /// All that is committed.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        self.database.state().data.clone()
    }

    /// Unplugs it, or plugs it in again. Meanwhile everything fails with `Unavailable`.
    pub fn set_online(&self, online: bool) {
        self.database.state().unreachable = !online;
    }

    /// Makes the next commit fail.
    pub fn fail_next_commit(&self, fault: Fault) {
        self.database.state().next_commit = Some(fault);
    }
}

impl fmt::Debug for MemoryTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTarget").field("id", &self.id).finish_non_exhaustive()
    }
}

#[async_trait]
impl TargetSystem for MemoryTarget {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &str {
        "memory"
    }

    fn address(&self) -> String {
        format!("memory:{}", self.id)
    }

    fn resources(&self, _mode: Mode) -> &Resources {
        &self.resources
    }

    fn session_types(&self, _mode: Mode) -> Option<Vec<SessionType>> {
        Some(vec![SessionType::of::<MemoryTransaction>()])
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.database.reach("check").map(drop)
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(MemoryTransaction::open(&self.database, mode, self.lock_timeout)?))
    }

    fn markers(&self) -> Option<&dyn Markers> {
        Some(self)
    }
}

#[async_trait]
impl Markers for MemoryTarget {
    async fn raise_fence(&self, fence: &Fence) -> Result<FenceRaised, BackendError> {
        const OPERATION: &str = "raise the fence";
        let _guard = self.database.lock_fence(&fence.history, self.lock_timeout, OPERATION).await?;
        let mut state = self.database.reach(OPERATION)?;
        let wanted = FenceRow { token: fence.token, execution: fence.execution.clone() };
        match state.fences.get(&fence.history) {
            Some(row) if *row == wanted => {}
            Some(row) if row.token >= wanted.token => return Ok(FenceRaised::Newer(row.token)),
            _ => {
                state.fences.insert(fence.history.clone(), wanted);
            }
        }
        Ok(FenceRaised::Raised)
    }

    async fn marker(&self, history: &History, change: &str) -> Result<Option<Marker>, BackendError> {
        const OPERATION: &str = "look at the marker";
        let _guard = self.database.lock_fence(history, self.lock_timeout, OPERATION).await?;
        let state = self.database.reach(OPERATION)?;
        Ok(state.markers.get(&(history.clone(), change.to_owned())).cloned())
    }

    async fn survey(&self, history: &History, ids: &[&str]) -> Result<Survey, BackendError> {
        let state = self.database.reach("survey the markers")?;
        let mut survey = Survey::default();
        let mut others = BTreeSet::new();
        for ((of, change), _) in state.markers.iter().filter(|(_, marker)| marker.state == MarkerState::Done)
        {
            if of == history {
                survey.done += 1;
            } else if of.service != history.service && ids.contains(&change.as_str()) {
                others.insert(of.service.clone());
            }
        }
        survey.other_services = others.into_iter().collect();
        Ok(survey)
    }

    async fn end_session(&self, session: &str) -> Result<(), BackendError> {
        // Taking it out rolls it back and releases its locks.
        self.database.reach("end a session")?.sessions.retain(|id, _| session_name(*id) != session);
        Ok(())
    }
}
