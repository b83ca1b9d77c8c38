//! Whole runs on a real broker: changes with apply, rollback and verify, and an audit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flamingock::audit::{AuditState, AuditStore, EntryFilter, Evidence};
use flamingock::kafka::{KafkaChanges, KafkaTarget, Record, Topic};
use flamingock::memory::MemoryStore;
use flamingock::prelude::*;
use flamingock::rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use flamingock::rdkafka::client::DefaultClientContext;
use flamingock::rdkafka::producer::{FutureProducer, FutureRecord};
use flamingock::{History, RunError, RunErrorKind};
use flamingock_testing::conformance::Proxy;

use crate::proxy;
use crate::server::{self, Broker, committed, name};

/// What the changes of a case work on.
#[derive(Debug, Clone)]
struct Orders {
    topic: String,
    then: Then,
    proxy: Arc<Proxy>,
}

/// What happens after the first change has done its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Fail,
    /// It never ends.
    Hang,
    /// The broker goes away.
    Unplug,
    /// The broker's answers go away, and the change is dropped while it waits for one.
    Deafen,
}

impl Orders {
    async fn new(then: Then) -> Self {
        let proxy = proxy::to(&Broker::find().unwrap().plain).await.unwrap();
        Self { topic: name("orders"), then, proxy: Arc::new(proxy) }
    }

    fn topic(&self) -> Topic {
        Topic::new(&self.topic).partitions(3).config("cleanup.policy", "compact")
    }

    fn then(&self, then: Then) -> Self {
        Self { then, ..self.clone() }
    }

    /// With another way to the broker.
    async fn plugged(&self) -> Self {
        Self { topic: self.topic.clone(), ..Self::new(Then::Nothing).await }
    }

    async fn state(&self) -> TargetState {
        server::kafka().topic_state(&self.topic()).await.unwrap()
    }

    fn app(&self, store: &MemoryStore) -> Flamingock {
        let config = server::config(&self.proxy.address());
        let target = KafkaTarget::with_timeout("events", config, Duration::from_secs(3)).unwrap();
        Flamingock::builder()
            .service(&self.topic)
            .changes(CHANGES)
            .audit_store(store.clone())
            .lease(Duration::from_secs(2))
            .dependency(self.clone())
            .target(target)
            .build()
            .unwrap()
    }

    /// The states of a change in the audit, oldest first.
    async fn audit(&self, store: &MemoryStore, change: &str) -> Vec<AuditState> {
        // A store that nobody has written to has none.
        let entries = store.entries(&History::new(&self.topic), &EntryFilter::default()).await;
        let entries = entries.unwrap_or_default();
        entries.iter().filter(|entry| entry.change == change).filter_map(|entry| entry.state).collect()
    }
}

struct CreateOrders;

/// A topic for orders.
#[change(id = "create-orders", order = 1, target_system = "events", timeout = "8s")]
impl CreateOrders {
    #[apply]
    async fn apply(kafka: &KafkaChanges, orders: &Orders) -> ChangeResult {
        kafka.create_topic(&orders.topic()).await?;
        match orders.then {
            Then::Nothing => {}
            Then::Fail => return Err("the disk is full".into()),
            Then::Hang => std::future::pending::<()>().await,
            Then::Unplug => {
                orders.proxy.unplug();
                kafka.add_partitions(&orders.topic, 6).await?;
            }
            Then::Deafen => {
                orders.proxy.swallow_answers(true);
                loop {
                    let _ = kafka.add_partitions(&orders.topic, 6).await;
                }
            }
        }
        Ok(())
    }

    #[rollback]
    async fn rollback(kafka: &KafkaChanges, orders: &Orders) -> ChangeResult {
        Ok(kafka.remove_topic(&orders.topic()).await?)
    }

    #[verify]
    async fn verify(kafka: &KafkaChanges, orders: &Orders) -> Result<TargetState, BoxError> {
        Ok(kafka.topic_state(&orders.topic()).await?)
    }
}

struct SeedOrders;

/// The first order.
#[change(id = "seed-orders", order = 2, target_system = "events")]
impl SeedOrders {
    #[apply]
    async fn apply(kafka: &KafkaChanges, context: &ChangeContext, orders: &Orders) -> ChangeResult {
        Ok(kafka.produce(context, [Record::to(&orders.topic).key("1").value("seed")]).await?)
    }

    #[rollback]
    async fn rollback(kafka: &KafkaChanges, context: &ChangeContext, orders: &Orders) -> ChangeResult {
        Ok(kafka.unproduce(context, [Record::to(&orders.topic).key("1")]).await?)
    }

    #[verify]
    async fn verify(
        kafka: &KafkaChanges,
        context: &ChangeContext,
        orders: &Orders,
    ) -> Result<TargetState, BoxError> {
        Ok(kafka.produced_state(context, &[&orders.topic]).await?)
    }
}

struct UseTheClients;

/// With what `rdkafka` offers.
#[change(id = "use-the-clients", order = 3, target_system = "events")]
impl UseTheClients {
    #[apply]
    async fn apply(
        admin: &AdminClient<DefaultClientContext>,
        producer: &FutureProducer,
        orders: &Orders,
    ) -> ChangeResult {
        let topic = ResourceSpecifier::Topic(&orders.topic);
        let configs = admin.describe_configs([&topic], &AdminOptions::new()).await?;
        assert_eq!(configs.len(), 1);
        let record = FutureRecord::to(&orders.topic).key("1").payload("by hand").partition(0);
        producer.send(record, Duration::from_secs(3)).await.map_err(|(error, _)| error)?;
        Ok(())
    }

