use std::{fmt, io, thread};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

/// What a run takes from its process and machine. A simulation puts its own in place.
///
/// Time that anything is decided by is Tokio's, which a simulation pauses.
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Name of the machine.
    fn name(&self) -> String;

    /// The time of day, for people: nothing is decided by it.
    fn now(&self) -> Timestamp;

    /// An id that nobody else has.
    fn id(&self) -> Uuid;

    /// Lets the heartbeat of a lease go on until it ends.
    ///
    /// # Errors
    /// When it cannot be started; the lease is then not extended.
    fn heartbeat(&self, beats: BoxFuture<'static, ()>) -> io::Result<()>;
}

/// The process and machine that this is.
#[derive(Debug)]
pub(crate) struct ThisProcess;

impl Host for ThisProcess {
    fn name(&self) -> String {
        gethostname::gethostname().to_string_lossy().into_owned()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn id(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// On a thread and a runtime of its own: a change that blocks the application's does not starve it.
    fn heartbeat(&self, beats: BoxFuture<'static, ()>) -> io::Result<()> {
        let body = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(beats),
            Err(error) => tracing::error!(%error, "no heartbeat: the lease cannot be extended"),
        };
        thread::Builder::new().name("flamingock-heartbeat".to_owned()).spawn(body).map(drop)
    }
}
