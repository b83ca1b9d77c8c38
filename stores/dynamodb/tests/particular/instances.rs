//! Whole starts: with nothing to do, and of several instances together.

use std::any::{TypeId, type_name};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use flamingock_core::change::{Body, Change, Method, MethodError, Order, Param, ParamKind, Source};
use flamingock_core::memory::{MemoryTarget, MemoryTransaction};
use flamingock_core::{Flamingock, FlamingockBuilder};
use flamingock_store_dynamodb::DynamoAuditStore;

use crate::server;
use crate::store::Counter;

const INSTANCES: usize = 8;
const CHANGES: u32 = 50;

/// Counts how often it was applied.
fn counting(number: u32) -> Change {
    let id = format!("change-{number}");
    let key = id.clone();
    let body = Body::Async(Arc::new(move |invocation| {
        let key = key.clone();
        Box::pin(async move {
            let (session, _) = invocation.split();
            let transaction = session.exclusive::<MemoryTransaction>("texts")?;
            let count = transaction.get(&key).map_err(MethodError::new)?.map_or(0, |count| count.len());
            transaction.put(&key, "|".repeat(count + 1)).map_err(MethodError::new)
        })
    }));
    let session = Param {
        name: "texts".to_owned(),
        kind: ParamKind::Exclusive,
        type_id: TypeId::of::<MemoryTransaction>(),
        type_name: type_name::<MemoryTransaction>(),
        line: line!(),
    };
    let apply = Method { params: vec![session], body };
    let source = Source::new(file!(), line!());
    Change::new(id, Order::new(number.to_string()), "texts", source, format!("v1:{number}"), apply)
}

fn application(store: DynamoAuditStore, target: &MemoryTarget) -> Flamingock {
    let builder = Flamingock::builder()
        .service("orders")
        .audit_store(store)
        .target(target.clone())
        .lease(Duration::from_secs(20));
    (0..CHANGES).map(counting).fold(builder, FlamingockBuilder::change).build().unwrap()
}

pub(crate) async fn a_start_with_nothing_to_do_is_one_request() {
    let endpoint = server::endpoint().unwrap();
    let (table, target, counter) = (server::table_name(), MemoryTarget::new("texts"), Counter::default());
    let store = DynamoAuditStore::new(server::client(&endpoint), &table);
    assert_eq!(application(store, &target).run().await.unwrap().changes.applied, 50);
    let config = server::config(&endpoint, server::http()).interceptor(counter.clone());
    let store = DynamoAuditStore::new(Client::from_conf(config.build()), &table);
    let again = application(store, &target);
    for _ in 0..3 {
        assert_eq!(again.run().await.unwrap().changes.applied, 0);
        assert_eq!(counter.take(), 1);
    }
}

pub(crate) async fn eight_instances_apply_fifty_changes_once_each_over_five_rounds() {
    let endpoint = server::endpoint().unwrap();
    for round in 0..5 {
        let (table, target) = (server::table_name(), MemoryTarget::new("texts"));
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..INSTANCES {
            let store = DynamoAuditStore::new(server::client(&endpoint), &table);
            let app = application(store, &target);
            running.spawn(async move { app.run().await.unwrap().changes.applied });
        }
        let applied = running.join_all().await;
        assert_eq!(applied.iter().sum::<usize>(), 50, "round {round}: {applied:?}");
        for number in 0..CHANGES {
            let count = target.get(&format!("change-{number}"));
            assert_eq!(count.as_deref(), Some("|"), "round {round}: change {number}");
        }
    }
}
