//! What is only read.

use std::io::Read as _;
use std::time::Duration;

use flamingock::History;
use flamingock::audit::{Append, AuditState, AuditStore as _, Execution, HeadChange};
use flamingock::lock::FencingToken;
use flamingock::sqlite::SqliteAuditStore;

use crate::house::{Ended, House};

pub(crate) fn status_of_a_service_that_is_up_to_date() {
    let house = House::after("good");
    house.run(&["status"]).exits(0).says("orders").says("Lock     free").says("3 applied").says("complete");
    let answer = house.run(&["status", "--json"]).exits(0).json();
    assert_eq!(answer["command"], "status");
    assert_eq!(answer["data"]["histories"][0]["counts"]["applied"], 3);
    house.run(&["issue", "list", "--check"]).exits(0).says("No issues");
    house.run(&["issue", "get"]).exits(0).says("No issues");
    house.run(&["doctor"]).exits(0).says("its audit holds: 6 entries");
    house.run(&["lock", "status"]).exits(0).says("The lock is free").says("Last in office");
}

pub(crate) fn issues_are_listed_and_explained_with_the_commands_to_type() {
    let house = House::after("broken");
    house.run(&["issue", "list"]).exits(0).says("1 issue(s)").says("write-flag").says("503");
    house.run(&["issue", "ls", "--check"]).exits(3);
    house.run(&["status", "--check"]).exits(3).says("1 issue");
    let ended = house.run(&["issue", "get"]).exits(0);
    let ended = ended.says("tests/cli/app.rs:").says("the flag server answered 503").says("folder");
    let ended = ended.says("flamingock audit fix -c write-flag -r APPLIED --seen 6 --reason");
    let ended = ended.says("APPLIED means: the target has the change. It will not run again");
    ended.says("ROLLED_BACK means: the target has it not, and it will run again at the next start");
    house.run(&["issue", "get", "-g"]).exits(0).hides("EXECUTION").says("WHAT TO DO");
    house.run(&["issue", "get", "-c", "wirte-flag"]).exits(1).says("did you mean `write-flag`?");
    let answer = house.run(&["issue", "get", "--json"]).exits(0).json();
    assert_eq!(answer["data"]["issue"]["standing"], "ISSUE");
    // What is to be typed is what was typed.
    let typed = format!("flamingock --audit-store {} --service orders audit fix -c write-flag", house.url());
    let mut command = house.command(&["issue", "get", "--audit-store", &house.url(), "--service", "orders"]);
    command.env_remove("FLAMINGOCK_AUDIT_STORE").args(["--app", "./orders", "--", "--profile", "prod"]);
    let ended = Ended::of(command.output().expect("starts")).exits(0).says(&typed);
    ended.says("issue check -c write-flag --app ./orders -- ARGS\n");
    let lock = house.url();
    let typed = format!("flamingock --lock-store {lock} audit fix -c write-flag");
    house.run(&["issue", "get", "--lock-store", &lock]).exits(0).says(&typed);
    std::fs::write(house.path("app.toml"), "app = { path = './orders' }").expect("is written");
    let args = ["issue", "get", "--config", "app.toml", "--", "--db", "postgres://jane:s3cr3t-pw@h/db"];
    let ended = house.run(&args).exits(0).hides("s3cr3t-pw");
    ended.says("flamingock --config app.toml issue check -c write-flag -- ARGS\n");
    // A password may stand anywhere among the application's arguments.
    for more in [&["--app", "./orders"][..], &["--app", "./orders", "--json"]] {
        let hidden = ["--", "--password", "hunter2", "--dsn", "host=db password=hunter2"];
        let ended = house.run(&[&["issue", "get"], more, &hidden].concat()).exits(0);
        ended.says("--app ./orders -- ARGS").hides("hunter2");
    }
    // What holds a password is left to be typed again, names are never.
    std::os::unix::fs::symlink(house.path("."), house.path("jane:orders@db")).expect("is linked");
    let secret = "sqlite://jane:orders@db/audit.db";
    let args = ["issue", "get", "--audit-store", secret, "--service", "orders"];
    let typed = "flamingock --audit-store URL --service orders audit fix -c write-flag";
    house.run(&args).exits(0).says(typed).hides("jane:");
    std::fs::write(house.path("named.toml"), "service = '${SVC}'").expect("is written");
    let mut command = house.command(&["issue", "get", "--config", "named.toml", "--service", "orders"]);
    let ended = Ended::of(command.env("SVC", "orders").output().expect("starts")).exits(0);
    ended.says("flamingock --config named.toml --service orders audit fix -c write-flag");
    // By whatever name, and wherever it is.
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_flamingock"), house.path("fl")).expect("is linked");
    let mut renamed = std::process::Command::new("./fl");
    renamed.current_dir(house.path(".")).args(["issue", "get"]).env("FLAMINGOCK_AUDIT_STORE", house.url());
    Ended::of(renamed.output().expect("starts")).exits(0).says("    ./fl audit fix -c write-flag");
}

