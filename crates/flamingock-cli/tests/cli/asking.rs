//! What the application is started for.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::house::{Ended, House};

pub(crate) fn a_plan_is_saved_applied_and_refused_when_it_no_longer_holds() {
    let house = House::new();
    let plan = house.path("plan.json");
    let plan = plan.to_str().expect("is text");
    house.ask("good", &["plan", "--check"]).exits(3).says("3 to apply").says("write-flag");
    house.ask("good", &["validate"]).exits(0).says("wiring of 3 change(s)").says("target system `db`");
    house.ask("good", &["plan", "--out", plan]).exits(0);
    house.ask("good", &["execute", "apply", "--plan", plan]).exits(0).says("SUCCESS");
    house.ask("good", &["plan", "--check"]).exits(0).says("0 to apply");
    house.run(&["tag", "moved"]).exits(0);
    let old = house.ask("good", &["execute", "apply", "--plan", plan]);
    // Everything is applied: there is nothing that the plan could be wrong about.
    old.exits(0).says("NO CHANGES");
    let fresh = House::new();
    fresh.ask("good", &["execute", "apply", "--until", "create-orders"]).exits(0);
    fresh.ask("good", &["execute", "apply", "--plan", plan]).exits(1).says("make a new plan");
    fresh.ask("good", &["execute", "apply", "--plan", "none.json"]).exits(2).says("none.json");
}

pub(crate) fn a_run_is_narrowed_and_shown() {
    let house = House::new();
    let shown = house.ask("good", &["execute", "apply", "--until", "add-tracking"]).exits(0);
    let shown = shown.says("2 newly applied").says("start        create-orders on db").says("APPLIED");
    shown.hides("\u{1b}[");
    house.ask("good", &["execute", "apply", "--stage", "nope"]).exits(1).says("no stage `nope`");
    house.ask("good", &["execute", "apply", "--until", "nope"]).exits(1).says("`nope` is no change");
    let answer = house.ask("good", &["execute", "apply", "--json"]).exits(0).json();
    assert_eq!(
        (answer["data"]["status"].as_str(), answer["data"]["changes"]["applied"].as_u64()),
        (Some("SUCCESS"), Some(1))
    );
    let broken = House::new();
    broken
        .ask("broken", &["execute", "apply", "-q"])
        .exits(1)
        .says("503")
        .says("Flamingock execution report");
    let answer = broken.ask("broken", &["execute", "apply", "--json"]).exits(1).json();
    assert_eq!((answer["ok"].as_bool(), answer["error"]["kind"].as_str()), (Some(false), Some("ISSUE")));
    assert_eq!(answer["error"]["report"]["status"], "FAILED");
}

pub(crate) fn undo_asks_unless_it_is_told_not_to() {
    let house = House::after("good");
    house.ask("good", &["undo", "--change", "add-tracking"]).exits(1).says("confirm with --yes");
    house.ask("good", &["undo", "--yes"]).exits(2);
    house.ask("good", &["undo", "--last", "0", "--yes"]).exits(2);
    house.ask("good", &["undo", "--since", "soon", "--yes"]).exits(2).says("not a date");
    house.ask("good", &["undo", "--last", "1", "--yes"]).exits(1).says("no #[rollback]");
    house.ask("good", &["undo", "--change", "add-tracking", "--yes"]).exits(0).says("UNDONE");
    house.ask("good", &["undo", "--change", "add-tracking", "--yes"]).exits(1).says("is not applied");
    house.start("good").exits(0).says("1 newly applied");
}

