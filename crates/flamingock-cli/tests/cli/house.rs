//! A directory with an audit, and the binary on it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use flamingock::sqlx;
use flamingock::sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

/// A directory of its own for each test.
#[derive(Debug)]
pub(crate) struct House {
    dir: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("is text"),
            err: String::from_utf8(output.stderr).expect("is text"),
        }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "no `{text}` in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }

    #[track_caller]
    pub(crate) fn hides(self, text: &str) -> Self {
        assert!(
            !self.out.contains(text) && !self.err.contains(text),
            "`{text}` in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let value: serde_json::Value = serde_json::from_str(&self.out).expect(&self.out);
        assert_eq!(value["schema"], 1);
        assert_eq!(value["exit"].as_i64(), self.code.map(i64::from));
        value
    }
}

impl House {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    /// After the application has run in a scenario.
    pub(crate) fn after(scenario: &str) -> Self {
        let house = Self::new();
        house.start(scenario);
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.path("audit.db").display())
    }

    /// Starts the application by itself.
    pub(crate) fn start(&self, scenario: &str) -> Ended {
        Ended::of(self.app(scenario).output().expect("starts"))
    }

    pub(crate) fn app(&self, scenario: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("is known"));
        command.args(["app", scenario]).arg(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// The command, on this audit store.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = bare();
        command.current_dir(self.dir.path()).env("FLAMINGOCK_AUDIT_STORE", self.url()).args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output().expect("starts"))
    }

    /// The command, with the application in a scenario.
    pub(crate) fn ask(&self, scenario: &str, args: &[&str]) -> Ended {
        Ended::of(self.asking(scenario, args).output().expect("starts"))
    }

    pub(crate) fn asking(&self, scenario: &str, args: &[&str]) -> Command {
        let mut command = self.command(args);
        let app = std::env::current_exe().expect("is known");
        command.arg("--app").arg(app).args(["--", "app", scenario]).arg(self.dir.path());
        command
    }

    /// Changes the audit behind everybody's back.
    pub(crate) fn tamper(&self, statements: &str) {
        let options = SqliteConnectOptions::new().filename(self.path("audit.db"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let pool = SqlitePool::connect_with(options).await.expect("opens");
            let statements = sqlx::AssertSqlSafe(statements.to_owned());
            sqlx::raw_sql(statements).execute(&pool).await.expect("is done");
            pool.close().await;
        });
    }
}

/// The command without anything of this process' surroundings.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flamingock"));
    for name in [
        "FLAMINGOCK_AUDIT_STORE",
        "FLAMINGOCK_LOCK_STORE",
        "FLAMINGOCK_SERVICE",
        "FLAMINGOCK_TENANT",
        "NO_COLOR",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
