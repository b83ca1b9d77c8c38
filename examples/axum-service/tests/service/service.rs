use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::database::Database;

/// A process that runs. Dropped, it is killed.
pub(crate) struct Service {
    child: Child,
    address: String,
    log: Log,
}

/// What it has logged; shown when a case fails.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn add(&self, line: &str) {
        *self.0.lock().unwrap() += &format!("{line}\n");
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.lock().unwrap());
        }
    }
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

fn command(database: &Database, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_axum-service"));
    command.args(arguments).env("DATABASE_URL", &database.url).env("NO_COLOR", "1");
    command.stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs it with `--changes-only` to its end.
pub(crate) async fn changes_only(database: &Database, mode: &str) -> ExitStatus {
    command(database, &["--changes-only", "--mode", mode]).output().await.unwrap().status
}

impl Service {
    /// Started, and listening.
    pub(crate) async fn start(database: &Database, mode: &str) -> Self {
        let mut child =
            command(database, &["--listen", "127.0.0.1:0"]).env("FLAMINGOCK_MODE", mode).spawn().unwrap();
        let log = Log::default();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().expect("it listens before it ends");
            log.add(&line);
            if let Some((_, address)) = line.split_once("http://") {
                break address.trim().to_owned();
            }
        };
        // Read to the end, or the pipe is full one day.
        let later = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                later.add(&line);
            }
        });
        Self { child, address, log }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.request("POST", path, body).await
    }

    async fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, body: body.to_owned() }
    }

    /// Waits until `/readyz` has this status and says this.
    pub(crate) async fn until(&self, status: u16, says: &str) {
        let since = Instant::now();
        loop {
            let answer = self.get("/readyz").await;
            if answer.status == status && answer.body.contains(says) {
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(40), "/readyz still says {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGTERM, as Kubernetes ends a pod; then waits for its end.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.log.0.lock().unwrap())).unwrap()
    }
}
