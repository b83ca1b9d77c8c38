use std::any::{TypeId, type_name};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use flamingock_core::Flamingock;
use flamingock_core::change::{Body, BoxError, Change, Method, MethodError, Order, Param, ParamKind, Source};
use flamingock_core::memory::{MemoryMap, MemoryTarget, MemoryTransaction};
use redis::Value;

use super::{DURABLE, connect};
use crate::server::Admin;
use crate::server::own::Own;

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// A change of the transactional target `db`.
pub(super) fn on_db(
    id: &str,
    order: u32,
    apply: impl for<'a> Fn(&'a mut MemoryTransaction) -> Outcome<'a> + Send + Sync + 'static,
) -> Change {
    let param = Param {
        name: "db".to_owned(),
        kind: ParamKind::Exclusive,
        type_id: TypeId::of::<MemoryTransaction>(),
        type_name: type_name::<MemoryTransaction>(),
        line: line!(),
    };
    let apply = Arc::new(apply);
    let body = Body::Async(Arc::new(move |invocation| {
        let apply = Arc::clone(&apply);
        Box::pin(async move {
            let (session, _) = invocation.split();
            apply(session.exclusive::<MemoryTransaction>("db")?).await.map_err(MethodError::new)
        })
    }));
    change(id, order, "db", Method { params: vec![param], body })
}

/// A change of the transactional target `db` that puts its own id.
pub(super) fn put(id: &'static str, order: u32) -> Change {
    on_db(id, order, move |db| {
        let put = db.put(id, "applied");
        Box::pin(async move { Ok(put?) })
    })
}

fn change(id: &str, order: u32, target: &str, apply: Method) -> Change {
    let source = Source::new(file!(), line!());
    Change::new(id, Order::new(order.to_string()), target, source, format!("v1:{id}"), apply)
}

/// How often each command was run since the counters were set back.
async fn commands(admin: &Admin) -> Vec<(String, u32)> {
    let answer = admin.run("INFO commandstats").await.expect("info");
    let text: String = redis::from_redis_value(answer).expect("text");
    let count = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    // Its own are not counted.
    let own =
        |name: &str| matches!(name, "info" | "config|resetstat" | "client|setinfo" | "client" | "hello");
    text.lines().filter_map(count).filter(|(name, _)| !own(name)).collect()
}

pub(super) async fn a_start_with_nothing_to_do_is_one_command() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let (admin, db) = (server.admin(), MemoryTarget::new("db"));
    let app = async || {
        let builder = Flamingock::builder().service("orders").audit_store(connect(&server.url()).await);
        builder.change(put("a", 1)).change(put("b", 2)).target(db.clone()).build().expect("it is wired")
    };
    assert_eq!(app().await.run().await.expect("the first run").changes.applied, 2);
    let again = app().await;
    // Also on a server that has just started, and knows no script.
    for command in ["SCRIPT FLUSH", "CONFIG RESETSTAT"] {
        assert_eq!(admin.run(command).await.expect("an answer"), Value::Okay);
    }
    again.run().await.expect("the second run");
    assert_eq!(commands(&admin).await, [("hmget".to_owned(), 1)]);
}

pub(super) async fn eight_instances_apply_fifty_changes_once_each() {
    let server = Own::start(&DURABLE).await.expect("a server");
    for round in 0..5 {
        let (db, flags) = (MemoryTarget::new("db"), MemoryMap::new());
        let counts: Arc<Vec<AtomicU32>> = Arc::new((0..50).map(|_| AtomicU32::new(0)).collect());
        let mut starting = Vec::new();
        for _ in 0..8 {
            let store = connect(&server.url()).await;
            let mut builder = Flamingock::builder().service("orders").tenant(format!("round-{round}"));
            builder = builder.audit_store(store).target(db.clone()).target(flags.target("flags"));
            for number in 0..50_u32 {
                builder = builder.change(counter(number, &counts));
            }
            let app = builder.build().expect("it is wired");
            starting.push(tokio::spawn(async move { app.run().await.map(|report| report.changes.applied) }));
        }
        let mut applied = 0;
        for start in starting {
            applied += start.await.expect("no panic").expect("none fails");
        }
        assert_eq!(applied, 50, "round {round}");
        let counted: Vec<u32> = counts.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        assert_eq!(counted, [1; 50], "round {round}");
    }
}

/// Every other one on the target with transactions.
fn counter(number: u32, counts: &Arc<Vec<AtomicU32>>) -> Change {
    let (id, counts) = (format!("change-{number}"), Arc::clone(counts));
    let count = move || {
        if let Some(count) = counts.get(number as usize) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    if number.is_multiple_of(2) {
        return on_db(&id, number, move |_| {
            count();
            Box::pin(async { Ok(()) })
        });
    }
    let body = Body::Blocking(Arc::new(move |_| {
        count();
        Ok(())
    }));
    change(&id, number, "flags", Method { params: Vec::new(), body })
}
