use flamingock::sqlx;
use flamingock::sqlx::mysql::MySqlPool;
use flamingock::sqlx::postgres::PgPool;

use super::{Beside, MARIADB, MYSQL, POSTGRES, SECRET, name, server, wait};

impl Beside {
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

pub(super) fn on_postgres() {
    let url = server(POSTGRES);
    let beside = Beside::new(url.clone(), &name("life_"));
    let sql = |statement: String| {
        wait(async {
            let pool = PgPool::connect(&url).await.expect("connects");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect("is done");
        });
    };
    beside.is_lived_in();
    beside.finds(sql);
    let prefix = &beside.prefix;
    sql(format!("DROP TABLE {prefix}entries, {prefix}heads, {prefix}locks"));
}

pub(super) fn on_mariadb() {
    on(server(MARIADB));
}

pub(super) fn on_mysql() {
    on(server(MYSQL));
}

fn on(root: String) {
    let database = name("life");
    let sql = |statement: String| {
        wait(async {
            let pool = MySqlPool::connect(&root).await.expect("connects");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect("is done");
        });
    };
    sql(format!("CREATE DATABASE {database}"));
    let url = format!("{}/{database}", root.trim_end_matches('/'));
    let beside = Beside::new(url.clone(), "ops_");
    beside.is_lived_in();
    beside.finds(|statement| sql(statement.replace("ops_", &format!("{database}.ops_"))));
    beside.status(&as_nobody(&url), "").exits(1).says("Access denied");
    // A URL that leads nowhere is wrong.
    beside.status(&format!("{root}/nowhere"), "").exits(2).says("nowhere");
    beside.status(&url, "schema = 'ops'").exits(2).says("leave `schema` out");
    sql(format!("DROP DATABASE {database}"));
}

/// The same server, asked as somebody whom it does not let in.
fn as_nobody(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("is a URL");
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://nobody:{SECRET}@{host}")
}

pub(super) fn wrong_postgres() {
    let beside = Beside::new(server(POSTGRES), "");
    beside.status(&format!("postgres://nobody:{SECRET}@127.0.0.1:1/none"), "").exits(1).says("not reached");
    beside.status(&as_nobody(&server(POSTGRES)), "").exits(1);
    beside.status(&server(POSTGRES), "schema = 'no_such_schema'").exits(1).says("there is no audit in");
}
