//! What all servers have in common.
#![cfg(any(feature = "mysql", feature = "postgres"))]

use std::env;
use std::str::FromStr;
use std::sync::Once;

use flamingock_core::change::BoxError;
use sqlx::ConnectOptions;

use crate::{Options, name};

/// A kind of server, as it is asked for.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) schemes: &'static [&'static str],
    pub(crate) example: &'static str,
}

impl Server {
    /// What its URL says, or how to give one.
    pub(crate) fn connect_options<O: FromStr<Err = sqlx::Error>>(
        &self,
        options: &Options,
    ) -> Result<O, String> {
        let Self { name, variable, schemes, example } = self;
        let set = |variable: &str| env::var(variable).ok().filter(|url| !url.is_empty());
        let fits = |url: &String| schemes.iter().any(|scheme| url.starts_with(&format!("{scheme}://")));
        let given = match (options.url, options.variable) {
            (Some(url), _) => Some((url.to_owned(), "`url`".to_owned())),
            (None, Some(own)) => set(own).map(|url| (url, format!("the variable {own}"))),
            (None, None) => {
                set(variable).map(|url| (url, format!("the variable {variable}"))).or_else(|| {
                    Some((set("DATABASE_URL").filter(fits)?, "the variable DATABASE_URL".to_owned()))
                })
            }
        };
        match given {
            Some((url, place)) if fits(&url) => url.parse().map_err(|error| {
                format!(
                    "this test needs a {name} server, and {place} is no URL of one ({error}): its value \
                     should be like `{example}`"
                )
            }),
            Some((_, place)) => Err(format!(
                "this test needs a {name} server, and {place} names none: its value should be like `{example}`"
            )),
            None => Err(format!(
                "this test needs a {name} server: set {} to its URL, such as `{example}`, of a user that may \
             create databases",
                options.variable.unwrap_or(variable)
            )),
        }
    }
}

/// A connection to the server itself.
pub(crate) async fn connect<O: ConnectOptions<Connection: Sized>>(
    server: &O,
) -> Result<O::Connection, BoxError> {
    let connected = server.connect().await;
    connected.map_err(|error| format!("{} was not reached: {error}", address(server)).into())
}

/// Where it is, without its password.
pub(crate) fn address(options: &impl ConnectOptions) -> String {
    let mut url = options.to_url_lossy();
    // It cannot fail: the URL has a host.
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

/// Those of the databases that killed tests left behind; told once in this process.
pub(crate) fn abandoned(once: &Once, databases: Vec<String>) -> Vec<String> {
    let mut abandoned = Vec::new();
    once.call_once(|| abandoned = databases.into_iter().filter(|name| name::is_abandoned(name)).collect());
    abandoned
}
