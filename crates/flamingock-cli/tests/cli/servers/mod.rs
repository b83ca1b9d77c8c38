//! The same on real servers, where the environment says that they are there.

mod dynamodb;
mod mongodb;
mod redis;
mod sql;

use std::process::Command;

use crate::house::{Ended, House};

const POSTGRES: &str = "FLAMINGOCK_TEST_POSTGRES_URL";
const MARIADB: &str = "FLAMINGOCK_TEST_MARIADB_URL";
const MYSQL: &str = "FLAMINGOCK_TEST_MYSQL_URL";
const REDIS: &str = "FLAMINGOCK_TEST_REDIS_URL";
const MONGODB: &str = "FLAMINGOCK_TEST_MONGODB_URL";
const DYNAMODB: &str = "FLAMINGOCK_TEST_DYNAMODB_URL";

/// Shown nowhere.
const SECRET: &str = "s3cr3t-pw";

/// With the variables that name its servers.
type Case = (&'static [&'static str], &'static str, fn());

/// Each by its own name.
pub(crate) const CASES: [Case; 11] = [
    (&[POSTGRES], "an_issue_is_seen_ruled_and_left_behind_on_postgres", sql::on_postgres),
    (&[MARIADB], "an_issue_is_seen_ruled_and_left_behind_on_mariadb", sql::on_mariadb),
    (&[MYSQL], "an_issue_is_seen_ruled_and_left_behind_on_mysql", sql::on_mysql),
    (&[REDIS], "an_issue_is_seen_ruled_and_left_behind_on_redis", redis::on_redis),
    (&[MONGODB], "an_issue_is_seen_ruled_and_left_behind_on_mongodb", mongodb::on_mongodb),
    (&[DYNAMODB], "an_issue_is_seen_ruled_and_left_behind_on_dynamodb", dynamodb::on_dynamodb),
    (&[POSTGRES, REDIS], "a_lock_in_redis_of_an_audit_in_postgres_is_seen_and_taken", redis::lock_in_redis),
    (&[POSTGRES], "a_wrong_way_to_postgres_is_explained", sql::wrong_postgres),
    (&[REDIS], "a_wrong_way_to_redis_is_explained", redis::wrong_redis),
    (&[MONGODB], "a_wrong_way_to_mongodb_is_explained", mongodb::wrong_mongodb),
    (&[DYNAMODB], "a_wrong_way_to_dynamodb_is_explained", dynamodb::wrong_dynamodb),
];

/// An audit on a server, beside the house.
struct Beside {
    house: House,
    url: String,
    prefix: String,
}

impl Beside {
    fn new(url: String, prefix: &str) -> Self {
        let house = House::new();
        let prefix = prefix.to_owned();
        // DynamoDB's URL names the table.
        if !prefix.is_empty() {
            std::fs::write(house.path("flamingock.toml"), format!("table_prefix = '{prefix}'"))
                .expect("is written");
        }
        Self { house, url, prefix }
    }

    fn with(&self, mut command: Command) -> Command {
        command.env("CLI_TEST_URL", &self.url).env("CLI_TEST_PREFIX", &self.prefix);
        command.env("FLAMINGOCK_AUDIT_STORE", &self.url);
        // Nothing of whoever runs the tests.
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_REGION").env_remove("AWS_PROFILE");
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", SECRET);
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.with(self.house.command(args)).output().expect("starts"))
    }

    fn ask(&self, scenario: &str, args: &[&str]) -> Ended {
        Ended::of(self.with(self.house.asking(scenario, args)).output().expect("starts"))
    }

    /// A look at another URL, or with another configuration.
    fn status(&self, url: &str, configuration: &str) -> Ended {
        std::fs::write(self.house.path("flamingock.toml"), configuration).expect("is written");
        self.run(&["status", "--audit-store", url]).hides(SECRET)
    }

    /// From an issue to the ruling and on, and undone and held at the end: 13 entries.
    fn is_lived_in(&self) {
        self.run(&["status"]).exits(1).says("there is no audit in").hides(SECRET);
        self.ask("broken", &["execute", "apply"]).exits(1).says("503");
        self.run(&["status", "--check"]).exits(3).says("2 applied").says("1 issue");
        self.run(&["issue", "get"]).exits(0).says("the flag server answered 503");
        self.run(&["audit", "fix", "-c", "write-flag", "-r", "ROLLED_BACK", "--reason", "not there"])
            .exits(0);
        self.ask("good", &["execute", "apply"]).exits(0).says("SUCCESS");
        self.run(&["tag", "v1"]).exits(0);
        self.ask("good", &["undo", "--change", "add-tracking", "--hold", "--yes"]).exits(0).says("UNDONE");
        self.run(&["release", "add-tracking"]).exits(0).says("released (entry 13");
        self.run(&["audit", "list", "--history", "--json"]).exits(0).json();
        self.run(&["audit", "list", "--history"]).exits(0).says("hold").says("release");
        self.run(&["audit", "verify"]).exits(0).says("13 entries");
        self.run(&["lock", "status"]).exits(0).says("free");
        self.run(&["doctor", "--upgrade"]).exits(0).says("nothing needs an upgrade").hides(SECRET);
    }
}

fn server(variable: &str) -> String {
    std::env::var(variable).expect("was looked at before")
}

fn name(what: &str) -> String {
    format!("cli_{what}_{}", std::process::id())
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}