pub(crate) fn what_is_held_is_kept_out_and_named_until_it_is_released() {
    let house = House::after("good");
    let hold = [
        "undo",
        "--change",
        "add-tracking",
        "--hold",
        "--yes",
        "--operator",
        "jane",
        "--reason",
        "too early",
    ];
    house.ask("good", &hold).exits(0).says("UNDONE").says("flamingock release add-tracking");
    house.run(&["audit", "show", "add-tracking"]).exits(0).says("hold").says("jane").says("too early");
    house.run(&["status", "--check"]).exits(0).says("2 applied, 1 held").says("Held     add-tracking");
    house.ask("good", &["plan", "--check"]).exits(0).says("0 to apply").says("1 held").says("HELD");
    house.start("good").exits(0).says("[HELD]").says("1 held");
    house.ask("good", &["execute", "apply", "-q"]).exits(0).says("2 change(s) applied before, 1 held");
    house.run(&["issue", "get", "-c", "add-tracking"]).exits(0).says("release add-tracking");
    house.ask("good", &hold).exits(1).says("`add-tracking` is held, since entry 8");
    // Where only the application knows the audit store, `release` is to be told.
    let lonely = House::after("good");
    let mut command = lonely.asking("good", &hold);
    let ended = Ended::of(command.env_remove("FLAMINGOCK_AUDIT_STORE").output().expect("starts")).exits(0);
    ended.says("flamingock --audit-store URL release add-tracking");
    house.run(&["release", "add-trakcing"]).exits(1).says("did you mean `add-tracking`?");
    house.run(&["release", "write-flag"]).exits(1).says("is not held");
    house.run(&["release"]).exits(2);
    house.run(&["release", "add-tracking", "--operator", "jane"]).exits(0).says("by jane");
    house.ask("good", &["plan", "--check"]).exits(3).says("1 to apply");
    house.start("good").exits(0).says("1 newly applied");
    // What is rolled back already, too.
    house.ask("good", &["undo", "--last", "1", "--yes"]).exits(0).says("next start applies them again");
    let held = house.ask("good", &[&hold[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(held["data"]["stages"][0]["details"][0]["outcome"], "HELD");
    let answer = house.run(&["status", "--json"]).exits(0).json();
    assert_eq!(answer["data"]["histories"][0]["held"], serde_json::json!(["add-tracking"]));
    house.run(&["audit", "verify"]).exits(0);
}

pub(crate) fn another_services_application_refuses() {
    let house = House::after("good");
    house.ask("good", &["plan", "--service", "orders"]).exits(0).hides("its own audit store");
    let elsewhere = house.ask("good", &["plan", "--audit-store", "sqlite://other.db"]).exits(0);
    elsewhere.says(&format!("its own audit store: sqlite:{}", house.path("audit.db").display()));
    // Where something is recorded, also where another one is only configured.
    let (other, own) = (House::after("good"), "its own audit store: sqlite:");
    let adopt = ["audit", "baseline", "--to", "create-orders"];
    let fix = ["audit", "fix", "-c", "add-tracking", "-r", "APPLIED", "--override", "--reason", "x"];
    for args in [&adopt[..], &fix, &["undo", "--last", "1", "--yes"], &["execute", "apply"]] {
        house.ask("good", args).hides(own);
        let mut command = house.asking("good", args);
        command.env("FLAMINGOCK_AUDIT_STORE", other.url());
        let ended = Ended::of(command.output().expect("starts"));
        assert_eq!(ended.err.matches(own).count(), 1, "{}", ended.err);
    }
    house.ask("good", &["plan", "--lock-store", &house.url()]).exits(0).says("its own lock").hides(own);
    for name in ["--service", "--tenant"] {
        house.ask("good", &["plan", name, "billing"]).exits(1).says("`orders`, not of `billing`");
    }
}

pub(crate) fn marker_and_verify_are_asked_and_a_system_is_adopted() {
    let house = House::after("broken");
    let check = ["issue", "check", "-c", "write-flag"];
    house.ask("good", &check).exits(0).says("nobody knows").says("an operator must look");
    house.ask("verified", &check).exits(0).says("the target has nothing of it").says("applies it");
    house
        .ask("good", &["issue", "check", "-c", "nope"])
        .exits(1)
        .says("`nope` is no change of this application");
    house.ask("good", &["issue", "check", "-c", "write-flga"]).exits(1).says("did you mean `write-flag`?");
    house.ask("good", &["issue", "check", "-c", "create-orders"]).exits(0).says("Marker    done");

    let adopted = House::new();
    adopted.ask("verified", &["audit", "baseline", "--to", "write-flag"]).exits(1).says("says NotApplied");
    let reason =
        ["audit", "baseline", "--to", "add-tracking", "--reason", "older than this", "--operator", "jane"];
    adopted.ask("good", &reason).exits(0).says("2 change(s) marked");
    adopted
        .run(&["audit", "show", "add-tracking"])
        .exits(0)
        .says("baseline")
        .says("older than this")
        .says("jane");
    adopted.ask("good", &reason).exits(0).says("Nothing to mark");
}

pub(crate) fn an_application_that_dies_babbles_or_is_silent_is_a_clear_error() {
    let house = House::new();
    let dies = house.ask("dies", &["execute", "apply"]).exits(1).says("killed by signal 9 SIGKILL");
    dies.says("last lines").says("starting, dies").says("flamingock status`");
    let empty = House::new();
    let mut alone = empty.asking("dies", &["execute", "apply"]);
    let ended = Ended::of(alone.env_remove("FLAMINGOCK_AUDIT_STORE").output().expect("starts")).exits(1);
    ended.says("flamingock --audit-store URL status`");
    house.run(&["status"]).exits(0).says("write-flag");
    house.ask("exits", &["plan"]).exits(1).says("exit code 7").says("cannot reach the secret vault");
    house.ask("babbles", &["plan"]).exits(1).says("is not understood");
    let silent = house.ask("silent", &["plan", "--app-timeout", "1s"]).exits(1).says("within 1s");
    silent.says("--app-timeout").says("starting, silent");
    let answer = house.ask("exits", &["plan", "--json"]).exits(1).json();
    assert_eq!(answer["error"]["kind"], "APP_DIED");
    let lines = answer["error"]["output"].as_array().expect("has its last lines");
    assert!(lines.iter().any(|line| line == "cannot reach the secret vault"));
    house
        .run(&["plan", "--app", "/nowhere/orders"])
        .exits(126)
        .says("there is no application /nowhere/orders");
    house.run(&["plan", "--app", "."]).exits(126);
    house.run(&["plan"]).exits(2).says("--app PATH");
}

/// The command with an application that is at its change.
fn at_its_change(house: &House, mut command: Command) -> Child {
    let child = command.spawn().expect("starts");
    let began = Instant::now();
    while !house.path("started").exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came to its change");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[cfg(unix)]
fn send(child: &Child, signal: nix::sys::signal::Signal) {
    let id = i32::try_from(child.id()).expect("fits");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal).expect("is sent");
}

#[cfg(unix)]
pub(crate) fn a_signal_reaches_the_application_which_stops_at_a_safe_point() {
    use nix::sys::signal::Signal::{SIGINT, SIGTERM};
    for signal in [SIGTERM, SIGINT] {
        let house = House::new();
        let child = at_its_change(&house, house.asking("slow", &["execute", "apply", "-l", "info"]));
        let began = Instant::now();
        send(&child, signal);
        let ended = Ended::of(child.wait_with_output().expect("ends"));
        // Its change came to an end within the grace, and is recorded.
        ended.exits(0).says("SUCCESS");
        assert!(began.elapsed() < Duration::from_secs(9), "it did not finish all of it");
        house.run(&["lock", "status"]).exits(0).says("free");
        house.run(&["status"]).exits(0).says("3 applied");
    }
}

#[cfg(unix)]
pub(crate) fn an_application_that_hears_no_signal_is_killed_at_the_third() {
    use nix::sys::signal::Signal::{SIGINT, SIGTERM};
    let house = House::new();
    let app = std::env::current_exe().expect("is known");
    let mut command = house.command(&["execute", "apply", "--app", "/bin/sh", "--", "-c"]);
    let script = "trap '' TERM INT; \"$0\" app deaf \"$1\"";
    command.args([script.into(), app.into_os_string(), house.path(".").into_os_string()]);
    let child = at_its_change(&house, command);
    for signal in [SIGTERM, SIGINT, SIGTERM] {
        std::thread::sleep(Duration::from_millis(300));
        send(&child, signal);
    }
    let ended = Ended::of(child.wait_with_output().expect("ends")).exits(1);
    ended
        .says("stopping at a safe point")
        .says("killed by signal 9 SIGKILL before it answered")
        .says("starting, deaf");
}

pub(crate) fn an_application_has_the_same_commands_as_its_own() {
    let house = House::new();
    let own = |args: &[&str]| {
        Ended::of(house.app("embedded").arg("flamingock").args(args).output().expect("starts"))
    };
    own(&["plan", "--check"]).exits(3).says("3 to apply");
    own(&["execute", "apply"]).exits(0).says("SUCCESS");
    own(&["status"]).exits(0).says("3 applied");
    own(&["audit", "fix", "-c", "write-flag", "-r", "ROLLED_BACK", "--reason", "x", "--override"]).exits(0);
    own(&["audit", "verify"]).exits(0).says("7 entries");
    own(&["frobnicate"]).exits(2);
    let path = std::env::current_exe().expect("is known");
    own(&["issue", "check", "--help"]).exits(0).says(&format!("{} flamingock issue check", path.display()));
    // They are on the application's own store, which is another one than whoever types this means.
    for flag in ["--audit-store", "--lock-store"] {
        own(&["status", flag, "sqlite://other.db"]).exits(2).says(flag).says("of the application");
    }
}
