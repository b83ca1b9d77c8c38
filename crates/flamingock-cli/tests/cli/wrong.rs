//! What is typed or configured wrong.

use crate::house::{Ended, House, bare};

pub(crate) fn what_is_typed_wrong_is_a_usage_error_in_text_and_in_json() {
    let house = House::after("good");
    for args in [
        &["frobnicate"][..],
        &["audit", "list", "--since", "yesterday"],
        &["audit", "list", "--state", "BROKEN"],
        &["audit", "list", "--since", "2026-13-45"],
        &["status", "--log-level", "loud"],
        &["audit", "fix"],
        &[],
    ] {
        house.run(args).exits(2);
        if !args.is_empty() {
            let answer = house.run(&[args, &["--json"]].concat()).exits(2).json();
            assert_eq!(answer["error"]["kind"], "USAGE", "{args:?}");
        }
    }
    // A name may begin with a hyphen.
    for args in [
        &["issue", "get", "-c", "-x"][..],
        &["audit", "fix", "-c", "-x", "-r", "APPLIED", "--reason", "x"],
        &["audit", "show", "-x"],
        &["audit", "show", "-q", "-x", "--no-color"],
        &["audit", "list", "--change", "-x"],
    ] {
        house.run(args).exits(1).says("the audit knows no change `-x`");
    }
    house.run(&["status", "--service", "-x"]).exits(2).says("no history `-x`");
    Ended::of(bare().arg("status").output().expect("starts")).exits(2).says("--audit-store");
    house.run(&["status", "--audit-store", "ftp://x"]).exits(2).says("`ftp`").says("`sqlite://`");
    house.run(&["status", "--audit-store", "nonsense"]).exits(2);
    house.run(&["status", "--audit-store", "sqlite:///nowhere/audit.db"]).exits(1).says("there is no file");
    assert!(!house.path("other.db").exists());
    std::os::unix::fs::symlink(house.path("."), house.path("my dir")).expect("is linked");
    house.run(&["status", "--audit-store", "sqlite://my%20dir/audit.db"]).exits(0).says("3 applied");
    house.run(&["status", "--audit-store", "sqlite://other.db"]).exits(1);
    assert!(!house.path("other.db").exists(), "a look creates nothing");
}

pub(crate) fn secrets_are_never_shown() {
    let house = House::after("good");
    for url in [
        "mysqlx://jane:s3cr3t-pw@db/orders",
        "postgres://jane:s3cr3t-pw@127.0.0.1:1/orders",
        "sqlite://jane:s3cr3t-pw@nowhere.db",
        "sqlite:///nowhere.db?password=s3cr3t-pw",
    ] {
        for more in [&[][..], &["--json"], &["-l", "trace"]] {
            let ended = house.run(&[&["status", "--audit-store", url][..], more].concat());
            assert_ne!(ended.code, Some(0), "{url}");
            ended.hides("s3cr3t-pw");
        }
    }
    std::fs::write(house.path("flamingock.toml"), "audit_store = 'mysqlx://jane:${HUSH}@db/orders'")
        .expect("is written");
    let mut command = bare();
    command.current_dir(house.path(".")).env("HUSH", "s3cr3t-pw").arg("status");
    Ended::of(command.output().expect("starts")).exits(2).hides("s3cr3t-pw");
    std::fs::write(house.path("flamingock.toml"), "operator = '${file:hush}'").expect("is written");
    std::fs::write(house.path("hush"), "s3cr3t-pw").expect("is written");
    for more in [&["-q"][..], &["--json"]] {
        let leaks = House::new();
        let mut command = leaks.asking("leaks", &[&["execute", "apply"][..], more].concat());
        command.current_dir(house.path("."));
        Ended::of(command.output().expect("starts")).exits(1).says("refused ***").hides("s3cr3t-pw");
    }
    // What was stored is looked through when it is shown.
    let leaks = House::new();
    leaks.start("leaks").exits(1).says("refused s3cr3t-pw");
    for args in [
        &["issue", "list"][..],
        &["issue", "get"],
        &["audit", "show", "write-flag"],
        &["audit", "list", "--history"],
        &["status"],
        &["plan"],
        &["execute", "apply"],
    ] {
        for more in [&[][..], &["--json"]] {
            let mut command = leaks.asking("leaks", &[args, more].concat());
            command.current_dir(house.path("."));
            let ended = Ended::of(command.output().expect("starts")).says("write-flag").hides("s3cr3t-pw");
            if !more.is_empty() {
                ended.json();
            }
        }
    }
    let shell = "args = ['-c', 'echo opening $0; exit 7', 'postgres://jane:s3cr3t-pw@h/db']";
    std::fs::write(house.path("flamingock.toml"), format!("[app]\npath = '/bin/sh'\n{shell}"))
        .expect("is written");
    house.run(&["plan"]).exits(1).says("opening ***").hides("s3cr3t-pw");
    house.run(&["status", "--help"]).exits(0).hides(&house.url());
}

