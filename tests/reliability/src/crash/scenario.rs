use crate::house::{ChangeSpec, Fails, Kind};

/// What a process is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Apply,
    /// Undoes all changes that can be undone.
    Undo,
}

/// Changes, and what is done with them.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    pub(super) changes: Vec<ChangeSpec>,
    /// What happens before any fault.
    pub(super) before: Vec<Task>,
    /// The processes that have faults.
    pub(super) faulty: [Task; 2],
    /// Whether the lock forgets everything between two processes.
    pub(super) lock_forgets: bool,
}

fn spec(id: &'static str, kind: Kind) -> ChangeSpec {
    ChangeSpec::new(id, kind)
}

fn apply(name: &'static str, changes: Vec<ChangeSpec>) -> Scenario {
    Scenario { name, changes, before: Vec::new(), faulty: [Task::Apply; 2], lock_forgets: false }
}

fn undo(name: &'static str, changes: Vec<ChangeSpec>) -> [Scenario; 2] {
    let scenario = |faulty, name| Scenario {
        name,
        changes: changes.clone(),
        before: vec![Task::Apply],
        faulty,
        lock_forgets: false,
    };
    // Whoever undid it either tries again, or the application starts.
    let again: &'static str = Box::leak(format!("{name}, then undo again").into_boxed_str());
    [scenario([Task::Undo, Task::Apply], name), scenario([Task::Undo, Task::Undo], again)]
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
        Scenario { lock_forgets: true, ..apply("a lock that forgets", vec![a(Tx), spec("b", Plain)]) },
    ];
    all.extend(undo("undo tx", vec![a(Tx).with_rollback(), spec("b", Tx).with_rollback()]));
    all.extend(undo("undo tx that fails", vec![a(Tx).rollback_failing(Half)]));
    all.extend(undo("undo ddl", vec![a(Ddl).with_rollback()]));
    all.extend(undo("undo ddl that fails", vec![a(Ddl).rollback_failing(Half)]));
    all.extend(undo("undo plain", vec![a(Plain).with_rollback(), spec("b", Tx).with_rollback()]));
    all.extend(undo("undo plain that fails", vec![a(Plain).rollback_failing(Half)]));
    all.extend(undo("undo plain with verify", vec![a(Plain).with_rollback().with_verify()]));
    all
}
