//! The servers that tests need: each its own unprivileged process, on a free port, with a temporary
//! folder. What the environment names is used instead.

mod dynamodb;
mod ferretdb;
mod mariadb;
mod packages;
mod pgbouncer;
mod postgres;
mod redis;
mod server;

use std::env;

use anyhow::{Context, Result};

use self::server::Server;
use crate::interrupt::Interrupt;

/// A kind of server that tests know.
struct Service {
    /// What suites and `FLAMINGOCK_TEST_REQUIRE` call it.
    name: &'static str,
    /// The environment variable that tests find it by.
    variable: &'static str,
    /// How to start one; `None` where it is used by its URL only.
    own: Option<Own>,
}

struct Own {
    program: &'static str,
    package: &'static str,
    /// Given what runs already. `None`: it needs one of those, and that was not started here.
    start: fn(&[Server], &Interrupt) -> Result<Option<Server>>,
}

/// In the order of start: what another one needs comes before it.
const SERVICES: [Service; 7] = [
    Service {
        name: "postgres",
        variable: "FLAMINGOCK_TEST_POSTGRES_URL",
        own: Some(Own { program: "postgres", package: "postgresql", start: postgres::start }),
    },
    Service {
        name: "pgbouncer",
        variable: "FLAMINGOCK_TEST_PGBOUNCER_URL",
        own: Some(Own { program: "pgbouncer", package: "pgbouncer", start: pgbouncer::start }),
    },
    Service {
        name: "mariadb",
        variable: "FLAMINGOCK_TEST_MARIADB_URL",
        own: Some(Own { program: "mariadbd", package: "mariadb-server", start: mariadb::start }),
    },
    // MySQL proper is no package of Debian's: without a URL its tests are reported as ignored.
    Service { name: "mysql", variable: "FLAMINGOCK_TEST_MYSQL_URL", own: None },
    Service {
        name: "redis",
        variable: "FLAMINGOCK_TEST_REDIS_URL",
        own: Some(Own { program: "redis-server", package: "redis-server", start: redis::start }),
    },
    Service {
        name: "mongodb",
        variable: "FLAMINGOCK_TEST_MONGODB_URL",
        own: Some(Own { program: "go", package: "golang-go", start: ferretdb::start }),
    },
    // Maven brings Java, which runs it.
    Service {
        name: "dynamodb",
        variable: "FLAMINGOCK_TEST_DYNAMODB_URL",
        own: Some(Own { program: "mvn", package: "maven", start: dynamodb::start }),
    },
];

/// All servers that there are: started here, or given. Dropped, those started here stop.
pub(crate) struct Services {
    started: Vec<Server>,
    given: Vec<&'static str>,
}

impl Services {
    /// Installs what is missing and starts what is not given, one after the other, until each answers.
    pub(crate) fn start(interrupt: &Interrupt) -> Result<Self> {
        Self::start_those(|_| true, interrupt)
    }

    /// The same for those with these names.
    pub(crate) fn start_only(names: &[&str], interrupt: &Interrupt) -> Result<Self> {
        Self::start_those(|service| names.contains(&service.name), interrupt)
    }

    fn start_those(wanted: impl Fn(&Service) -> bool, interrupt: &Interrupt) -> Result<Self> {
        let is_given = |service: &Service| env::var_os(service.variable).is_some_and(|url| !url.is_empty());
        let (given, absent): (Vec<_>, Vec<_>) = SERVICES.into_iter().filter(wanted).partition(is_given);
        let own: Vec<_> =
            absent.into_iter().filter_map(|Service { variable, own, .. }| Some((variable, own?))).collect();
        packages::install(own.iter().map(|(variable, own)| (own.program, own.package, *variable)))?;

        let given = given.iter().map(|service| service.name).collect();
        let mut services = Self { started: Vec::new(), given };
        for (variable, own) in own {
            interrupt.check()?;
            let server = (own.start)(&services.started, interrupt).with_context(|| {
                format!("{} could not be started; {variable} can name another", own.program)
            })?;
            services.started.extend(server);
        }
        Ok(services)
    }

    /// What tests find the servers by, as `(variable, URL)`, of those that were started here.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let url = |name| self.started.iter().find(move |server| server.name == name);
        SERVICES
            .into_iter()
            .filter_map(move |service| Some((service.variable, url(service.name)?.url.as_str())))
    }

    /// The names of all servers that tests must find.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.given.iter().copied().chain(self.started.iter().map(|server| server.name))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // Who needs another one stops before it.
        while self.started.pop().is_some() {}
    }
}

/// Starts the servers, prints how tests find them, and stays until a signal comes.
pub(crate) fn run() -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let services = Services::start(&interrupt)?;
    for (variable, url) in services.urls() {
        println!("export {variable}='{url}'");
    }
    eprintln!("The servers run until Ctrl-C.");
    interrupt.wait();
    Ok(())
}
