//! Requests, limits and lost answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use flamingock_core::BackendErrorKind::{InvalidData, LeaseLost, Unavailable};
use flamingock_core::audit::AuditState::{Applied, Failed, Started};
use flamingock_core::audit::{Append, AuditEntry, AuditState, AuditStore, Execution, Office};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, History};
use flamingock_store_dynamodb::DynamoAuditStore;
use flamingock_testing::entries::{Chain, entry};

use crate::server;

fn orders() -> History {
    History::new("orders")
}

async fn office(store: &DynamoAuditStore, run: &str) -> Office {
    let execution = Execution { id: run.to_owned(), owner: format!("orders@host#{run}") };
    store.take_office(&orders(), FencingToken(1), &execution).await.unwrap()
}

async fn initialized() -> DynamoAuditStore {
    let client = server::client(&server::endpoint().unwrap());
    let store = DynamoAuditStore::new(client, server::table_name());
    AuditStore::initialize(&store).await.unwrap();
    store
}

/// Appends entries that `make` makes, as many as `chain` is to have more.
async fn append(
    store: &DynamoAuditStore,
    office: &Office,
    chain: &mut Chain,
    entries: Vec<AuditEntry>,
) -> Result<(), BackendError> {
    let (expected, mut after) = (chain.sequence(), chain.clone());
    let entries: Vec<_> = entries.into_iter().map(|entry| after.seal(entry)).collect();
    store.append(office, &Append { expected, entries: &entries, head: after.head_change() }).await?;
    *chain = after;
    Ok(())
}

fn made(change: &str, state: AuditState) -> AuditEntry {
    entry(&orders(), 1, change, state)
}

/// Counts requests as they leave, repeated ones too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

pub(crate) async fn reading_the_head_and_appending_are_one_request_each() {
    let counter = Counter::default();
    let config = server::config(&server::endpoint().unwrap(), server::http()).interceptor(counter.clone());
    let store = DynamoAuditStore::new(Client::from_conf(config.build()), server::table_name());
    // Also while there is no table.
    assert_eq!(store.head(&orders()).await.unwrap(), None);
    assert_eq!(counter.take(), 1);
    AuditStore::initialize(&store).await.unwrap();
    counter.take();
    let office = office(&store, "run-1").await;
    counter.take();
    let mut chain = Chain::of(&office);
    append(&store, &office, &mut chain, vec![made("a", Applied), made("b", Started)]).await.unwrap();
    assert_eq!(counter.take(), 1, "an append is one request");
    assert_eq!(store.head(&orders()).await.unwrap().unwrap().sequence, 2);
    assert_eq!(counter.take(), 1);
}

pub(crate) async fn an_entry_that_is_too_large_is_refused_and_the_office_stays() {
    let store = initialized().await;
    let old = office(&store, "run-1").await;
    let run = office(&store, "run-2").await;
    let mut chain = Chain::of(&run);
    let large = || AuditEntry { metadata: Some("x".repeat(500_000)), ..made("a", Started) };
    let error = append(&store, &run, &mut chain, vec![large()]).await.unwrap_err();
    assert_eq!(error.kind(), InvalidData);
    assert!(error.to_string().contains("400 KB"), "{error}");
    let long = made(&"x".repeat(1001), Started);
    let error = append(&store, &run, &mut chain, vec![long]).await.unwrap_err();
    assert_eq!(error.kind(), InvalidData, "{error}");
    // Who is out of office hears that first.
    let error = append(&store, &old, &mut Chain::of(&old), vec![large()]).await.unwrap_err();
    assert_eq!(error.kind(), LeaseLost, "{error}");
    // What just fits is taken, and the office stands.
    let fits = AuditEntry { metadata: Some("x".repeat(370_000)), ..made("a", Started) };
    append(&store, &run, &mut chain, vec![fits.clone(), fits]).await.unwrap();
    append(&store, &run, &mut chain, vec![made("a", Applied)]).await.unwrap();
    assert_eq!(store.latest(&orders()).await.unwrap()[0].sequence, 3);
}

