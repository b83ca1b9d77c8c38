//! What an operator records.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::house::{Ended, House};

const FIX: [&str; 3] = ["audit", "fix", "-c"];

fn fix(house: &House, args: &[&str]) -> Ended {
    house.run(&[&FIX, args].concat())
}

pub(crate) fn applied_means_that_it_does_not_run_and_rolled_back_that_it_runs_again() {
    let house = House::after("broken");
    let ruled =
        fix(&house, &["write-flag", "-r", "APPLIED", "--reason", "it is there", "--operator", "jane"]);
    ruled.exits(0).says("FAILED -> MANUAL_MARKED_AS_APPLIED").says("by jane").says("It will not run");
    house.start("good").exits(0);
    assert!(!house.path("flag").exists(), "it did not run");
    house
        .run(&["audit", "show", "write-flag"])
        .exits(0)
        .says("jane")
        .says("it is there")
        .says("answers   entry 6");

    let house = House::after("broken");
    fix(&house, &["write-flag", "-r", "rolled-back", "--reason", "it is not there"])
        .exits(0)
        .says("run again");
    house.start("good").exits(0);
    assert!(house.path("flag").exists(), "it ran");
    house.run(&["audit", "verify"]).exits(0);
}

pub(crate) fn a_ruling_needs_a_reason_a_change_and_something_to_settle() {
    let house = House::after("broken");
    let ok = ["-r", "APPLIED", "--reason", "x"];
    fix(&house, &[&["write-flga"][..], &ok].concat()).exits(1).says("did you mean `write-flag`?");
    fix(&house, &[&["create-orders"][..], &["-r", "ROLLED_BACK", "--reason", "x"]].concat())
        .exits(1)
        .says("--override");
    fix(&house, &["write-flag", "-r", "APPLIED"]).exits(2).says("--reason");
    fix(&house, &["write-flag", "-r", "APPLIED", "--reason", "  "]).exits(1).says("reason is required");
    fix(&house, &["write-flag", "-r", "MAYBE", "--reason", "x"])
        .exits(2)
        .says("it has not, and it will run again");
    fix(&house, &["write-flag", "-r", "APPLIED", "--reason", "x", "--wait", "soon"]).exits(2);
    fix(&house, &[&["write-flag", "--seen", "1"][..], &ok].concat()).exits(1).says("since you looked");
    let answer = fix(&house, &["nope", "-r", "APPLIED", "--reason", "x", "--json"]).exits(1).json();
    assert_eq!(answer["error"]["kind"], "UNKNOWN_CHANGE");
    house.run(&["audit", "verify"]).exits(0).says("6 entries");
    fix(&house, &["create-orders", "-r", "ROLLED_BACK", "--reason", "x", "--override"]).exits(0);
}

pub(crate) fn through_the_application_the_target_has_its_say() {
    let house = House::after("good");
    let fix = |scenario: &str, args: &[&str]| {
        house.ask(scenario, &[&["audit", "fix", "--reason", "looked", "-c"], args].concat())
    };
    let marked = ["add-tracking", "-r", "ROLLED_BACK", "--override"];
    fix("good", &marked).exits(1).says("by its marker it has it").says("--against-target");
    fix("good", &[&marked[..], &["--force"]].concat()).exits(1).says("--against-target");
    fix("good", &[&marked[..], &["--against-target"]].concat()).exits(0).says("against what the target says");
    let verified = ["write-flag", "-r", "ROLLED_BACK", "--override"];
    fix("verified", &verified).exits(1).says("by its verify it has it");
    fix("verified", &[&verified[..], &["--store-only"]].concat()).exits(0).says("run again");
    fix("good", &["write-flga", "-r", "APPLIED"]).exits(1).says("did you mean `write-flag`?");
    let answer = fix("verified", &["write-flag", "-r", "APPLIED", "--override", "--json"]).exits(0).json();
    assert_eq!(answer["data"]["entry"]["evidence"], "none");
    house.run(&["audit", "verify"]).exits(0);
}

/// After the application died in a transaction, and its lease has ended.
fn uncertain() -> House {
    let house = House::after("dies-in-transaction");
    let began = Instant::now();
    while !house.run(&["lock", "status"]).out.contains("free") {
        assert!(began.elapsed() < Duration::from_secs(20), "its lease never ended");
    }
    house
}

/// The rulings that are printed, as a shell takes them.
fn printed(ended: &Ended) -> [Vec<String>; 2] {
    let line = |line: &str| {
        let line = line.replace("'what you saw'", "looked");
        line.split_whitespace().skip_while(|word| *word != "audit").map(str::to_owned).collect()
    };
    let lines = ended.out.lines().filter(|line| line.contains(" audit fix "));
    lines.map(line).collect::<Vec<_>>().try_into().expect("one for each resolution")
}

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

