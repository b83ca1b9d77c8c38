//! The same on a real PostgreSQL, where `FLAMINGOCK_TEST_POSTGRES_URL` says that there is one.

use flamingock::sqlx;
use flamingock::sqlx::postgres::PgPool;

use crate::house::{Ended, House};

/// Names the server.
pub(crate) const URL: &str = "FLAMINGOCK_TEST_POSTGRES_URL";

pub(crate) fn an_issue_is_seen_ruled_and_left_behind_on_postgres() {
    let url = std::env::var(URL).expect("was looked at before");
    let prefix = format!("cli_{}_", std::process::id());
    let house = House::new();
    let with = |mut command: std::process::Command| {
        command.env("CLI_TEST_URL", &url).env("CLI_TEST_PREFIX", &prefix).env("FLAMINGOCK_AUDIT_STORE", &url);
        Ended::of(command.output().expect("starts"))
    };
    let run = |args: &[&str]| with(house.command(args));
    let ask = |scenario: &str, args: &[&str]| with(house.asking(scenario, args));
    std::fs::write(house.path("flamingock.toml"), format!("table_prefix = '{prefix}'")).expect("is written");

    run(&["status"]).exits(1).says("there is no audit in");
    ask("broken", &["execute", "apply"]).exits(1).says("503");
    run(&["status", "--check"]).exits(3).says("2 applied").says("1 issue");
    run(&["issue", "get"]).exits(0).says("the flag server answered 503");
    run(&["audit", "fix", "-c", "write-flag", "-r", "ROLLED_BACK", "--reason", "not there"]).exits(0);
    ask("good", &["execute", "apply"]).exits(0).says("SUCCESS");
    run(&["tag", "v1"]).exits(0);
    run(&["audit", "list", "--history", "--json"]).exits(0).json();
    run(&["audit", "verify"]).exits(0).says("10 entries");
    run(&["lock", "status"]).exits(0).says("free");

    let sql = |statement: String| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let pool = PgPool::connect(&url).await.expect("connects");
            let statement = sqlx::AssertSqlSafe(statement);
            sqlx::raw_sql(statement).execute(&pool).await.expect("is done");
        });
    };
    sql(format!("UPDATE {prefix}entries SET reason = 'another' WHERE sequence = 7"));
    run(&["audit", "verify"]).exits(1).says("first at entry 7");
    let wrong = "postgres://nobody:s3cr3t-pw@127.0.0.1:1/none";
    run(&["status", "--audit-store", wrong]).exits(1).hides("s3cr3t-pw");
    sql(format!("DROP TABLE {prefix}entries, {prefix}heads, {prefix}locks"));
}
