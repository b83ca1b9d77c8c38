//! The servers that tests need: each its own unprivileged process, on a free port, with a temporary
//! folder. What the environment names is used instead.

mod debian;
mod dynamodb;
mod ferretdb;
mod fetched;
mod kafka;
mod mariadb;
mod maven;
mod moto;
mod mysql;
mod packages;
mod pgbouncer;
mod postgres;
mod redis;
mod server;
mod versitygw;

use std::env;

use anyhow::{Context, Result, bail};

pub(crate) use self::packages::prepare;
pub use self::server::Server;
use crate::interrupt::Interrupt;

/// A kind of server that tests know.
struct Service {
    /// What suites and `FLAMINGOCK_TEST_REQUIRE` call it.
    name: &'static str,
    /// The environment variable that tests find it by.
    variable: &'static str,
    origin: Origin,
    /// Given what runs already. `None`: it cannot be had here, or without one of those.
    start: fn(&[Server], &Interrupt) -> Result<Option<Server>>,
}

/// Where its programs are from.
enum Origin {
    /// This one must be installed, and this package has it.
    Package(&'static str, &'static str),
    /// A newer release of the machine's system.
    Debian(debian::Packages),
}

impl Origin {
    fn is_here(&self) -> bool {
        match self {
            Self::Package(program, _) => packages::program(program).is_ok(),
            Self::Debian(packages) => packages.are_fetched(),
        }
    }
}

/// In the order of start: what another one needs comes before it.
const SERVICES: [Service; 10] = [
    Service {
        name: "postgres",
        variable: "FLAMINGOCK_TEST_POSTGRES_URL",
        origin: Origin::Package("postgres", "postgresql"),
        start: postgres::start,
    },
    Service {
        name: "pgbouncer",
        variable: "FLAMINGOCK_TEST_PGBOUNCER_URL",
        origin: Origin::Package("pgbouncer", "pgbouncer"),
        start: pgbouncer::start,
    },
    Service {
        name: "mariadb",
        variable: "FLAMINGOCK_TEST_MARIADB_URL",
        origin: Origin::Package("mariadbd", "mariadb-server"),
        start: mariadb::start,
    },
    Service {
        name: "mysql",
        variable: "FLAMINGOCK_TEST_MYSQL_URL",
        origin: Origin::Debian(mysql::PACKAGES),
        start: mysql::start,
    },
    Service {
        name: "redis",
        variable: "FLAMINGOCK_TEST_REDIS_URL",
        origin: Origin::Package("redis-server", "redis-server"),
        start: redis::start,
    },
    Service {
        name: "mongodb",
        variable: "FLAMINGOCK_TEST_MONGODB_URL",
        origin: Origin::Package("go", "golang-go"),
        start: ferretdb::start,
    },
    // Maven brings Java, which runs it.
    Service {
        name: "dynamodb",
        variable: "FLAMINGOCK_TEST_DYNAMODB_URL",
        origin: Origin::Package("mvn", "maven"),
        start: dynamodb::start,
    },
    Service {
        name: "kafka",
        variable: "FLAMINGOCK_TEST_KAFKA_URL",
        origin: Origin::Package("mvn", "maven"),
        start: kafka::start,
    },
    Service {
        name: "moto",
        variable: "FLAMINGOCK_TEST_MOTO_URL",
        origin: Origin::Package("python3", "python3-venv"),
        start: moto::start,
    },
    Service {
        name: "versitygw",
        variable: "FLAMINGOCK_TEST_VERSITYGW_URL",
        origin: Origin::Package("go", "golang-go"),
        start: versitygw::start,
    },
];

/// All servers that there are: started here, or given. Dropped, those started here stop.
#[derive(Debug)]
pub struct Services {
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

    /// Starts those with these names although the environment may name others: they are one's own, to be
    /// crashed.
    ///
    /// # Errors
    /// When one is not installed and cannot be, or does not start.
    pub fn own(names: &[&str], interrupt: &Interrupt) -> Result<Self> {
        Self::start_each(|service| names.contains(&service.name), |_| false, interrupt)
    }

    /// Whether the programs of these servers are here.
    #[must_use]
    pub fn are_installed(names: &[&str]) -> bool {
        let mut wanted = SERVICES.into_iter().filter(|service| names.contains(&service.name));
        wanted.all(|service| service.origin.is_here())
    }

    /// One of those that were started here.
    ///
    /// # Errors
    /// When it was not.
    pub fn server(&mut self, name: &str) -> Result<&mut Server> {
        let server = self.started.iter_mut().find(|server| server.name == name);
        server.with_context(|| format!("{name} was not started here"))
    }

    fn start_those(wanted: impl Fn(&Service) -> bool, interrupt: &Interrupt) -> Result<Self> {
        let is_given = |service: &Service| env::var_os(service.variable).is_some_and(|url| !url.is_empty());
        Self::start_each(wanted, is_given, interrupt)
    }

    fn start_each(
        wanted: impl Fn(&Service) -> bool,
        is_given: impl Fn(&Service) -> bool,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let (given, absent): (Vec<_>, Vec<_>) = SERVICES.into_iter().filter(wanted).partition(is_given);
        packages::install(absent.iter().filter_map(|service| match service.origin {
            Origin::Package(program, package) => Some((program, package, service.variable)),
            Origin::Debian(_) => None,
        }))?;

        let given = given.iter().map(|service| service.name).collect();
        let mut services = Self { started: Vec::new(), given };
        for Service { name, variable, start, .. } in absent {
            interrupt.check()?;
            let server = start(&services.started, interrupt)
                .with_context(|| format!("{name} could not be started; {variable} can name another"))?;
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
        // One that is given may have no listener with TLS.
        let own_kafka = self.started.iter().filter(|server| server.name == "kafka");
        let started = self.started.iter().map(|server| server.name).chain(own_kafka.map(|_| "kafka-tls"));
        self.given.iter().copied().chain(started)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // Who needs another one stops before it.
        while self.started.pop().is_some() {}
    }
}

/// Starts the servers, or those with these names, prints how tests find them, and stays until a signal comes.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let known = SERVICES.map(|service| service.name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no server `{unknown}`: there is {}", known.join(", "));
    }
    let interrupt = Interrupt::listen()?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let services = if names.is_empty() {
        Services::start(&interrupt)?
    } else {
        Services::start_only(&names, &interrupt)?
    };
    for (variable, url) in services.urls() {
        println!("export {variable}='{url}'");
    }
    eprintln!("The servers run until Ctrl-C.");
    interrupt.wait();
    Ok(())
}
