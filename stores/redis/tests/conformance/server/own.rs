use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flamingock_testing::conformance::BoxError;
use tempfile::TempDir;

use super::Admin;

/// A server of a test's own, which it may set up, break and stop.
#[derive(Debug)]
pub(crate) struct Own {
    child: Child,
    port: u16,
    _folder: TempDir,
}

/// Whether one can be started here.
pub(crate) fn available() -> Result<(), String> {
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    found.map(drop).map_err(|_| "redis-server is not installed".to_owned())
}

impl Own {
    /// With these settings, `name value` each; it keeps nothing on disk unless they say so.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(folder.path());
        for (name, value) in settings {
            command.arg(format!("--{name}")).args(value.split(' '));
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let own = Self { child, port, _folder: folder };
        let since = Instant::now();
        // A port that answers is enough: some of these servers refuse `PING`.
        while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if since.elapsed() > Duration::from_secs(10) {
                return Err("redis-server does not come up".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(own)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin(self.url())
    }

    /// Stops the process in its tracks: connections stay open, and nothing answers.
    pub(crate) fn freeze(&self) -> Result<(), BoxError> {
        Command::new("kill").args(["-STOP", &self.child.id().to_string()]).status()?;
        Ok(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
