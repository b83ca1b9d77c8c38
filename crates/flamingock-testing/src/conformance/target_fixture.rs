use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::target::{Mode, Session, TargetSystem};

use super::BoxError;

/// How the suite gets at a target system.
#[async_trait]
pub trait TargetFixture: fmt::Debug + Send + Sync + 'static {
    /// Name of the implementation, first in the names of its cases: `sqlite`.
    fn name(&self) -> String;

    /// Whether it can be tested here. Asked once, before the first case.
    ///
    /// # Errors
    /// Says what is missing and how to get it: its cases are reported as ignored.
    fn available(&self) -> Result<(), String> {
        Ok(())
    }

    /// What it declares.
    fn capabilities(&self) -> TargetCapabilities;

    /// An empty place that no other case sees: a new database, folder or prefix. Fences and markers
    /// are not set up in it; what [`TargetPlace::put`] needs (such as a table) is.
    ///
    /// # Errors
    /// When there is none; the case fails.
    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError>;
}

/// What the changes of one case are applied to.
#[async_trait]
pub trait TargetPlace: fmt::Debug + Send + Sync + 'static {
    /// A new handle on this place, as another process would have: it shares no connection and no
    /// memory with the others. Its lock timeout is [`TargetCapabilities::lock_timeout`].
    ///
    /// # Errors
    /// When it cannot be opened; the case fails.
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError>;

    /// Does what a change would do: makes the effect `name`, through the session's [`handle`] or,
    /// where there is none in this mode, through the target's resources.
    ///
    /// # Errors
    /// When the target refuses it.
    async fn put(
        &self,
        target: &dyn TargetSystem,
        session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) -> Result<(), BoxError>;

    /// Whether the effect `name` is there for everybody, asked over a connection of the fixture's own.
    ///
    /// # Errors
    /// When it cannot be told; the case fails.
    async fn has(&self, name: &str) -> Result<bool, BoxError>;

    /// Ends the session's transaction from inside, as a change can. Called only for what
    /// [`TargetCapabilities::ends`] declares.
    ///
    /// # Errors
    /// When it cannot; the case fails.
    async fn end(&self, session: &mut dyn Session, end: End) -> Result<(), BoxError> {
        let _ = session;
        Err(format!("the fixture cannot end a transaction by {end:?}").into())
    }

    /// Makes the target unreachable for every handle. Called only when [`TargetCapabilities::unplugs`].
    ///
    /// # Errors
    /// When it cannot; the case fails.
    async fn unplug(&self) -> Result<(), BoxError> {
        Err("the fixture cannot unplug its target".into())
    }

    /// Removes the place. Called after a case that passed; what a failed one leaves can be looked at.
    ///
    /// # Errors
    /// When it cannot; the case fails.
    async fn remove(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The session's handle of type `T`, for [`TargetPlace::put`].
///
/// # Errors
/// When the session has none.
pub fn handle<T: Send + 'static>(session: &mut dyn Session) -> Result<&mut T, BoxError> {
    session
        .handle(TypeId::of::<T>())
        .and_then(|handle| handle.downcast_mut())
        .ok_or_else(|| format!("the session has no handle of type {}", std::any::type_name::<T>()).into())
}

/// How a change can end its own transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// What was done so far is committed, the marker `begun` included, and the session goes on:
    /// MySQL DDL, or a COMMIT in the change's text.
    Commit,
    /// What was done so far is gone, the marker included, and the session goes on: a ROLLBACK in the
    /// change's text.
    Rollback,
}

/// What a target system declares. It decides which cases are run.
///
/// ```
/// use flamingock_core::target::Mode;
/// use flamingock_testing::conformance::{End, TargetCapabilities};
/// let sqlite = TargetCapabilities::new([Mode::Transactional, Mode::Plain]).ends([End::Commit, End::Rollback]);
/// let folder = TargetCapabilities::new([Mode::Plain]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetCapabilities {
    /// The modes it supports.
    pub modes: Vec<Mode>,
    /// Several sessions may be open on one place at once. By default yes.
    pub several_sessions: bool,
    /// What was done is still there after every handle was dropped. By default yes.
    pub persistent: bool,
    /// How long the handles of the fixture wait for a lock. By default 2 s; more makes the cases slow.
    pub lock_timeout: Duration,
    /// The error of a wait that was too long names the change or the session that is in the way.
    /// By default no.
    pub names_blocker: bool,
    /// Markers carry the server's name for the session that wrote them. By default no.
    pub names_sessions: bool,
    /// What [`TargetPlace::end`] can do. By default nothing.
    pub ends: Vec<End>,
    /// Whether [`TargetPlace::unplug`] works. By default no.
    pub unplugs: bool,
    /// A secret that the connection is made with, and that must show up nowhere.
    pub secret: Option<String>,
}

impl TargetCapabilities {
    /// Of a target that supports these modes.
    pub fn new(modes: impl IntoIterator<Item = Mode>) -> Self {
        Self {
            modes: modes.into_iter().collect(),
            several_sessions: true,
            persistent: true,
            lock_timeout: Duration::from_secs(2),
            names_blocker: false,
            names_sessions: false,
            ends: Vec::new(),
            unplugs: false,
            secret: None,
        }
    }

    /// Only one session may be open on a place at a time.
    #[must_use]
    pub fn one_session(mut self) -> Self {
        self.several_sessions = false;
        self
    }

    /// Nothing outlives the last handle.
    #[must_use]
    pub fn forgets(mut self) -> Self {
        self.persistent = false;
        self
    }

    /// How long the handles of the fixture wait for a lock; at least a second.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// The error of a wait that was too long names what is in the way.
    #[must_use]
    pub fn names_blocker(mut self) -> Self {
        self.names_blocker = true;
        self
    }

    /// Markers name the session that wrote them.
    #[must_use]
    pub fn names_sessions(mut self) -> Self {
        self.names_sessions = true;
        self
    }

    /// How the fixture can end a transaction from inside.
    #[must_use]
    pub fn ends(mut self, ends: impl IntoIterator<Item = End>) -> Self {
        self.ends.extend(ends);
        self
    }

    /// The fixture can make the target unreachable.
    #[must_use]
    pub fn unplugs(mut self) -> Self {
        self.unplugs = true;
        self
    }

    /// A secret that must show up in no address, no debug output and no error.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    pub(super) fn supports(&self, mode: Mode) -> bool {
        self.modes.contains(&mode)
    }

    pub(super) fn can_end(&self, end: End) -> bool {
        self.ends.contains(&end)
    }
}