pub(crate) fn what_the_guidance_prints_is_accepted_and_never_overrules_the_target() {
    let house = uncertain();
    let own = |args: &[&str]| {
        Ended::of(house.app("embedded").arg("flamingock").args(args).output().expect("starts"))
    };
    let typed = own(&["issue", "get", "-c", "add-tracking"]).exits(0).says("UNCERTAIN").hides("--force");
    let typed = typed.hides("committed by itself");
    let [applied, rolled_back] = printed(&typed);
    let refused = own(&words(&applied)).exits(1);
    refused.says("by its marker it has it not").says("--against-target");
    own(&[&words(&applied)[..], &["--force"]].concat()).exits(1).says("--against-target");
    own(&words(&rolled_back)).exits(0);

    // Without the application, the target has no say.
    let house = uncertain();
    let typed = house.run(&["issue", "get", "-c", "add-tracking"]).exits(0).says("--force");
    let [_, rolled_back] = printed(&typed);
    house.run(&words(&rolled_back)).exits(0);
}

pub(crate) fn a_ruling_that_the_marker_contradicts_is_an_issue_with_commands_that_are_accepted() {
    for index in [0, 1] {
        let house = House::after("good");
        fix(&house, &["add-tracking", "-r", "ROLLED_BACK", "--override", "--reason", "a mistake"]).exits(0);
        house.run(&["issue", "list", "--check"]).exits(0);
        house.start("good").exits(1).says("the target's marker says that it is applied");
        house.run(&["status", "--check"]).exits(3).says("1 issue");
        house.run(&["issue", "list", "--check"]).exits(3).says("add-tracking");
        let typed = house.run(&["issue", "get"]).exits(0).says("the target's own marker says");
        let rulings = printed(&typed);
        house.run(&words(&rulings[index])).exits(0);
        house.run(&["issue", "list", "--check"]).exits(0);
    }
}

pub(crate) fn a_change_that_runs_is_locked_and_names_its_holder() {
    let house = House::new();
    let mut app = house.app("slow").stdout(Stdio::null()).spawn().expect("starts");
    let began = Instant::now();
    while !house.path("started").exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came to its change");
        std::thread::sleep(Duration::from_millis(20));
    }
    house.run(&["status"]).exits(0).says("Running  write-flag").says("1 running");
    house.run(&["lock", "status"]).exits(0).says("The lock is held").says("orders@");
    let locked = fix(&house, &["write-flag", "-r", "APPLIED", "--reason", "x", "--wait", "1s"]).exits(4);
    locked.says("orders@").says("waiting:");
    let answer = fix(&house, &["write-flag", "-r", "APPLIED", "--reason", "x", "--wait", "1s", "--json"])
        .exits(4)
        .json();
    assert_eq!(answer["error"]["kind"], "LOCK_TIMEOUT");
    // Dead, it loses the lock when its lease ends; the ruling waits for that.
    app.kill().expect("is killed");
    app.wait().expect("is gone");
    fix(&house, &["write-flag", "-r", "ROLLED_BACK", "--reason", "killed", "--wait", "20s"]).exits(0);
    house.start("good").exits(0);
}

pub(crate) fn a_lock_is_released_by_force_and_with_a_reason() {
    let house = House::new();
    house.run(&["lock", "release", "--force", "--reason", "x"]).exits(1).says("there is no file");
    let mut app = house.app("slow").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    while !house.path("started").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    house.run(&["lock", "release", "--reason", "x"]).exits(4).says("--force");
    house.run(&["lock", "release", "--force"]).exits(2).says("--reason");
    house
        .run(&["lock", "release", "--force", "--reason", "it hangs"])
        .exits(0)
        .says("Took the lock from orders@");
    assert!(!app.wait().expect("ends").success(), "it was put out of office");
    house.run(&["lock", "release", "--force", "--reason", "x"]).exits(0).says("nothing to release");
    house.run(&["audit", "list", "--history"]).exits(0).says("unlock").says("broke the lock of");
    house.run(&["audit", "verify"]).exits(0);
}

pub(crate) fn a_tag_can_be_undone_to() {
    let house = House::new();
    house.ask("good", &["execute", "apply", "--until", "create-orders"]).exits(0);
    house.run(&["tag", "v1"]).exits(0).says("Tagged as v1");
    house.run(&["tag", "v1"]).exits(1).says("is taken");
    house.ask("good", &["execute", "apply", "--until", "add-tracking"]).exits(0);
    house.ask("good", &["undo", "--tag", "v9", "--yes"]).exits(1).says("no tag `v9`");
    house.ask("good", &["undo", "--tag", "v1", "--yes"]).exits(0).says("UNDONE").says("applies them again");
    house.run(&["audit", "list"]).exits(0).says("ROLLED_BACK");
}
