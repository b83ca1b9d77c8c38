//! Changes on the in-memory targets, made by hand.

pub(crate) mod faults;
pub(crate) mod told;

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use flamingock_core::audit::{AuditEntry, AuditStore, ChainHash, EntryFilter, verify_chain};
use flamingock_core::change::{
    Body, BoxError, Change, Invocation, Method, MethodError, Order, Param, ParamKind, Source, TargetState,
};
use flamingock_core::memory::{MemoryMap, MemoryStore, MemoryTarget, MemoryTransaction};
use flamingock_core::{Flamingock, FlamingockBuilder, History};

pub(crate) type Outcome = Result<(), BoxError>;

/// A change of the transactional target `db`.
pub(crate) fn tx(
    id: &str,
    order: &str,
    body: impl Fn(&mut MemoryTransaction) -> Outcome + Send + Sync + 'static,
) -> Change {
    change(id, order, "db", on_db(body))
}

/// A change of the plain target `flags`.
pub(crate) fn plain(
    id: &str,
    order: &str,
    body: impl Fn(&MemoryMap) -> Outcome + Send + Sync + 'static,
) -> Change {
    change(id, order, "flags", on_flags(body))
}

/// Puts its own id.
pub(crate) fn put(id: &str, order: &str) -> Change {
    let key = id.to_owned();
    tx(id, order, move |db| Ok(db.put(&key, "applied")?))
}

/// Puts its own id, or fails, after a time.
pub(crate) fn slow(id: &str, order: &str, time: Duration, fails: bool) -> Change {
    let key = id.to_owned();
    let apply = on_db_async(move |db| {
        let key = key.clone();
        Box::pin(async move {
            tokio::time::sleep(time).await;
            if fails { Err("no such column".into()) } else { Ok(db.put(&key, "applied")?) }
        })
    });
    change(id, order, "db", apply)
}

/// Counts how often it ran.
pub(crate) fn count(id: &str, order: &str) -> Change {
    let key = id.to_owned();
    plain(id, order, move |flags| {
        let runs: u32 = flags.get(&key).map_or(0, |runs| runs.parse().expect("a number"));
        flags.put(&key, (runs + 1).to_string());
        Ok(())
    })
}

pub(crate) fn change(id: &str, order: &str, target: &str, apply: Method) -> Change {
    Change::new(
        id,
        Order::new(order.to_owned()),
        target,
        Source::new("tests/run.rs", 1),
        format!("v1:{id}"),
        apply,
    )
}

pub(crate) fn on_db(body: impl Fn(&mut MemoryTransaction) -> Outcome + Send + Sync + 'static) -> Method {
    let body = Arc::new(body);
    on_db_async(move |db| {
        let result = body(db);
        Box::pin(async move { result })
    })
}

/// On a thread of its own, where it goes on when its run has died, as a statement does in a server.
pub(crate) fn on_db_blocking(
    body: impl Fn(&mut MemoryTransaction) -> Outcome + Send + Sync + 'static,
) -> Method {
    let body = Body::Blocking(Arc::new(move |invocation: Invocation<'_>| {
        let (session, _) = invocation.split();
        body(session.exclusive::<MemoryTransaction>("db")?).map_err(MethodError::new)
    }));
    Method { params: vec![param::<MemoryTransaction>("db", ParamKind::Exclusive)], body }
}

pub(crate) type Future<'a> = std::pin::Pin<Box<dyn std::future::Future<Output = Outcome> + Send + 'a>>;

pub(crate) fn on_db_async(
    body: impl for<'a> Fn(&'a mut MemoryTransaction) -> Future<'a> + Send + Sync + 'static,
) -> Method {
    let param = param::<MemoryTransaction>("db", ParamKind::Exclusive);
    let body = Arc::new(body);
    Method {
        params: vec![param],
        body: Body::Async(Arc::new(move |invocation| {
            let body = Arc::clone(&body);
            Box::pin(async move {
                let (session, _) = invocation.split();
                body(session.exclusive::<MemoryTransaction>("db")?).await.map_err(MethodError::new)
            })
        })),
    }
}

pub(crate) fn on_flags(body: impl Fn(&MemoryMap) -> Outcome + Send + Sync + 'static) -> Method {
    looking_at_flags(body)
}

pub(crate) fn verify_flags(
    body: impl Fn(&MemoryMap) -> Result<TargetState, BoxError> + Send + Sync + 'static,
) -> Method<TargetState> {
    looking_at_flags(body)
}

fn looking_at_flags<T: Send + 'static>(
    body: impl Fn(&MemoryMap) -> Result<T, BoxError> + Send + Sync + 'static,
) -> Method<T> {
    let param = param::<MemoryMap>("flags", ParamKind::Shared);
    let body = Arc::new(body);
    Method {
        params: vec![param],
        body: Body::Async(Arc::new(move |invocation| {
            let body = Arc::clone(&body);
            Box::pin(async move {
                let (_, dependencies) = invocation.split();
                body(dependencies.shared::<MemoryMap>("flags")?).map_err(MethodError::new)
            })
        })),
    }
}

fn param<T: 'static>(name: &str, kind: ParamKind) -> Param {
    let (type_id, type_name) = (TypeId::of::<T>(), std::any::type_name::<T>());
    Param { name: name.to_owned(), kind, type_id, type_name, line: 1 }
}

pub(crate) fn orders() -> History {
    History::new("orders")
}

/// A store, a transactional target and a plain one, as several starts of one service see them.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) store: MemoryStore,
    pub(crate) db: MemoryTarget,
    pub(crate) flags: MemoryMap,
}

impl House {
    pub(crate) fn new() -> Self {
        told::install();
        Self { store: MemoryStore::new(), db: MemoryTarget::new("db"), flags: MemoryMap::new() }
    }

    pub(crate) fn builder(&self, changes: impl IntoIterator<Item = Change>) -> FlamingockBuilder {
        let builder = Flamingock::builder()
            .service("orders")
            .audit_store(self.store.clone())
            .target(self.db.clone())
            .target(self.flags.target("flags"));
        changes.into_iter().fold(builder, FlamingockBuilder::change)
    }

    pub(crate) fn app(&self, changes: impl IntoIterator<Item = Change>) -> Flamingock {
        self.builder(changes).build().expect("the wiring is right")
    }

    pub(crate) async fn entries(&self) -> Vec<AuditEntry> {
        let entries = self.store.entries(&orders(), &EntryFilter::default()).await.expect("readable");
        verify_chain((0, ChainHash::GENESIS), &entries).expect("the chain holds");
        entries
    }

    /// The log as `change STATE` lines.
    pub(crate) async fn log(&self) -> Vec<String> {
        let line = |entry: AuditEntry| format!("{} {}", entry.change, entry.state.expect("has a state"));
        self.entries().await.into_iter().map(line).collect()
    }

    /// As after the lease of a run that died.
    pub(crate) async fn expire_lock(&self) {
        use flamingock_core::lock::LockStore;
        self.store.break_lock(&orders()).await.expect("is reached");
    }

    pub(crate) async fn lock_is_free(&self) -> bool {
        use flamingock_core::lock::LockStore;
        self.store.inspect(&orders()).await.expect("readable").is_none()
    }
}
