use std::env;

use flamingock_core::change::ChangeSet;

/// What `#[flamingock::test(..)]` says.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) url: Option<&'static str>,
    pub(crate) variable: Option<&'static str>,
    pub(crate) changes: Option<ChangeSet>,
    pub(crate) service: Option<&'static str>,
}

/// A kind of server, as it is asked for.
#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    expect(dead_code, reason = "SQLite has no server")
)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) schemes: &'static [&'static str],
    pub(crate) example: &'static str,
}

impl Options {
    /// An empty database, on the server that the environment names.
    pub fn new() -> Self {
        Self::default()
    }

    /// `url = ".."`: URL of the server.
    #[must_use]
    pub fn url(mut self, url: &'static str) -> Self {
        self.url = Some(url);
        self
    }

    /// `env = ".."`: the variable that has the URL of the server.
    #[must_use]
    pub fn env(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }

    /// `changes = ..`: these changes are applied when the test begins.
    #[must_use]
    pub fn changes(mut self, changes: ChangeSet) -> Self {
        self.changes = Some(changes);
        self
    }

    /// `service = ".."`: whose changes they are; `test` unless told.
    #[must_use]
    pub fn service(mut self, service: &'static str) -> Self {
        self.service = Some(service);
        self
    }

    /// Whose changes they are.
    pub(crate) fn service_name(&self) -> &'static str {
        self.service.unwrap_or("test")
    }

    /// Where the server is, or how to say so.
    #[cfg_attr(
        not(any(feature = "mysql", feature = "postgres")),
        expect(dead_code, reason = "SQLite has no server")
    )]
    pub(crate) fn server(&self, server: &Server) -> Result<String, String> {
        let Server { name, variable, schemes, example } = server;
        let set = |variable: &str| env::var(variable).ok().filter(|url| !url.is_empty());
        let fits = |url: &String| schemes.iter().any(|scheme| url.starts_with(&format!("{scheme}://")));
        let given = match (self.url, self.variable) {
            (Some(url), _) => Some((url.to_owned(), "`url`".to_owned())),
            (None, Some(own)) => set(own).map(|url| (url, format!("the variable {own}"))),
            (None, None) => {
                set(variable).map(|url| (url, format!("the variable {variable}"))).or_else(|| {
                    Some((set("DATABASE_URL").filter(fits)?, "the variable DATABASE_URL".to_owned()))
                })
            }
        };
        match given {
            Some((url, _)) if fits(&url) => Ok(url),
            Some((_, place)) => Err(format!(
                "this test needs a {name} server, and {place} names none: its value should be like `{example}`"
            )),
            None => Err(format!(
                "this test needs a {name} server: set {} to its URL, such as `{example}`, of a user that may \
                 create databases",
                self.variable.unwrap_or(variable)
            )),
        }
    }
}