    #[rollback]
    async fn rollback() -> ChangeResult {
        Ok(())
    }
}

flamingock::change_set!(CHANGES);

pub(crate) async fn a_change_is_applied_and_undone() {
    let (orders, store) = (Orders::new(Then::Nothing).await, MemoryStore::new());
    let report = orders.app(&store).run().await.unwrap();
    assert_eq!(report.changes.applied, 3, "{report}");
    assert_eq!(orders.app(&store).run().await.unwrap().changes.applied, 0);
    assert_eq!(orders.state().await, TargetState::Applied);
    let mut seen = committed(&orders.topic).await;
    seen.sort();
    assert_eq!(seen, ["by hand", "seed"]);

    let entries = store.entries(&History::new(&orders.topic), &EntryFilter::default()).await.unwrap();
    let entry = entries.first().unwrap();
    assert_eq!((entry.target_system.as_str(), entry.target_kind.as_str()), ("events", "kafka"));
    assert_eq!(entry.target_address, orders.proxy.address());

    orders.app(&store).undo(&["use-the-clients", "seed-orders"]).await.unwrap();
    assert!(committed(&orders.topic).await.contains(&"-".to_owned()), "no tombstone");
    orders.app(&store).undo(&["create-orders"]).await.unwrap();
    assert_eq!(orders.state().await, TargetState::NotApplied);

    // What was undone is applied again, records included.
    assert_eq!(orders.app(&store).run().await.unwrap().changes.applied, 3);
    assert!(committed(&orders.topic).await.contains(&"seed".to_owned()));
}

pub(crate) async fn a_failed_change_is_compensated() {
    let (orders, store) = (Orders::new(Then::Fail).await, MemoryStore::new());
    let error = orders.app(&store).run().await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed);
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(orders.state().await, TargetState::NotApplied);
    use AuditState::{Failed, RolledBack, Started};
    assert_eq!(orders.audit(&store, "create-orders").await, [Started, Failed, RolledBack]);
    assert_eq!(orders.then(Then::Nothing).app(&store).run().await.unwrap().changes.applied, 3);
}

pub(crate) async fn a_killed_change_is_settled_by_verify() {
    let (orders, store) = (Orders::new(Then::Hang).await, MemoryStore::new());
    let app = orders.app(&store);
    // Dropped half-way, it leaves what a killed process does.
    let running = tokio::spawn(async move { app.run().await });
    while orders.state().await != TargetState::Applied {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.abort();
    let _ = running.await;
    assert_eq!(orders.audit(&store, "create-orders").await, [AuditState::Started]);
    let report = orders.then(Then::Nothing).app(&store).run().await.unwrap();
    let entries = store.entries(&History::new(&orders.topic), &EntryFilter::default()).await.unwrap();
    let settled = entries.iter().find(|entry| entry.state == Some(AuditState::Applied)).unwrap();
    assert_eq!((settled.change.as_str(), settled.evidence), ("create-orders", Evidence::Verify), "{report}");
}

fn assert_names(error: &RunError, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "no `{part}` in: {error}");
    }
}

pub(crate) async fn a_broker_that_is_down_at_the_start_leaves_nothing_to_settle() {
    let (orders, store) = (Orders::new(Then::Nothing).await, MemoryStore::new());
    orders.proxy.unplug();
    let began = Instant::now();
    let error = orders.app(&store).run().await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Target);
    assert_names(&error, &["events", &orders.proxy.address(), "check failed"]);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert!(orders.audit(&store, "create-orders").await.is_empty());
    assert_eq!(orders.plugged().await.app(&store).run().await.unwrap().changes.applied, 3);
}

pub(crate) async fn a_broker_that_dies_in_a_change_leaves_an_issue_that_verify_settles() {
    let (orders, store) = (Orders::new(Then::Unplug).await, MemoryStore::new());
    let began = Instant::now();
    let error = orders.app(&store).run().await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed);
    assert_names(&error, &["create-orders", "add partitions failed", &orders.topic, &orders.proxy.address()]);
    use AuditState::{Applied, Failed, RollbackFailed, Started};
    let failed = [Started, Failed, RollbackFailed];
    assert_eq!(orders.audit(&store, "create-orders").await, failed);
    // The topic is there as described: the broker has not heard of the partitions.
    assert_eq!(orders.state().await, TargetState::Applied);
    let again = orders.plugged().await;
    assert_eq!(again.app(&store).run().await.unwrap().changes.applied, 3);
    assert_eq!(orders.audit(&store, "create-orders").await, [failed.as_slice(), &[Applied]].concat());
}

pub(crate) async fn a_change_that_is_too_slow_is_waited_for_and_compensated() {
    let (orders, store) = (Orders::new(Then::Deafen).await, MemoryStore::new());
    let app = orders.app(&store);
    let proxy = Arc::clone(&orders.proxy);
    // It can be heard again while the change still runs.
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(7500)).await;
        proxy.swallow_answers(false);
    });
    let error = app.run().await.unwrap_err();
    assert_names(&error, &["create-orders", "not done within 8s"]);
    use AuditState::{Failed, RolledBack, Started};
    assert_eq!(orders.audit(&store, "create-orders").await, [Started, Failed, RolledBack]);
    assert_eq!(orders.state().await, TargetState::NotApplied);
}
