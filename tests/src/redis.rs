//! A Redis of a test's own, which may forget and be killed.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use flamingock::redis_client::{Client, cmd};
use tempfile::TempDir;

/// A server on a port of its own. Dropped, it is killed.
#[derive(Debug)]
pub struct OwnRedis {
    child: Child,
    port: u16,
    keeps: bool,
    folder: TempDir,
}

impl OwnRedis {
    /// Whether one can be started here.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn available() -> Result<(), String> {
        let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        found.map(drop).map_err(|_| "redis-server is not installed".to_owned())
    }

    /// Starts one that keeps nothing on disk.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn forgetful() -> Result<Self> {
        Self::start(false)
    }

    /// Starts one that has everything on disk before it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn durable() -> Result<Self> {
        Self::start(true)
    }

    fn start(keeps: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self { child: launch(port, keeps, &folder)?, port, keeps, folder })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Forgets everything (`FLUSHALL`).
    ///
    /// # Errors
    /// When it is not reached.
    pub fn forget(&self) -> Result<()> {
        let mut connection = Client::open(self.url())?.get_connection()?;
        Ok(cmd("FLUSHALL").query(&mut connection)?)
    }

    /// Kills it.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Kills it and starts it again, on the same port.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.child = launch(self.port, self.keeps, &self.folder)?;
        Ok(())
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.kill();
    }
}

fn answers(port: u16) -> bool {
    let client = Client::open(format!("redis://127.0.0.1:{port}"));
    let ping = |client: Client| cmd("PING").query::<String>(&mut client.get_connection()?);
    client.and_then(ping).is_ok()
}

fn launch(port: u16, keeps: bool, folder: &TempDir) -> Result<Child> {
    let (appends, mut command) = (if keeps { "yes" } else { "no" }, Command::new("redis-server"));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]);
    command.arg(folder.path()).args(["--appendonly", appends, "--appendfsync", "always"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("no redis-server")?;
    let since = Instant::now();
    // It takes connections while it still reads what it had on disk.
    while !answers(port) {
        if since.elapsed() > Duration::from_secs(10) {
            child.kill()?;
            bail!("redis-server does not come up");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}
