use crate::house::{ChangeSpec, Fails, Flaw, Kind};

/// What a process is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Apply,
    /// Undoes all changes that can be undone.
    Undo,
    /// The same, and holds them, and those that are rolled back already.
    Hold,
    /// An operator releases everything that is held.
    Release,
}

/// Changes, and what is done with them.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is about.
    pub name: String,
    pub(super) changes: Vec<ChangeSpec>,
    /// What happens before any fault.
    pub(super) before: Vec<Task>,
    /// The processes that have faults.
    pub(super) faulty: [Task; 2],
    /// Whether the lock forgets everything between two processes.
    pub(super) lock_forgets: bool,
    /// What the servers do wrong on purpose.
    pub flaw: Option<Flaw>,
}

fn spec(id: &'static str, kind: Kind) -> ChangeSpec {
    ChangeSpec::new(id, kind)
}

fn apply(name: &'static str, changes: Vec<ChangeSpec>) -> Scenario {
    scenario(name, &changes, &[], [Task::Apply; 2])
}

fn scenario(name: impl Into<String>, changes: &[ChangeSpec], before: &[Task], faulty: [Task; 2]) -> Scenario {
    let (name, changes, before) = (name.into(), changes.to_vec(), before.to_vec());
    Scenario { name, changes, before, faulty, lock_forgets: false, flaw: None }
}

/// Whoever undid it either tries again, or the application starts.
fn undo(name: &str, changes: Vec<ChangeSpec>) -> [Scenario; 2] {
    use Task::{Apply, Undo};
    [
        scenario(name, &changes, &[Apply], [Undo, Apply]),
        scenario(format!("{name}, then undo again"), &changes, &[Apply], [Undo, Undo]),
    ]
}

/// The same, and what is undone is held.
fn hold(what: &str, changes: Vec<ChangeSpec>) -> [Scenario; 3] {
    use Task::{Apply, Hold, Release};
    [
        scenario(format!("hold {what}"), &changes, &[Apply], [Hold, Apply]),
        scenario(format!("hold {what}, then again"), &changes, &[Apply], [Hold, Hold]),
        scenario(format!("hold {what}, then release"), &changes, &[Apply], [Hold, Release]),
    ]
}

/// What is held is released, before or after a start.
fn release(what: &str, changes: Vec<ChangeSpec>) -> [Scenario; 3] {
    use Task::{Apply, Hold, Release};
    [
        scenario(format!("release {what}"), &changes, &[Apply, Hold], [Release, Apply]),
        scenario(format!("release {what}, then hold again"), &changes, &[Apply, Hold], [Release, Hold]),
        scenario(
            format!("start while {what} is held, then release"),
            &changes,
            &[Apply, Hold],
            [Apply, Release],
        ),
    ]
}