pub(crate) fn a_configuration_with_a_mistake_is_explained() {
    let house = House::after("good");
    let with = |text: &str| {
        std::fs::write(house.path("flamingock.toml"), text).expect("is written");
        let mut command = bare();
        command.current_dir(house.path("."));
        Ended::of(command.arg("status").output().expect("starts"))
    };
    with("audit_store = 'sqlite://audit.db'\nservice = 'orders'").exits(0).says("3 applied");
    // What is set to nothing is not set, but what is typed is meant.
    let empty = |args: &[&str]| {
        let mut command = bare();
        for name in ["AUDIT_STORE", "LOCK_STORE", "SERVICE", "TENANT"] {
            command.env(format!("FLAMINGOCK_{name}"), "");
        }
        Ended::of(command.current_dir(house.path(".")).args(args).output().expect("starts"))
    };
    empty(&["status"]).exits(0).says("3 applied");
    empty(&["status", "--tenant", ""]).exits(0).says("3 applied");
    empty(&["status", "--service", ""]).exits(2).says("no history ``");
    with("audit_stor = 'sqlite://s3cr3t-pw.db'")
        .exits(2)
        .says("line 1")
        .says("audit_stor")
        .hides("s3cr3t-pw");
    with("[app]\npath = './orders'\nargs = '--db postgres://jane:s3cr3t-pw@h/db'")
        .exits(2)
        .says("line 3: expected a sequence")
        .hides("s3cr3t-pw");
    with("audit_store = 'sqlite://${NOT_SET_ANYWHERE}'").exits(2).says("NOT_SET_ANYWHERE is not set");
    with("audit_store = 'sqlite://audit.db'\ntable_prefix = 'other_'").exits(1).says("there is no audit in");
    with("audit_store = 'sqlite://audit.db'\ntable_prefix = 'a;b'").exits(1).says("cannot be used");
    house.run(&["status", "--config", "nope.toml"]).exits(2).says("nope.toml");
}

pub(crate) fn several_histories_are_listed_when_it_is_not_clear_which_is_meant() {
    let house = House::after("good");
    house.tamper("INSERT INTO flamingock_heads SELECT 'billing', tenant, format, token, owner, execution_id, 0, hash, '[]', NULL FROM flamingock_heads");
    house.run(&["status"]).exits(0).says("orders").says("billing");
    house.run(&["audit", "list"]).exits(2).says("--service").says("billing").says("orders");
    house.run(&["audit", "list", "--service", "orders"]).exits(0);
    house.run(&["audit", "list", "--service", "odrers"]).exits(2).says("no history `odrers`").says("orders");
    house.run(&["tag", "x", "--service", "orders", "--tenant", "none"]).exits(2);
}

pub(crate) fn a_newer_format_and_a_file_that_is_no_audit_are_refused() {
    let house = House::after("good");
    house.tamper("UPDATE flamingock_heads SET format = 99");
    house.run(&["status"]).exits(1).says("format 99").says("newer");
    house.run(&["tag", "x"]).exits(1).says("newer");
    std::fs::write(house.path("text.db"), "this is no database, but a text that is long enough")
        .expect("is written");
    house.run(&["status", "--audit-store", "sqlite://text.db"]).exits(1);
    std::fs::write(house.path("empty.db"), "").expect("is written");
    house.run(&["status", "--audit-store", "sqlite://empty.db"]).exits(1).says("there is no audit in");
}

pub(crate) fn doctor_says_what_it_looked_at_and_upgrades_nothing() {
    let house = House::after("good");
    house.run(&["doctor"]).exits(0).says("3 change(s), format 1").hides("upgrade");
    let upgrade = house.run(&["doctor", "--upgrade"]).exits(0);
    upgrade.says("1 of 1 history(ies) have format 1, the only one so far").says("nothing needs an upgrade");
    house.ask("good", &["doctor"]).exits(0).says("application: 3 change(s)").says("target system `db`");
    house.tamper("UPDATE flamingock_entries SET format = 2 WHERE sequence = 3");
    house.run(&["doctor", "--upgrade"]).exits(1).says("format 2").hides("nothing needs an upgrade");
    house.tamper("UPDATE flamingock_heads SET format = 2");
    let newer = house.run(&["doctor", "--upgrade"]).exits(1).says("format 2").says("newer");
    newer.says("0 of 1 history(ies)").says("left as it is").hides("nothing needs an upgrade");
    Ended::of(bare().args(["doctor", "--upgrade"]).output().expect("starts")).exits(2).says("--audit-store");
}

pub(crate) fn colours_are_for_terminals_alone() {
    let house = House::after("broken");
    for args in [&["status"][..], &["issue", "get"], &["audit", "list"], &["nope"]] {
        house.run(args).hides("\u{1b}[");
    }
}

pub(crate) fn a_new_change_gets_the_next_order() {
    let house = House::new();
    let new = |id: &str| house.run(&["new", id, "--target", "db", "--author", "jane"]);
    new("create-orders").exits(0).says("_0001__create_orders.rs");
    new("add-tracking code").exits(0).says("_0002__add_tracking_code.rs");
    let text = std::fs::read_to_string(house.path("changes/_0002__add_tracking_code.rs")).expect("is there");
    assert!(text.contains("pub struct AddTrackingCode;") && text.contains("id = \"add-tracking code\""));
    new("../../etc").exits(0).says("_0003__etc.rs");
    let dated = |id: &str| house.run(&["new", id, "--target", "db", "--order", "2026-11-23_1"]);
    dated("dated").exits(0).says("_2026-11-23_1__dated.rs");
    new("later").exits(0).says("_2026-11-23_2__later.rs");
    new("Self").exits(2).says("Add a word");
    for order in ["../1", "1_", "_1", "1__2", "2 ;", "é", ""] {
        house.run(&["new", "x", "--target", "db", "--order", order]).exits(2).says("is no order");
    }
    new("%%").exits(2).says("begin it with a letter");
}