pub(crate) fn the_life_of_a_change_is_shown() {
    let house = House::after("broken");
    let shown = house.run(&["audit", "show", "write-flag"]).exits(0).says("STARTED").says("FAILED");
    shown.says("error     ").says("503").says("A flag for shipping");
    house.run(&["audit", "show", "nope"]).exits(1).says("no change `nope`");
    for more in [&[][..], &["--history"]] {
        let args = [&["audit", "list", "--change", "wirte-flag"][..], more].concat();
        house.run(&args).exits(1).says("did you mean `write-flag`?");
    }
    house.run(&["audit", "list", "-e"]).exits(0).says("the flag server").says("3 change(s)");
    house.run(&["audit", "list", "--state", "failed"]).exits(0).says("1 change(s)");
    house.run(&["audit", "list", "--since", "2999-01-01"]).exits(0).says("0 change(s)");
    let answer = house.run(&["audit", "list", "--history", "--json"]).exits(0).json();
    assert_eq!(answer["data"]["entries"].as_array().map(Vec::len), Some(6));
    let none = house.run(&["audit", "list", "--history", "--since", "2999-01-01", "--json"]).exits(0).json();
    assert_eq!(none["data"]["entries"].as_array().map(Vec::len), Some(0));
}

pub(crate) fn the_audit_is_exported_with_every_field() {
    let house = House::after("good");
    let lines = house.run(&["audit", "export"]).exits(0).out;
    let entries: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    assert_eq!((entries.len(), entries[5]["sequence"].as_u64()), (6, Some(6)));
    let csv = house.run(&["audit", "export", "--format", "csv", "--after", "4"]).exits(0).out;
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.starts_with("format,sequence,service") && csv.contains("write-flag"));
}

pub(crate) fn changed_deleted_and_swapped_rows_are_found_and_named() {
    let table = "flamingock_entries";
    for (statements, sequence) in [
        (format!("UPDATE {table} SET author = 'nobody' WHERE sequence = 3"), 3),
        (format!("UPDATE {table} SET state = 'nonsense' WHERE sequence = 4"), 4),
        (format!("DELETE FROM {table} WHERE sequence = 2"), 2),
        (format!("DELETE FROM {table} WHERE sequence = 6"), 6),
        (
            format!(
                "UPDATE {table} SET sequence = 99 WHERE sequence = 2; UPDATE {table} SET sequence = 2 WHERE \
                 sequence = 4; UPDATE {table} SET sequence = 4 WHERE sequence = 99"
            ),
            2,
        ),
    ] {
        let house = House::after("good");
        house.run(&["audit", "verify"]).exits(0).says("The audit holds: 6 entries");
        house.tamper(&statements);
        house.run(&["audit", "verify"]).exits(1).says(&format!("first at entry {sequence}"));
        let answer = house.run(&["audit", "verify", "--json"]).exits(1).json();
        assert_eq!(answer["data"]["finding"]["sequence"], sequence, "{statements}");
    }
}

pub(crate) fn a_rewritten_chain_is_found_by_what_was_noted_elsewhere() {
    let (house, other) = (House::after("good"), House::after("good"));
    let head = |house: &House| {
        let answer = house.run(&["audit", "verify", "--json"]).exits(0).json();
        format!("{}:{}", answer["data"]["entries"], answer["data"]["hash"].as_str().expect("is there"))
    };
    let noted = head(&house);
    house.run(&["audit", "verify", "--expect", &noted]).exits(0);
    // A whole chain that holds, but is another one.
    other.run(&["audit", "verify", "--expect", &noted]).exits(1).says("was rewritten").says("entry 6");
    let answer = other.run(&["audit", "verify", "--expect", &noted, "--json"]).exits(1).json();
    assert_eq!((&answer["ok"], &answer["data"]["finding"]["sequence"]), (&false.into(), &6.into()));
    let further = noted.replacen("6:", "9:", 1);
    house.run(&["audit", "verify", "--expect", &further]).exits(1).says("missing at the end");
    house.run(&["audit", "verify", "--expect", "6-abc"]).exits(2).says("SEQUENCE:HASH");
}

