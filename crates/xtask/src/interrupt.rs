use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Ctrl-C, SIGTERM and SIGHUP end what runs at the moment, instead of this program: it has servers to
/// stop and folders to remove.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    signals: u32,
    running: Option<Pid>,
}

impl Interrupt {
    /// Listens from now on. Once per process.
    ///
    /// # Errors
    /// When something listens already.
    pub fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || handler.signalled()).context("signals cannot be listened to")?;
        Ok(interrupt)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signalled(&self) {
        let mut state = self.state();
        state.signals += 1;
        // Asked twice, it means it.
        let signal = if state.signals == 1 { Signal::SIGTERM } else { Signal::SIGKILL };
        if let Some(group) = state.running {
            let _ = killpg(group, signal);
        }
        self.shared.1.notify_all();
    }

    /// Whether a signal has come.
    ///
    /// # Errors
    /// Once it has.
    pub fn check(&self) -> Result<()> {
        if self.state().signals > 0 {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Sleeps, at most until a signal comes, which is an error.
    pub(crate) fn sleep(&self, time: Duration) -> Result<()> {
        let state = self.state();
        let awake = self.shared.1.wait_timeout_while(state, time, |state| state.signals == 0);
        drop(awake);
        self.check()
    }

    /// Sleeps until a signal comes.
    pub(crate) fn wait(&self) {
        let state = self.state();
        drop(self.shared.1.wait_while(state, |state| state.signals == 0));
    }

    /// Starts a command in a process group of its own, which a signal ends with all it has started.
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Running<'_>> {
        self.check()?;
        // Held over the start: a signal that comes meanwhile must find the group.
        let mut state = self.state();
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} could not be started", command.get_program().display()))?;
        state.running = i32::try_from(child.id()).ok().map(Pid::from_raw);
        drop(state);
        Ok(Running { child, interrupt: self })
    }
}

/// A command that runs. Dropped, it is killed with all it has started.
pub(crate) struct Running<'a> {
    pub(crate) child: Child,
    interrupt: &'a Interrupt,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.interrupt.state().running.take() {
            let _ = killpg(group, Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}
