use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tempfile::TempDir;

use super::packages;
use crate::interrupt::Interrupt;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);
const LOG: &str = "log";

/// A server process of ours. Dropped, it stops, and its folder goes.
#[derive(Debug)]
pub struct Server {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) url: String,
    child: Child,
    /// What started it, and what asks whether it answers.
    commands: (Command, Command),
    stop: Signal,
    crash: Signal,
    // After the child: a field is dropped after what stands above it.
    home: TempDir,
}

impl Server {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it at once: it can save nothing, and recovers from what it has on disk when it is
    /// [started again](Self::start_again).
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn crash(&mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), self.crash)?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it after a [crash](Self::crash), where it was. By the thread that started it at first: the
    /// server ends with that.
    ///
    /// # Errors
    /// When it does not answer again.
    pub fn start_again(&mut self, interrupt: &Interrupt) -> Result<()> {
        self.child = self.commands.0.spawn()?;
        self.answers(interrupt)
    }

    /// Waits until it answers.
    fn answers(&mut self, interrupt: &Interrupt) -> Result<()> {
        let since = Instant::now();
        while !self.commands.1.status()?.success() {
            let ended = self.child.try_wait()?.is_some();
            if ended || since.elapsed() > START_TIMEOUT {
                let log = fs::read_to_string(self.home.path().join(LOG)).unwrap_or_default();
                bail!("{} {}:\n{log}", self.name, if ended { "ended" } else { "does not answer" });
            }
            interrupt.sleep(POLL)?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), self.stop);
        }
        let since = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if since.elapsed() > STOP_TIMEOUT {
                eprintln!("{} does not stop: it is killed", self.name);
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            std::thread::sleep(POLL);
        }
    }
}

/// One that nobody listens at.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Where a server will live: a folder, a port and a user of its own.
pub(crate) struct Home {
    name: &'static str,
    folder: TempDir,
    user: Option<User>,
    pub(crate) port: u16,
    /// What ends it at once, with all its processes.
    pub(crate) crash: Signal,
}

impl Home {
    /// `user`: who runs it when we are root, since servers refuse to be root. Else it is ourselves.
    pub(crate) fn new(name: &'static str, user: &str) -> Result<Self> {
        let user = if Uid::effective().is_root() {
            Some(User::from_name(user)?.with_context(|| format!("there is no user {user}"))?)
        } else {
            None
        };
        let folder = tempfile::Builder::new().prefix(&format!("flamingock-{name}-")).tempdir()?;
        if let Some(user) = &user {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        let port = free_port()?;
        Ok(Self { name, folder, user, port, crash: Signal::SIGKILL })
    }

    /// The folder of its own.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file that the server can read.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// A program, as the server's user, in its folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Runs what prepares the folder, such as `initdb`.
    pub(crate) fn prepare(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> Result<()> {
        let mut command = self.command(packages::program(program)?);
        arguments(&mut command);
        let output = command.output().with_context(|| format!("{program} could not be started"))?;
        if !output.status.success() {
            bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Starts the server and waits until `ready`, a program that asks it, succeeds.
    pub(crate) fn start(
        self,
        program: &str,
        arguments: impl FnOnce(&mut Command),
        stop: Signal,
        (ready, ask): (&str, impl Fn(&mut Command)),
        url: String,
        interrupt: &Interrupt,
    ) -> Result<Server> {
        let output = File::create(self.path().join(LOG))?;
        let mut command = self.server(program, stop)?;
        arguments(&mut command);
        command.stdout(output.try_clone()?).stderr(output);
        // Ctrl-C in a terminal goes to a whole group, and would end it before the tests.
        let child = command.process_group(0).spawn().with_context(|| format!("no {program}"))?;
        let mut ask_command = self.command(packages::program(ready)?);
        ask(&mut ask_command);
        ask_command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server {
            name: self.name,
            port: self.port,
            url,
            child,
            commands: (command, ask_command),
            stop,
            crash: self.crash,
            home: self.folder,
        };
        server.answers(interrupt)?;
        Ok(server)
    }

    /// On Linux it also stops when this program is killed, which runs no destructors.
    fn server(&self, program: &str, stop: Signal) -> Result<Command> {
        let program = packages::program(program)?;
        if !cfg!(target_os = "linux") {
            return Ok(self.command(program));
        }
        let mut command = self.command(packages::program("setpriv")?);
        command.args(["--pdeathsig", stop.as_str().trim_start_matches("SIG"), "--"]).arg(program);
        Ok(command)
    }
}