/// All of them.
pub fn scenarios() -> Vec<Scenario> {
    use Fails::{AtTheEnd, Before, Half, NothingDone};
    use Kind::{Ddl, Plain, PlainOnDb, Tx};
    let a = |kind| spec("a", kind);
    let mut all = vec![
        apply("one tx", vec![a(Tx)]),
        apply("one tx, retried", vec![a(Tx).retried()]),
        apply("three tx", vec![a(Tx), spec("b", Tx), spec("c", Tx)]),
        apply("tx and plain", vec![a(Tx), spec("b", Plain), spec("c", Tx)]),
        apply("plain and tx, retried", vec![a(Plain).retried(), spec("b", Tx).retried()]),
        apply("two stages", vec![a(Tx).in_stage("one"), spec("b", Plain).in_stage("two")]),
        apply(
            "two stages, the first fails",
            vec![a(Tx).in_stage("one").failing(Half), spec("b", Tx).in_stage("two")],
        ),
        apply("tx that fails", vec![a(Tx).failing(Half), spec("b", Tx)]),
        apply("tx that fails, retried", vec![a(Tx).failing(AtTheEnd).retried(), spec("b", Tx)]),
        apply("ddl", vec![a(Ddl), spec("b", Tx)]),
        apply("ddl, retried", vec![a(Ddl).retried(), spec("b", Tx)]),
        apply("ddl that fails", vec![a(Ddl).failing(Half)]),
        apply("ddl that fails, retried", vec![a(Ddl).failing(Half).retried()]),
        apply("ddl that fails before it commits, retried", vec![a(Ddl).failing(Before).retried()]),
        apply("ddl with verify", vec![a(Ddl).with_verify()]),
        apply("ddl that fails, with verify", vec![a(Ddl).failing(Half).with_verify()]),
        apply("plain", vec![a(Plain)]),
        apply("plain on the transactional target", vec![a(PlainOnDb), spec("b", Tx)]),
        apply("plain on the transactional target, retried", vec![a(PlainOnDb).retried()]),
        apply("plain that fails", vec![a(Plain).failing(Half)]),
        apply("plain that fails, retried", vec![a(Plain).failing(Half).retried()]),
        apply("plain that says nothing was done", vec![a(Plain).failing(NothingDone)]),
        apply("plain that says nothing was done, retried", vec![a(Plain).failing(NothingDone).retried()]),
        apply("plain that is compensated", vec![a(Plain).failing(Half).with_rollback(), spec("b", Tx)]),
        apply("plain that is compensated, retried", vec![a(Plain).failing(Half).with_rollback().retried()]),
        apply(
            "plain on the transactional target that is compensated",
            vec![a(PlainOnDb).failing(AtTheEnd).with_rollback()],
        ),
        apply("plain whose compensation fails", vec![a(Plain).failing(Half).rollback_failing(Before)]),
        apply(
            "plain whose compensation fails, retried",
            vec![a(Plain).failing(AtTheEnd).rollback_failing(Half).retried()],
        ),
        apply("plain with verify", vec![a(Plain).with_verify(), spec("b", Tx)]),
        apply("plain with verify, retried", vec![a(Plain).with_verify().retried()]),
        apply(
            "plain with verify that fails half-way",
            vec![a(Plain).with_verify().failing(Half).mended_soon()],
        ),
        apply(
            "plain with verify that is compensated",
            vec![a(Plain).with_verify().failing(Half).with_rollback().mended_soon()],
        ),
    ];
    let forgetful = [
        apply("tx and plain", vec![a(Tx), spec("b", Plain)]),
        apply("ddl, retried", vec![a(Ddl).retried()]),
        scenario("undo tx", &[a(Tx).with_rollback()], &[Task::Apply], [Task::Undo, Task::Apply]),
        scenario("hold tx", &[a(Tx).with_rollback()], &[Task::Apply], [Task::Hold, Task::Apply]),
        scenario(
            "release",
            &[a(Tx).with_rollback()],
            &[Task::Apply, Task::Hold],
            [Task::Release, Task::Apply],
        ),
    ];
    all.extend(forgetful.map(|scenario| Scenario {
        name: format!("a lock that forgets: {}", scenario.name),
        lock_forgets: true,
        ..scenario
    }));
    all.extend(undo("undo tx", vec![a(Tx).with_rollback(), spec("b", Tx).with_rollback()]));
    all.extend(undo("undo tx that fails", vec![a(Tx).rollback_failing(Half)]));
    all.extend(undo("undo ddl", vec![a(Ddl).with_rollback()]));
    all.extend(undo("undo ddl that fails", vec![a(Ddl).rollback_failing(Half)]));
    all.extend(undo("undo plain", vec![a(Plain).with_rollback(), spec("b", Tx).with_rollback()]));
    all.extend(undo("undo plain that fails", vec![a(Plain).rollback_failing(Half)]));
    all.extend(undo("undo plain with verify", vec![a(Plain).with_rollback().with_verify()]));
    all.extend(holds());
    all
}

/// Undone and held, and released.
fn holds() -> Vec<Scenario> {
    use Fails::{Before, Half};
    use Kind::{Ddl, Plain, Tx};
    use Task::{Apply, Hold, Undo};
    let a = |kind| spec("a", kind);
    let mixed = || vec![a(Tx).with_rollback(), spec("b", Plain).with_rollback(), spec("c", Tx)];
    let staged = vec![a(Tx).in_stage("one"), spec("b", Tx).with_rollback().in_stage("two")];
    let mut all = vec![
        scenario("hold what is rolled back", &[a(Tx).with_rollback()], &[Apply, Undo], [Hold, Apply]),
        scenario("hold what failed", &[a(Tx).failing(Half), spec("b", Tx)], &[Apply], [Hold, Apply]),
        scenario(
            "hold what is half there",
            &[a(Plain).failing(Half).rollback_failing(Before).mended_soon()],
            &[],
            [Apply, Hold],
        ),
        scenario("hold in one of two stages", &staged, &[Apply], [Hold, Apply]),
    ];
    all.extend(hold("tx", vec![a(Tx).with_rollback(), spec("b", Tx)]));
    all.extend(hold("tx that fails", vec![a(Tx).rollback_failing(Half)]));
    all.extend(hold("ddl", vec![a(Ddl).with_rollback()]));
    all.extend(hold("ddl that fails", vec![a(Ddl).rollback_failing(Half)]));
    all.extend(hold("tx and plain", mixed()));
    all.extend(hold("plain that fails", vec![a(Plain).rollback_failing(Half)]));
    all.extend(hold("plain with verify", vec![a(Plain).with_rollback().with_verify()]));
    all.extend(release("tx and plain", mixed()));
    all
}
