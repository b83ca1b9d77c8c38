//! The same on real servers, where the environment says that there are any.

use std::process::Command;

use flamingock::sqlx;
use flamingock::sqlx::mysql::MySqlPool;
use flamingock::sqlx::postgres::PgPool;

use crate::house::{Ended, House};

pub(crate) const POSTGRES: &str = "FLAMINGOCK_TEST_POSTGRES_URL";
pub(crate) const MARIADB: &str = "FLAMINGOCK_TEST_MARIADB_URL";

/// A house whose audit is on a server.
struct OnServer {
    house: House,
    url: String,
    prefix: String,
}

impl OnServer {
    fn new(url: String) -> Self {
        let (house, prefix) = (House::new(), format!("cli_{}_", std::process::id()));
        std::fs::write(house.path("flamingock.toml"), format!("table_prefix = '{prefix}'"))
            .expect("is written");
        Self { house, url, prefix }
    }

    fn with(&self, mut command: Command) -> Ended {
        let (url, prefix) = (&self.url, &self.prefix);
        command.env("CLI_TEST_URL", url).env("CLI_TEST_PREFIX", prefix).env("FLAMINGOCK_AUDIT_STORE", url);
        Ended::of(command.output().expect("starts"))
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.with(self.house.command(args))
    }

    fn ask(&self, scenario: &str, args: &[&str]) -> Ended {
        self.with(self.house.asking(scenario, args))
    }

    /// From an issue to the ruling and on, and undone and held at the end: 13 entries.
    fn lives_through_an_issue(&self) {
        self.run(&["status"]).exits(1).says("there is no audit in");
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
        self.run(&["doctor", "--upgrade"]).exits(0).says("nothing needs an upgrade");
    }

    /// What was changed behind everybody's back is found.
    fn finds(&self, change_behind_its_back: impl Fn(String)) {
        change_behind_its_back(format!(
            "UPDATE {}entries SET reason = 'another' WHERE sequence = 7",
            self.prefix
        ));
        self.run(&["audit", "verify"]).exits(1).says("first at entry 7");
        change_behind_its_back(format!("UPDATE {}heads SET format = 2", self.prefix));
        self.run(&["status"]).exits(1).says("format 2");
        self.run(&["doctor", "--upgrade"]).exits(1).says("format 2").hides("nothing needs an upgrade");
    }
}

fn wait_for(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
}

pub(crate) fn an_issue_is_seen_ruled_and_left_behind_on_postgres() {
    let url = std::env::var(POSTGRES).expect("was looked at before");
    let server = OnServer::new(url.clone());
    let sql = |statement: String| {
        wait_for(async {
            let pool = PgPool::connect(&url).await.expect("connects");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect("is done");
        });
    };
    server.lives_through_an_issue();
    server.finds(sql);
    for wrong in ["postgres://nobody:s3cr3t-pw@127.0.0.1:1/none", &with_a_wrong_password(&url)] {
        server.run(&["status", "--audit-store", wrong]).exits(1).hides("s3cr3t-pw");
    }
    let prefix = &server.prefix;
    sql(format!("DROP TABLE {prefix}entries, {prefix}heads, {prefix}locks"));
}

pub(crate) fn an_issue_is_seen_ruled_and_left_behind_on_mariadb() {
    let root = std::env::var(MARIADB).expect("was looked at before");
    let database = format!("cli_{}", std::process::id());
    let sql = |statement: String| {
        wait_for(async {
            let pool = MySqlPool::connect(&root).await.expect("connects");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect("is done");
        });
    };
    sql(format!("CREATE DATABASE {database}"));
    let url = format!("{}/{database}", root.trim_end_matches('/'));
    let server = OnServer::new(url.clone());
    server.lives_through_an_issue();
    server
        .finds(|statement| sql(statement.replace(&server.prefix, &format!("{database}.{}", server.prefix))));
    let wrong = with_a_wrong_password(&url);
    server.run(&["status", "--audit-store", &wrong]).exits(1).says("Access denied").hides("s3cr3t-pw");
    server.run(&["status", "--audit-store", &format!("{root}/nowhere")]).exits(1).says("nowhere");
    sql(format!("DROP DATABASE {database}"));
}

/// The same server, asked as somebody whom it does not let in.
fn with_a_wrong_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("is a URL");
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://nobody:s3cr3t-pw@{host}")
}