pub(crate) async fn an_append_of_more_than_4_megabytes_is_refused() {
    let store = initialized().await;
    let run = office(&store, "run-1").await;
    let mut chain = Chain::of(&run);
    let large =
        |n: u32| AuditEntry { metadata: Some("x".repeat(300_000)), ..made(&format!("c-{n}"), Applied) };
    let error = append(&store, &run, &mut chain, (0..14).map(large).collect()).await.unwrap_err();
    assert_eq!(error.kind(), InvalidData);
    assert!(error.to_string().contains("4 MB"), "{error}");
    assert_eq!(store.head(&orders()).await.unwrap().unwrap().sequence, 0);
    // As entries they fit, and as newest entries beside them not: those are left for later.
    append(&store, &run, &mut chain, (0..12).map(large).collect()).await.unwrap();
    assert_eq!(store.latest(&orders()).await.unwrap().len(), 12);
    office(&store, "run-2").await;
    assert_eq!(store.latest(&orders()).await.unwrap().len(), 12);
}

fn sequences(entries: &[AuditEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.sequence).collect()
}

/// `latest`, and how much of it comes from items of its own.
async fn latest(store: &DynamoAuditStore) -> Vec<u64> {
    sequences(&store.latest(&orders()).await.unwrap())
}

fn many(count: u32) -> Vec<AuditEntry> {
    (0..count).map(|n| made(&format!("change-{n}"), Applied)).collect()
}

pub(crate) async fn a_large_append_is_brought_up_to_date_by_the_next_office() {
    let counter = Counter::default();
    let config = server::config(&server::endpoint().unwrap(), server::http()).interceptor(counter.clone());
    let store = DynamoAuditStore::new(Client::from_conf(config.build()), server::table_name());
    AuditStore::initialize(&store).await.unwrap();
    let run = office(&store, "run-1").await;
    append(&store, &run, &mut Chain::of(&run), many(300)).await.unwrap();
    assert_eq!(latest(&store).await, (1..=300).collect::<Vec<_>>());
    counter.take();
    office(&store, "run-2").await;
    assert!(counter.take() > 3, "the next office writes the newest entries");
    office(&store, "run-3").await;
    assert_eq!(counter.take(), 1, "and the one after it has nothing left to do");
    assert_eq!(latest(&store).await, (1..=300).collect::<Vec<_>>());
}

pub(crate) async fn a_change_recorded_after_a_large_append_stays_the_newest() {
    let store = initialized().await;
    let run = office(&store, "run-1").await;
    let mut chain = Chain::of(&run);
    append(&store, &run, &mut chain, many(150)).await.unwrap();
    append(&store, &run, &mut chain, vec![made("change-7", Failed)]).await.unwrap();
    append(&store, &run, &mut chain, many(120)).await.unwrap();
    append(&store, &run, &mut chain, vec![made("change-8", Failed), made("change-149", Failed)])
        .await
        .unwrap();
    let before = store.latest(&orders()).await.unwrap();
    assert_eq!(before.len(), 150);
    for run in ["run-2", "run-3"] {
        office(&store, run).await;
        assert_eq!(store.latest(&orders()).await.unwrap(), before, "after {run}");
    }
    assert_eq!(sequences(&before[148..]), [272, 273]);
}

pub(crate) async fn an_append_whose_answer_is_lost_is_not_sent_again() {
    let endpoint = server::endpoint().unwrap();
    let proxy = server::proxy(&endpoint).await.unwrap();
    let counter = Counter::default();
    let impatient =
        TimeoutConfig::builder().operation_attempt_timeout(std::time::Duration::from_secs(2)).build();
    let config = server::config(&server::through(&proxy), server::http()).timeout_config(impatient);
    let client = Client::from_conf(config.interceptor(counter.clone()).build());
    let store = DynamoAuditStore::new(client, server::table_name());
    AuditStore::initialize(&store).await.unwrap();
    let run = office(&store, "run-1").await;
    let mut chain = Chain::of(&run);
    counter.take();
    proxy.swallow_answers(true);
    let error = append(&store, &run, &mut chain, vec![made("a", Started)]).await.unwrap_err();
    assert_eq!(error.kind(), Unavailable, "{error}");
    assert_eq!(counter.take(), 1, "a second one would be judged by what the first one did");
    proxy.swallow_answers(false);
    // The head tells that it had arrived.
    assert_eq!(store.head(&orders()).await.unwrap().unwrap().sequence, 1);
    let again = append(&store, &run, &mut chain, vec![made("a", Started)]).await.unwrap_err();
    assert_eq!(again.kind(), LeaseLost, "{again}");
}
