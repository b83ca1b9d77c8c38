use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Problem, Result};
use crate::secret::{Secrets, expand};

/// Read from the working directory when nothing else is said.
const FILE: &str = "flamingock.toml";

/// `flamingock.toml`. The reference is `docs/src/cli.md`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) audit_store: Option<String>,
    pub(crate) table_prefix: Option<String>,
    /// Schema of the tables, on PostgreSQL.
    pub(crate) schema: Option<String>,
    /// The lock, where it is kept elsewhere than the audit.
    pub(crate) lock_store: Option<String>,
    /// What the lock's names begin with, there.
    pub(crate) lock_prefix: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) operator: Option<String>,
    pub(crate) app: Option<App>,
}

/// The application, for what needs its code.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct App {
    pub(crate) path: PathBuf,
    #[serde(default)]
    pub(crate) args: Vec<String>,
}

impl Config {
    /// From the file that was named, or from the one in the working directory if there is one.
    pub(crate) fn read(named: Option<&Path>, secrets: &mut Secrets) -> Result<Self> {
        let path = named.unwrap_or(Path::new(FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(unusable(path, &error.to_string())),
        };
        Self::parse(&text, path, secrets)
    }

    fn parse(text: &str, path: &Path, secrets: &mut Secrets) -> Result<Self> {
        // The parser's message quotes the line, which may hold a password.
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
            let at = line.map(|line| format!(" line {line}:")).unwrap_or_default();
            unusable(path, &format!("{at} {}", without_value(error.message())))
        })?;
        let Self {
            audit_store,
            table_prefix,
            schema,
            lock_store,
            lock_prefix,
            service,
            tenant,
            operator,
            app,
        } = &mut config;
        let texts = [audit_store, lock_store, operator].into_iter().flatten();
        for text in texts.chain(app.iter_mut().flat_map(|app| &mut app.args)) {
            *text = expand(text, secrets).map_err(|problem| unusable(path, &problem))?;
        }
        // Names are no secrets, and are in what is to be typed.
        for text in [table_prefix, schema, lock_prefix, service, tenant].into_iter().flatten() {
            *text = expand(text, &mut Secrets::default()).map_err(|problem| unusable(path, &problem))?;
        }
        Ok(config)
    }
}

/// What is said of a value of the wrong type, without the value: it may be a password.
fn without_value(message: &str) -> &str {
    if !["invalid type:", "invalid value:"].iter().any(|start| message.starts_with(start)) {
        return message;
    }
    let at = message.rfind(", expected ").map_or(message.len(), |at| at + ", ".len());
    &message[at..]
}

fn unusable(path: &Path, problem: &str) -> Problem {
    let message = format!("the configuration {}: {}", path.display(), problem.trim());
    Problem { exit: 2, ..Problem::new("CONFIG", message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t-s3cr3t";

    /// A line of the file with a text where it belongs, or where something else does.
    const LINES: [&str; 4] = [
        "audit_store = \"postgres://jane:SECRET@db/orders\"\n",
        "[app]\npath = \"./orders\"\nargs = \"--db postgres://jane:SECRET@db/orders\"\n",
        "app = \"SECRET, expected a map\"\n",
        "[app]\npath = [\"SECRET\"]\n",
    ];

    #[test]
    fn any_configuration_is_read_or_refused_without_its_password() {
        bolero::check!().with_type::<(String, String, u8, u8)>().for_each(|(before, after, line, cut)| {
            let line = LINES[usize::from(*line) % LINES.len()].replace("SECRET", SECRET);
            let line = &line[..line.len() - usize::from(*cut % 20)];
            // Never the environment's own, and no file.
            let text = format!("{before}\n{line}{after}").replace("${", "$");
            if let Err(problem) = Config::parse(&text, Path::new(FILE), &mut Secrets::default()) {
                assert!(!format!("{problem:?}").contains(SECRET), "{problem:?}");
            }
        });
    }

    #[test]
    fn of_a_value_of_the_wrong_type_is_told_what_belongs_there() {
        for (text, said) in [
            ("audit_store = 4711", "line 1: expected a string"),
            ("[app]\npath = 'x'\nargs = '4711'", "line 3: expected a sequence"),
            ("[app]\npath = 'x'\nargs = ['--pin', 4711]", "line 3: expected a string"),
            ("app = '4711, expected x'", "line 1: expected struct App"),
        ] {
            let problem = Config::parse(text, Path::new(FILE), &mut Secrets::default()).expect_err(text);
            assert!(problem.message.ends_with(said), "{}", problem.message);
        }
    }
}
