//! Real processes on SQLite: started together, and killed half-way.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use flamingock::History;
use flamingock::audit::{AuditState, AuditStore as _, ChainHash, EntryFilter, verify_chain};
use flamingock_tests::changes::{Hold, fifty};
use flamingock_tests::place::Place;

fn replica(scenario: &str, dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replica"));
    command.arg(scenario).arg("--dir").arg(dir).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn outcome(child: Child) -> Output {
    child.wait_with_output().expect("the replica ends")
}

#[track_caller]
fn ended_well(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}

#[tokio::test]
async fn of_eight_replicas_that_start_together_none_fails_and_each_change_is_applied_once() {
    for round in 0..5 {
        let dir = tempfile::tempdir().expect("a directory");
        let one_file = round % 2 == 1;
        let more: &[&str] = if one_file { &["--one-file"] } else { &[] };
        let replicas: Vec<Child> =
            (0..8).map(|_| replica("fifty", dir.path(), more).spawn().expect("starts")).collect();
        for replica in replicas {
            ended_well(&outcome(replica));
        }

        let place = Place::new(dir.path(), one_file);
        let counters = (0..fifty::COUNT).filter(|number| fifty::is_counter(*number));
        let folder = place.folder().expect("is there");
        for id in counters.map(fifty::id) {
            assert_eq!(folder.lines(&id), 1, "round {round}: {id}");
        }
        let rows = (0..fifty::COUNT).filter(|number| !fifty::is_counter(*number));
        let expected: BTreeMap<String, i64> = rows.map(|number| (fifty::id(number), 1)).collect();
        assert_eq!(place.effects().await.expect("is readable"), expected, "round {round}");
        assert_eq!(log(&place).await.len(), 100, "round {round}");
    }
}

/// The audit's states, after its chain was checked.
async fn log(place: &Place) -> Vec<(String, AuditState)> {
    let store = place.store().await.expect("opens");
    let entries =
        store.entries(&History::new("replica"), &EntryFilter::default()).await.expect("is readable");
    verify_chain((0, ChainHash::GENESIS), &entries).expect("the chain holds");
    entries.into_iter().map(|entry| (entry.change, entry.state.expect("has a state"))).collect()
}

/// Starts a replica that stands still at `point`, and kills it there.
fn kill_at(point: &str, scenario: &str, dir: &Path, more: &[&str]) {
    let mut child =
        replica(scenario, dir, more).args(["--hold", point, "--lease", "1000"]).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
    let held = lines.any(|line| line.expect("is text") == Hold::LINE);
    child.kill().expect("SIGKILL is sent");
    let output = outcome(child);
    assert!(held, "it never came to {point}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The next start, with the same lease.
fn start_again(scenario: &str, dir: &Path, more: &[&str]) -> Output {
    outcome(replica(scenario, dir, more).args(["--lease", "1000"]).spawn().expect("starts"))
}

#[tokio::test]
async fn a_replica_killed_around_transactional_changes_leaves_nothing_twice_and_no_issue() {
    // Before the transaction, inside it, between its commit and its record, and between two changes.
    for point in
        ["one:started", "two:started", "two:applying", "two:finished", "three:started", "three:finished"]
    {
        for more in [&[][..], &["--one-file"]] {
            let dir = tempfile::tempdir().expect("a directory");
            kill_at(point, "transactional", dir.path(), more);
            ended_well(&start_again("transactional", dir.path(), more));
            let place = Place::new(dir.path(), !more.is_empty());
            let effects = place.effects().await.expect("is readable");
            let once = ["one", "two", "three"].map(|id| (id.to_owned(), 1));
            assert_eq!(effects, BTreeMap::from(once), "killed at {point} {more:?}");
            let applied = log(&place).await.into_iter().filter(|(_, state)| *state == AuditState::Applied);
            assert_eq!(applied.count(), 3, "killed at {point} {more:?}");
            assert!(ended_well(&start_again("transactional", dir.path(), more)).contains("NO CHANGES"));
        }
    }
}

#[tokio::test]
async fn a_replica_killed_in_a_change_without_a_transaction_leaves_an_issue_that_names_it() {
    for (point, lines) in [("effect:before", 0), ("effect:after", 1)] {
        let dir = tempfile::tempdir().expect("a directory");
        kill_at(point, "manual", dir.path(), &[]);
        for _ in 0..2 {
            let output = start_again("manual", dir.path(), &[]);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success());
            assert!(error.contains("manual intervention required for: effect"), "{error}");
        }
        let place = Place::new(dir.path(), false);
        assert_eq!(place.folder().expect("is there").lines("effect"), lines);
        assert_eq!(log(&place).await, [("effect".to_owned(), AuditState::Started)]);
    }
}

#[tokio::test]
async fn verify_settles_a_change_that_was_killed() {
    for point in ["effect:before", "effect:after"] {
        let dir = tempfile::tempdir().expect("a directory");
        kill_at(point, "verified", dir.path(), &[]);
        ended_well(&start_again("verified", dir.path(), &[]));
        assert_eq!(Place::new(dir.path(), false).folder().expect("is there").lines("effect"), 1, "{point}");
    }
}

#[tokio::test]
async fn a_change_that_may_be_retried_is_applied_again_after_a_kill() {
    for (point, lines) in [("effect:before", 1), ("effect:after", 2)] {
        let dir = tempfile::tempdir().expect("a directory");
        kill_at(point, "retried", dir.path(), &[]);
        ended_well(&start_again("retried", dir.path(), &[]));
        assert_eq!(
            Place::new(dir.path(), false).folder().expect("is there").lines("effect"),
            lines,
            "{point}"
        );
    }
}
