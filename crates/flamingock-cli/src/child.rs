use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flamingock_core::operate::{Answer, Asked, Line, Notice, PROTOCOL, REQUEST, RESULT};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::error::{Problem, Result};
use crate::output::Output;

/// How many of its last lines are shown when it did not answer.
const LAST_LINES: usize = 20;

/// How often its file is looked at.
const PAUSE: Duration = Duration::from_millis(30);

/// At the third signal it is killed: whoever sends so many does not want to wait for a safe point.
const LAST_SIGNAL: u32 = 3;

/// How long what it wrote may take to arrive after it has ended: a grandchild may keep the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How to start the application.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// Its logs are shown at this level; kept otherwise.
    pub(crate) level: Option<&'static str>,
    /// Until it says that it has understood.
    pub(crate) timeout: Duration,
    /// Where a person is told that it was told to stop.
    pub(crate) output: Output,
    /// What to type to see what it did.
    pub(crate) status: String,
}

/// The application's process, and the file with what it answers.
pub(crate) struct Child {
    process: tokio::process::Child,
    file: File,
    read: Vec<u8>,
    heard: bool,
    answer: Option<Answer>,
    garbage: Option<String>,
    last: Arc<Mutex<VecDeque<String>>>,
}

impl Child {
    /// Starts the application, and waits for what it answers.
    pub(crate) async fn ask(launch: Launch, asked: &Asked, mut notice: impl FnMut(Notice)) -> Result<Answer> {
        let file = tempfile::NamedTempFile::new()?;
        let mut command = Command::new(&launch.path);
        command
            .args(&launch.args)
            .env(REQUEST, serde_json::to_string(asked)?)
            .env(RESULT, file.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(level) = launch.level {
            command.env("RUST_LOG", level);
        }
        let mut process = command.spawn().map_err(|error| not_started(&launch.path, &error))?;
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let show = launch.level.is_some();
        let pipes = [
            process.stdout.take().map(|pipe| tokio::spawn(follow(pipe, Arc::clone(&last), show))),
            process.stderr.take().map(|pipe| tokio::spawn(follow(pipe, Arc::clone(&last), show))),
        ];
        let result = File::open(file.path()).await?;
        let mut child =
            Self { process, file: result, read: Vec::new(), heard: false, answer: None, garbage: None, last };
        let ended = child.watch((launch.timeout, &launch.output), &mut notice).await;
        for pipe in pipes.into_iter().flatten() {
            let _ = tokio::time::timeout(LAST_WORDS, pipe).await;
        }
        child.outcome(ended, &launch)
    }

    /// Until the process has ended. [`None`]: it did not come to its point in time, and was killed.
    async fn watch(
        &mut self,
        (limit, output): (Duration, &Output),
        notice: &mut impl FnMut(Notice),
    ) -> Option<ExitStatus> {
        let began = tokio::time::Instant::now();
        let mut signals = Signals::new();
        let mut told = 0;
        loop {
            let ended = tokio::select! {
                ended = self.process.wait() => ended.ok(),
                () = tokio::time::sleep(PAUSE) => None,
                signal = signals.next() => {
                    self.signal(signal);
                    told += 1;
                    match told {
                        1 => output.note("stopping at a safe point; two more signals kill the application"),
                        LAST_SIGNAL.. => drop(self.process.start_kill()),
                        _ => {}
                    }
                    None
                }
            };
            self.read_lines(notice).await;
            if ended.is_some() {
                return ended;
            }
            if !self.heard && began.elapsed() > limit {
                let _ = self.process.kill().await;
                return None;
            }
        }
    }

    async fn read_lines(&mut self, notice: &mut impl FnMut(Notice)) {
        let _ = self.file.read_to_end(&mut self.read).await;
        while let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.read.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Line::Hello(PROTOCOL)) => self.heard = true,
                Ok(Line::Hello(other)) => {
                    self.garbage = Some(format!("it speaks version {other} of the protocol, not {PROTOCOL}"));
                }
                Ok(Line::Notice(event)) => notice(event),
                Ok(Line::Answer(answer)) => self.answer = Some(answer),
                Err(error) => self.garbage = Some(error.to_string()),
            }
        }
    }

    #[cfg(unix)]
    fn signal(&self, signal: nix::sys::signal::Signal) {
        // The terminal has sent it an interrupt already; a second one says the same.
        if let Some(id) = self.process.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal);
        }
    }

    #[cfg(not(unix))]
    fn signal(&mut self, (): ()) {
        let _ = self.process.start_kill();
    }

    fn outcome(self, ended: Option<ExitStatus>, launch: &Launch) -> Result<Answer> {
        let output: Vec<String> =
            self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let problem = |kind: &str, message: String| Err(Problem { output, ..Problem::new(kind, message) });
        let how = match (self.answer, ended) {
            (Some(answer), _) => return Ok(answer),
            (None, None) => {
                let limit = humantime::format_duration(launch.timeout);
                return problem(
                    "APP_SILENT",
                    format!(
                        "the application did not come to `Flamingock::run()` within {limit} and was ended. If it needs \
                         longer to start, say so with --app-timeout"
                    ),
                );
            }
            (None, Some(status)) => describe(status),
        };
        match self.garbage {
            Some(garbage) => problem(
                "APP_ANSWER",
                format!(
                    "the application's answer is not understood: {garbage}. It {how}. Use the `flamingock` of the same \
                     release as the application's library"
                ),
            ),
            None if self.heard => problem(
                "APP_DIED",
                format!(
                    "the application {how} before it answered. What it did is in the audit: see `{}`",
                    launch.status
                ),
            ),
            None => problem(
                "APP_DIED",
                format!("the application {how} without having come to `Flamingock::run()`"),
            ),
        }
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = nix::sys::signal::Signal::try_from(signal).map_or("", nix::sys::signal::Signal::as_str);
        return format!("was killed by signal {signal} {name}").trim_end().to_owned();
    }
    format!("ended with {status}").replace("exit status: ", "exit code ")
}

fn not_started(path: &std::path::Path, error: &std::io::Error) -> Problem {
    let path = path.display();
    let message = match error.kind() {
        ErrorKind::NotFound => format!("there is no application {path}: check --app"),
        ErrorKind::PermissionDenied => format!("{path} is not a program that may be run: check --app"),
        _ => format!("the application {path} cannot be started: {error}"),
    };
    Problem::new("APP_NOT_FOUND", message).exit(126)
}

/// Keeps the last lines, and shows them as they come where that was asked for.
async fn follow(pipe: impl AsyncRead + Unpin, last: Arc<Mutex<VecDeque<String>>>, show: bool) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        // What has no end is cut: a program may write anything.
        match (&mut reader).take(64 * 1024).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text: String = String::from_utf8_lossy(&line).trim_end().chars().take(2000).collect();
        if show {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
        }
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(text);
    }
}

/// SIGINT and SIGTERM reach the application, which stops at a safe point.
#[cfg(unix)]
struct Signals(Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok()))
    }

    async fn next(&mut self) -> nix::sys::signal::Signal {
        let Some((interrupt, terminate)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => nix::sys::signal::Signal::SIGINT,
            _ = terminate.recv() => nix::sys::signal::Signal::SIGTERM,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
