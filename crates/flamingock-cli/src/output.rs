use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use clap::error::ErrorKind;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Global;
use crate::error::{Problem, Result};
use crate::secret::Secrets;

/// Version of the JSON answers. A field may be added under the same number.
pub(crate) const SCHEMA: u32 = 1;

/// What a command has found out or done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) data: Value,
    pub(crate) text: String,
    pub(crate) exit: u8,
    /// What was to be said, or the end of it, is written already.
    pub(crate) written: bool,
}

impl Done {
    pub(crate) fn new(data: impl Serialize, text: impl Into<String>) -> Result<Self> {
        Ok(Self { data: serde_json::to_value(data)?, text: text.into(), exit: 0, written: false })
    }

    pub(crate) fn exit(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    /// Without what nobody may see.
    pub(crate) fn redacted(mut self, secrets: &Secrets) -> Self {
        self.text = secrets.redact_answer(&mut self.data, &self.text);
        self
    }

    /// After everything was written as it came.
    pub(crate) fn streamed() -> Self {
        Self { data: Value::Null, text: String::new(), exit: 0, written: true }
    }
}

/// How and where is answered.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) name: &'static str,
    /// On standard output, and on standard error: each may be a file.
    colour: bool,
    error_colour: bool,
}

/// What a word is coloured as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Warn,
    Dim,
    Strong,
}

impl Output {
    pub(crate) fn new(global: &Global, name: &'static str) -> Self {
        let (colour, error_colour) = colours(global.no_color);
        Self { json: global.json, quiet: global.quiet, name, colour, error_colour }
    }

    /// As far as it can be told before the arguments are understood.
    pub(crate) fn before(args: &[OsString]) -> Self {
        let has = |flag: &str| args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == flag);
        let (colour, error_colour) = colours(has("--no-color"));
        Self { json: has("--json"), quiet: false, name: "flamingock", colour, error_colour }
    }

    /// Whether what the parser shows may have colours.
    pub(crate) fn choice(&self) -> ColorChoice {
        if self.colour || self.error_colour { ColorChoice::Auto } else { ColorChoice::Never }
    }

    /// What was typed is not understood, or help was asked for.
    pub(crate) fn usage(&self, error: &clap::Error) -> ExitCode {
        let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        if self.json && !asked {
            let text = error.render().to_string();
            let message = text.trim().trim_start_matches("error: ").to_owned();
            return self.problem(self.name, &Problem::usage(message));
        }
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    }

    pub(crate) fn done(&self, done: &Done) -> ExitCode {
        let written = if done.written {
            Ok(())
        } else if self.json {
            Self::envelope(self.name, Some(&done.data), None, done.exit)
        } else {
            print(done.text.trim_end())
        };
        match written {
            Ok(()) => ExitCode::from(done.exit),
            Err(problem) if problem.is_gone() => ExitCode::from(done.exit),
            Err(problem) => self.problem(self.name, &problem),
        }
    }

    pub(crate) fn problem(&self, name: &str, problem: &Problem) -> ExitCode {
        if problem.is_gone() {
            return ExitCode::SUCCESS;
        }
        if self.json {
            let _ = Self::envelope(name, None, Some(problem), problem.exit);
            return ExitCode::from(problem.exit);
        }
        let mut text = String::new();
        if let Some(report) = &problem.report {
            text.push_str(&format!("{report}\n"));
        }
        text.push_str(&format!("{} {}", self.on_error(Tone::Bad, "error:"), problem.message.trim()));
        for cause in &problem.causes {
            text.push_str(&format!("\n  caused by: {cause}"));
        }
        if !problem.output.is_empty() {
            text.push_str("\n  the application's last lines:");
            problem.output.iter().for_each(|line| text.push_str(&format!("\n    {line}")));
        }
        let _ = writeln!(io::stderr(), "{text}");
        ExitCode::from(problem.exit)
    }

    fn envelope(name: &str, data: Option<&Value>, problem: Option<&Problem>, exit: u8) -> Result<()> {
        let answer = json!({
            "schema": SCHEMA,
            "command": name,
            // Exit code 3 is an answer: what was asked to be checked was.
            "ok": problem.is_none() && exit != 1,
            "exit": exit,
            "data": data,
            "error": problem,
        });
        print(&serde_json::to_string_pretty(&answer)?)
    }

    /// A word in its colour, where there are colours.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        painted(self.colour, tone, text)
    }

    /// The same on standard error.
    pub(crate) fn on_error(&self, tone: Tone, text: &str) -> String {
        painted(self.error_colour, tone, text)
    }

    /// Something besides the answer, for a person.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

fn painted(colour: bool, tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Warn => AnsiColor::Yellow.on_default(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
    };
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// How this program is called, as it is to be typed: an application has these commands under a word.
pub(crate) fn program(is_application: bool) -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let path = path.to_string_lossy();
    let name = crate::render::quoted(if path.is_empty() { "flamingock" } else { &path });
    if is_application { format!("{name} flamingock") } else { name }
}

/// Columns that a line may have; wide where nobody looks at it.
pub(crate) fn width() -> u16 {
    if !io::stdout().is_terminal() {
        return 200;
    }
    // Tables measure the terminal themselves.
    comfy_table::Table::new().width().unwrap_or(80).clamp(40, 400)
}

/// Writes a text and a new line.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Whether standard output may have colours, and standard error.
fn colours(no_color: bool) -> (bool, bool) {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let wanted = !no_color && unset("NO_COLOR") && !dumb;
    (wanted && io::stdout().is_terminal(), wanted && io::stderr().is_terminal())
}

/// Where the logs go.
pub(crate) fn log(global: &Global) {
    let level = match (global.log_level, global.quiet) {
        (Some(level), _) => level.filter(),
        (None, true) => "error",
        // AWS' search for credentials warns of every place that has none: the error tells.
        (None, false) => "warn,aws_config=error",
    };
    // An application may have set up its own already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_writer(io::stderr)
        .with_ansi(colours(global.no_color).1)
        .try_init();
}
