use flamingock::redis_client;

use super::{Beside, POSTGRES, REDIS, SECRET, name, server};

/// A command to Redis, its words separated by spaces.
fn told(command: &str) {
    let mut words = command.split(' ');
    let client = redis_client::Client::open(server(REDIS)).expect("a URL");
    let mut connection = client.get_connection().expect("connects");
    let mut asked = redis_client::cmd(words.next().expect("a word"));
    words.for_each(|word| {
        asked.arg(word);
    });
    asked.exec(&mut connection).expect("is done");
}

pub(super) fn on_redis() {
    let prefix = name("life:");
    let beside = Beside::new(server(REDIS), &prefix);
    beside.is_lived_in();
    told(&format!("XDEL {prefix}{{orders/}}:log 7-0"));
    beside.run(&["audit", "verify"]).exits(1).says("entry 7");
}

pub(super) fn lock_in_redis() {
    let (url, prefix, lock) = (server(POSTGRES), name("locked_"), server(REDIS));
    let beside = Beside::new(url, &prefix);
    let configured =
        format!("table_prefix = '{prefix}'\nlock_store = '{lock}'\nlock_prefix = '{prefix}lock:'");
    let path = beside.house.path("flamingock.toml");
    std::fs::write(&path, configured).expect("is written");
    let asking = |scenario: &str| {
        let mut command = beside.with(beside.house.asking(scenario, &["execute", "apply"]));
        command.env("CLI_TEST_LOCK", &lock);
        command
    };
    let mut slow = asking("slow").spawn().expect("starts");
    let since = std::time::Instant::now();
    while !beside.house.path("started").exists() {
        assert!(since.elapsed().as_secs() < 30, "it does not come to its last change");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    beside.run(&["lock", "status"]).exits(0).says("held");
    let fix = ["audit", "fix", "-c", "write-flag", "-r", "APPLIED", "--reason", "seen", "--wait", "0s"];
    beside.run(&fix).exits(4);
    beside.run(&["lock", "release", "--force", "--reason", "it hangs"]).exits(0);
    let ended = slow.wait().expect("ends");
    assert!(!ended.success(), "it was put out of office");
    beside.run(&["lock", "status"]).exits(0).says("free");
    let wrong = format!("redis://:{SECRET}@127.0.0.1:1");
    let status = |url: &str| beside.run(&["status", "--lock-store", url]).hides(SECRET);
    status(&wrong).exits(1).says("lock store: connect failed");
    status("ftp://x").exits(2).says("the lock store's URL begins with `ftp`");
}

pub(super) fn wrong_redis() {
    let url = server(REDIS);
    let (_, host) = url.split_once("://").expect("a URL");
    let prefix = name("wrong:");
    let user = name("nobody");
    told(&format!("ACL SETUSER {user} on >{SECRET} ~{prefix}* +ping"));
    told(&format!("SET {prefix}histories something"));
    let beside = Beside::new(url.clone(), &prefix);
    let configured = format!("table_prefix = '{prefix}'");

    beside.status(&format!("redis://:{SECRET}@127.0.0.1:1"), "").exits(1).says("refused");
    beside.status(&format!("redis://:{SECRET}@{host}"), "").exits(1).says("check user and password");
    beside.status(&format!("redis://{user}:{SECRET}@{host}"), &configured).exits(1).says("the user needs");
    beside.status(&format!("redis://{user}:{SECRET}"), "").exits(2).says("The form is");
    beside.status(&format!("redis-cluster://{host}"), "").exits(2).says("of a single server");
    beside.status(&url, &configured).exits(1).says("holds something else");
    beside.status(&url, "table_prefix = '{a}'").exits(1).says("cannot be used");
    beside.status(&url, "schema = 'ops'").exits(2).says("leave `schema` out");
    told(&format!("ACL DELUSER {user}"));
}
