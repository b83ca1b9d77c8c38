use std::any::TypeId;
use std::sync::Arc;

use flamingock_core::BackendError;
use flamingock_core::change::{
    Body, BoxError, Change, ChangeError, Method, MethodError, Order, Param, ParamKind, Source, TargetState,
};
use flamingock_core::memory::{MemoryMap, MemoryTransaction};
use flamingock_core::target::{Mode, TargetSystem};

use super::{ChangeSpec, Fails, House, Kind, Op, Wire};

/// What every change does: two parts, each counted.
///
/// A part is there while its key is; `.times` and `.undone` count how often it was done and taken back.
pub(crate) const PARTS: [&str; 2] = ["1", "2"];

/// Something with keys and texts: a database's session, or the map without transactions.
trait Keys {
    fn get(&mut self, key: &str) -> Result<Option<String>, BackendError>;
    fn put(&mut self, key: &str, value: String) -> Result<(), BackendError>;
    fn remove(&mut self, key: &str) -> Result<(), BackendError>;
    fn implicit_commit(&mut self) -> Result<(), BackendError>;
}

impl Keys for &mut MemoryTransaction {
    fn get(&mut self, key: &str) -> Result<Option<String>, BackendError> {
        MemoryTransaction::get(self, key)
    }

    fn put(&mut self, key: &str, value: String) -> Result<(), BackendError> {
        MemoryTransaction::put(self, key, value)
    }

    fn remove(&mut self, key: &str) -> Result<(), BackendError> {
        MemoryTransaction::remove(self, key)
    }

    fn implicit_commit(&mut self) -> Result<(), BackendError> {
        MemoryTransaction::implicit_commit(self)
    }
}

impl Keys for &MemoryMap {
    fn get(&mut self, key: &str) -> Result<Option<String>, BackendError> {
        Ok(MemoryMap::get(self, key))
    }

    fn put(&mut self, key: &str, value: String) -> Result<(), BackendError> {
        MemoryMap::put(self, key, value);
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), BackendError> {
        MemoryMap::remove(self, key);
        Ok(())
    }

