use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Answer, Asked, Failure};
use crate::event::Event;
use crate::lock::Holder;
use crate::report::ChangeReport;
use crate::{Flamingock, RunErrorKind};

/// The environment variable with what is [`Asked`] for, as JSON.
pub const REQUEST: &str = "FLAMINGOCK_CLI_REQUEST";

/// The environment variable with the path of the file that takes the [`Line`]s of the answer.
pub const RESULT: &str = "FLAMINGOCK_CLI_RESULT";

/// Version of what is said between the command line and an application.
pub const PROTOCOL: u32 = 1;

/// A line of the result file, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The application has understood: version of the protocol.
    Hello(u32),
    /// Something happened.
    Notice(Notice),
    /// The last line.
    Answer(Answer),
}

/// An [`Event`] that can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    /// Whose audit store it is: the application's own, whatever else the command line knows.
    AuditStore {
        /// Where it is, without secrets.
        address: String,
    },
    /// See [`Event::Waiting`].
    Waiting {
        /// Who has the lock.
        holder: Holder,
    },
    /// See [`Event::StageStarted`].
    StageStarted {
        /// Its name.
        stage: String,
        /// How many of its changes are pending.
        pending: usize,
    },
    /// See [`Event::ChangeStarted`].
    ChangeStarted {
        /// Id of the change.
        change: String,
        /// Its stage.
        stage: String,
        /// Its target system.
        target_system: String,
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// See [`Event::ChangeProgress`].
    ChangeProgress {
        /// Id of the change.
        change: String,
        /// How much is done.
        done: u64,
        /// Of how much.
        total: u64,
        /// In its own words.
        message: String,
    },
    /// See [`Event::ChangeFinished`].
    ChangeFinished {
        /// How.
        report: ChangeReport,
    },
}

impl Notice {
    /// Of an event that is worth sending.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        Some(match *event {
            Event::Waiting { holder } => Self::Waiting { holder: holder.clone() },
            Event::StageStarted { stage, pending } => Self::StageStarted { stage: stage.to_owned(), pending },
            Event::ChangeStarted { change, stage, target_system, attempt } => Self::ChangeStarted {
                change: change.to_owned(),
                stage: stage.to_owned(),
                target_system: target_system.to_owned(),
                attempt,
            },
            Event::ChangeProgress { change, done, total, message } => {
                Self::ChangeProgress { change: change.to_owned(), done, total, message: message.to_owned() }
            }
            Event::ChangeFinished { report } => Self::ChangeFinished { report: report.clone() },
            _ => return None,
        })
    }
}

/// The `flamingock` command that started this process, and waits for an answer.
#[derive(Debug)]
pub(crate) struct Remote {
    request: String,
    file: PathBuf,
}

impl Remote {
    /// Whether this process was started for an answer.
    pub(crate) fn from_env() -> Option<Self> {
        let request = std::env::var(REQUEST).ok()?;
        let file = std::env::var_os(RESULT)?.into();
        Some(Self { request, file })
    }

    /// Does what was asked for, answers, and ends the process: the application is not to go on.
    pub(crate) async fn serve(self, app: &Flamingock) -> ! {
        let code = match self.answer(app).await {
            Ok(code) => code,
            Err(error) => {
                let file = self.file.display();
                tracing::error!(%error, %file, "the command line cannot be answered: its file cannot be written");
                1
            }
        };
        // The one place where the library ends the process: the command line asked for that.
        std::process::exit(i32::from(code))
    }

    async fn answer(&self, app: &Flamingock) -> io::Result<u8> {
        let out = std::sync::Arc::new(Out(Mutex::new(OpenOptions::new().append(true).open(&self.file)?)));
        out.line(&Line::Hello(PROTOCOL))?;
        out.line(&Line::Notice(Notice::AuditStore { address: app.store.address() }))?;
        let answer = match serde_json::from_str::<Asked>(&self.request) {
            Ok(asked) => {
                let events = std::sync::Arc::clone(&out);
                let app = app.listened_to(move |event| {
                    // Progress is worth less than the run: a full disk must not stop it.
                    if let Some(notice) = Notice::of(event) {
                        let _ = events.line(&Line::Notice(notice));
                    }
                });
                app.stopped_by_signals().answer_asked(&asked).await
            }
            Err(error) => Answer::Failed(Box::new(Failure {
                kind: RunErrorKind::Refused,
                message: format!(
                    "the application does not understand what the command line asks for: {error}. \
                     Use the `flamingock` of the same release as the application's library"
                ),
                causes: Vec::new(),
                report: None,
            })),
        };
        let code = answer.exit_code();
        out.line(&Line::Answer(answer))?;
        Ok(code)
    }
}

/// The result file. A line is one write, so that a reader never sees half of one after another.
struct Out(Mutex<File>);

impl Out {
    fn line(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text)
    }
}

impl Flamingock {
    /// The same, heard by one more listener.
    #[must_use]
    pub fn heard_by(&self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.listened_to(listener)
    }

    /// The same, stopping at a safe point on SIGINT and SIGTERM.
    #[must_use]
    pub fn stopped_by_signals(mut self) -> Self {
        let token = self.settings.cancel.child_token();
        self.settings.cancel = token.clone();
        tokio::spawn(async move {
            signalled().await;
            token.cancel();
        });
        self
    }
}

/// Resolves on SIGINT or SIGTERM.
#[cfg(unix)]
pub async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Resolves on Ctrl-C.
#[cfg(not(unix))]
pub async fn signalled() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::Request;

    /// Between a command line and an application of different releases, or through a broken file.
    #[test]
    fn any_message_is_read_or_refused() {
        let answer = Line::Answer(Answer::Failed(Box::new(Failure {
            kind: RunErrorKind::Refused,
            message: "no".to_owned(),
            causes: vec!["why".to_owned()],
            report: None,
        })));
        let answer = serde_json::to_vec(&answer).expect("JSON");
        serde_json::from_slice::<Line>(&answer).expect("it is understood");
        bolero::check!().with_type::<(Vec<(u16, u8)>, String)>().for_each(|(edits, other)| {
            let mut bytes = answer.clone();
            for (at, byte) in edits {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
            }
            for bytes in [&bytes[..], other.as_bytes()] {
                if let Ok(line) = serde_json::from_slice::<Line>(bytes) {
                    let again = serde_json::to_vec(&line).expect("JSON");
                    serde_json::from_slice::<Line>(&again).expect("it is understood");
                }
                let _ = serde_json::from_slice::<Request>(bytes);
            }
        });
    }
}