/// An audit as long as it gets.
fn fill(house: &House, entries: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteAuditStore::connect(&house.url()).await.expect("opens");
        let history = History::new("orders");
        let execution = Execution { id: "run".to_owned(), owner: "me".to_owned() };
        let office = store.take_office(&history, FencingToken(9), &execution).await.expect("takes office");
        let mut last = store.latest(&history).await.expect("reads").pop().expect("has entries");
        let (mut expected, mut hash) = (office.head.sequence, office.head.hash);
        while expected < entries {
            let mut page = Vec::new();
            for _ in 0..2000 {
                last.sequence = expected + page.len() as u64 + 1;
                last.state = Some(AuditState::Applied);
                last.change = format!("change-{}", last.sequence % 500);
                last.hash = hash.next(&last);
                hash = last.hash;
                page.push(last.clone());
            }
            let sequence = expected + 2000;
            let head = HeadChange { sequence, hash, digests: Vec::new(), verdict: None };
            store.append(&office, &Append { expected, entries: &page, head }).await.expect("appends");
            expected = sequence;
        }
    });
}

pub(crate) fn a_hundred_thousand_entries_are_written_as_they_are_read() {
    let house = House::after("good");
    fill(&house, 100_000);
    for args in
        [&["audit", "list", "--history"][..], &["audit", "list", "--history", "--json"], &["audit", "export"]]
    {
        let mut child = house.command(args).spawn().expect("starts");
        let mut out = child.stdout.take().expect("is piped");
        let mut lines = 0;
        let mut chunk = vec![0; 1 << 16];
        let mut read_on = |until: usize| {
            while lines < until
                && let Ok(read @ 1..) = out.read(&mut chunk)
            {
                lines += chunk[..read].iter().filter(|byte| **byte == b'\n').count();
            }
            lines
        };
        // Where nobody reads on, it waits with what it has in its hands.
        read_on(20_000);
        let early = peak(child.id());
        read_on(90_000);
        let late = peak(child.id());
        assert!(read_on(usize::MAX) >= 100_000, "{args:?}");
        assert!(child.wait().expect("ends").success());
        if let (Some(early), Some(late)) = (early, late) {
            // All entries together are some 100 MiB.
            assert!(early < 64 * 1024, "{args:?}: {early} KiB after 20,000 lines");
            assert!(
                late < early + 8 * 1024,
                "{args:?}: {early} KiB after 20,000 lines, {late} KiB after 90,000"
            );
        }
    }
    house.run(&["audit", "verify"]).exits(0).says("The audit holds");
}

/// Most memory that a process has had, in KiB, where the system tells.
fn peak(id: u32) -> Option<u64> {
    std::thread::sleep(Duration::from_millis(500));
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

pub(crate) fn a_reader_that_leaves_early_is_no_error() {
    let house = House::after("good");
    for args in [&["audit", "list", "--history"][..], &["audit", "export"], &["completions", "bash"]] {
        let mut child = house.command(args).spawn().expect("starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

pub(crate) fn every_command_has_help_with_an_example_and_completions_are_there() {
    let house = House::new();
    for command in [
        &["status"][..],
        &["execute", "apply"],
        &["plan"],
        &["validate"],
        &["undo"],
        &["release"],
        &["issue", "list"],
        &["issue", "get"],
        &["issue", "check"],
        &["audit", "list"],
        &["audit", "show"],
        &["audit", "fix"],
        &["audit", "baseline"],
        &["audit", "verify"],
        &["audit", "export"],
        &["lock", "status"],
        &["lock", "release"],
        &["tag"],
        &["new"],
        &["doctor"],
        &["completions"],
    ] {
        let args = [command, &["--help"]].concat();
        house.run(&args).exits(0).says("Example:").says("--json");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        house.run(&["completions", shell]).exits(0).says("flamingock");
    }
    let fix = house.run(&["audit", "fix", "--help"]).exits(0);
    fix.says("it will run again at the next start");
    let folder = house.path("man");
    house.run(&["man", folder.to_str().expect("is text")]).exits(0);
    assert!(folder.join("flamingock-audit-fix.1").exists());
}