    fn implicit_commit(&mut self) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A change as one process has it.
pub(super) fn change<W: Wire>(spec: &ChangeSpec, order: usize, wire: &Arc<W>) -> Change {
    let target = if spec.kind == Kind::Plain { "flags" } else { "db" };
    let apply = method(spec, wire, Task::Apply);
    let mut change = Change::new(
        spec.id,
        Order::new(order.to_string()),
        target,
        Source::new("scenario", 1),
        format!("v1:{}", spec.id),
        apply,
    );
    change.recovery = spec.recovery;
    change.stage = spec.stage.map(str::to_owned);
    change.transactional = Some(spec.kind.is_transactional());
    if spec.rollback {
        change.rollback = Some(method(spec, wire, Task::Rollback));
    }
    if spec.verify {
        change.verify = Some(verify(spec, wire));
    }
    change
}

/// What an operator does who finds half of a change: takes it away, as if it had never been there.
pub(crate) async fn clear_away(house: &House, spec: &ChangeSpec) {
    let mut session = house.db.open(Mode::Plain).await.expect("memory is there");
    let db = session.handle(TypeId::of::<MemoryTransaction>()).and_then(|db| db.downcast_mut());
    let mut db: &mut MemoryTransaction = db.expect("it is its session");
    let mut flags = &house.flags;
    let keys: &mut dyn Keys = if spec.kind == Kind::Plain { &mut flags } else { &mut db };
    for part in PARTS {
        let (key, count) = (format!("{}.{part}", spec.id), format!("{}.{part}.times", spec.id));
        if keys.get(&key).is_ok_and(|there| there.is_some()) {
            let times = keys.get(&count).ok().flatten().and_then(|times| times.parse::<u64>().ok());
            keys.put(&count, (times.unwrap_or(1) - 1).to_string()).expect("memory is there");
            keys.remove(&key).expect("memory is there");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Apply,
    Rollback,
}

/// Everything a method knows while it runs.
struct Work<W> {
    spec: ChangeSpec,
    wire: Arc<W>,
    task: Task,
}

impl<W: Wire> Work<W> {
    async fn run(&self, mut keys: impl Keys + Send) -> Result<(), BoxError> {
        let spec = &self.spec;
        let fails = match self.task {
            Task::Apply => spec.fails,
            Task::Rollback => spec.rollback_fails,
        };
        let fails = if self.wire.name() < spec.mended_in { fails } else { Fails::Never };
        if fails == Fails::NothingDone {
            return Err(ChangeError::not_applied("refused").into());
        }
        let mut parts = PARTS;
        if self.task == Task::Rollback {
            parts.reverse();
        }
        for (index, part) in parts.into_iter().enumerate() {
            if fails == Fails::Before && index == 0 || fails == Fails::Half && index == 1 {
                return Err("the change itself failed".into());
            }
            let key = format!("{}.{part}", spec.id);
            let what = format!("{key} {}", if self.task == Task::Apply { "done" } else { "taken back" });
            let step = async {
                self.part(&mut keys, &key)?;
                if spec.kind == Kind::Ddl && index == 0 { keys.implicit_commit() } else { Ok(()) }
            };
            self.wire.now(Op::Body, &what, step).await?;
        }
        if fails == Fails::AtTheEnd { Err("the change itself failed".into()) } else { Ok(()) }
    }

    fn part(&self, keys: &mut impl Keys, key: &str) -> Result<(), BackendError> {
        let mut count = |name: &str| {
            let key = format!("{key}.{name}");
            let times: u64 = keys.get(&key)?.map_or(0, |times| times.parse().unwrap_or(0));
            keys.put(&key, (times + 1).to_string())
        };
        match self.task {
            Task::Apply => {
                count("times")?;
                keys.put(key, "on".to_owned())
            }
            // As a compensation it finds any part of it.
            Task::Rollback if keys.get(key)?.is_none() => Ok(()),
            Task::Rollback => {
                let mut count = |name: &str| {
                    let key = format!("{key}.{name}");
                    let times: u64 = keys.get(&key)?.map_or(0, |times| times.parse().unwrap_or(0));
                    keys.put(&key, (times + 1).to_string())
                };
                count("undone")?;
                keys.remove(key)
            }
        }
    }
}

fn method<W: Wire>(spec: &ChangeSpec, wire: &Arc<W>, task: Task) -> Method {
    let work = Arc::new(Work { spec: spec.clone(), wire: Arc::clone(wire), task });
    let on_session = spec.kind != Kind::Plain;
    Method {
        params: vec![param(on_session)],
        body: Body::Async(Arc::new(move |invocation| {
            let work = Arc::clone(&work);
            Box::pin(async move {
                let (session, dependencies) = invocation.split();
                let done = if on_session {
                    work.run(session.exclusive::<MemoryTransaction>("db")?).await
                } else {
                    work.run(dependencies.shared::<MemoryMap>("flags")?).await
                };
                done.map_err(MethodError::new)
            })
        })),
    }
}

/// Looks which parts are there.
fn verify<W: Wire>(spec: &ChangeSpec, wire: &Arc<W>) -> Method<TargetState> {
    let (id, wire) = (spec.id, Arc::clone(wire));
    let on_session = spec.kind != Kind::Plain;
    Method {
        params: vec![param(on_session)],
        body: Body::Async(Arc::new(move |invocation| {
            let wire = Arc::clone(&wire);
            Box::pin(async move {
                let (session, dependencies) = invocation.split();
                let keys = PARTS.map(|part| format!("{id}.{part}"));
                let look = async {
                    let mut there = 0;
                    if on_session {
                        let mut db = session.exclusive::<MemoryTransaction>("db").map_err(other)?;
                        for key in &keys {
                            there += usize::from(Keys::get(&mut db, key)?.is_some());
                        }
                    } else {
                        let mut flags = dependencies.shared::<MemoryMap>("flags").map_err(other)?;
                        for key in &keys {
                            there += usize::from(Keys::get(&mut flags, key)?.is_some());
                        }
                    }
                    Ok(match there {
                        0 => TargetState::NotApplied,
                        there if there == keys.len() => TargetState::Applied,
                        _ => TargetState::PartiallyApplied,
                    })
                };
                wire.now(Op::Verify, id, look).await.map_err(MethodError::new)
            })
        })),
    }
}

fn other(error: MethodError) -> BackendError {
    BackendError::new(flamingock_core::BackendErrorKind::Other, "verify", error.to_string())
}

fn param(on_session: bool) -> Param {
    let (name, kind, type_id, type_name) = if on_session {
        ("db", ParamKind::Exclusive, TypeId::of::<MemoryTransaction>(), "MemoryTransaction")
    } else {
        ("flags", ParamKind::Shared, TypeId::of::<MemoryMap>(), "MemoryMap")
    };
    Param { name: name.to_owned(), kind, type_id, type_name, line: 1 }
}
