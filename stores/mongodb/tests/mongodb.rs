//! What is particular to MongoDB: the outbox, one command per start, wrong passwords, other shapes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

mod server;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flamingock_core::audit::{
    Append, AuditEntry, AuditState, AuditStore, EntryFilter, Execution, Office, verify_chain,
};
use flamingock_core::change::{Body, Change, Method, Order, Source};
use flamingock_core::lock::{Acquisition, FencingToken, LockRequest, LockStore};
use flamingock_core::target::NonTransactionalTarget;
use flamingock_core::{BackendErrorKind, Flamingock, History};
use flamingock_store_mongodb::MongoAuditStore;
use flamingock_store_mongodb::mongodb::bson::doc;
use flamingock_store_mongodb::mongodb::event::EventHandler;
use flamingock_store_mongodb::mongodb::event::command::CommandEvent;
use flamingock_store_mongodb::mongodb::options::ClientOptions;
use flamingock_store_mongodb::mongodb::{Client, IndexModel};
use flamingock_testing::conformance::{Suite, run};
use flamingock_testing::entries::Chain;

use self::server::Place;

fn main() -> ExitCode {
    let available = || server::url().map(drop);
    let mut suite = Suite::new("store", "mongodb", available);
    macro_rules! cases {
        ($($case:ident),* $(,)?) => { $(suite.case(stringify!($case), || Box::pin($case()));)* };
    }
    cases![
        what_a_crash_left_in_the_outbox_is_shown_to_readers_who_may_not_write,
        what_a_crash_left_in_the_outbox_is_copied_by_the_next_run,
        what_could_not_be_copied_is_copied_by_the_next_append,
        a_start_with_nothing_to_do_is_one_command,
        an_append_is_two_commands,
        a_server_that_is_not_there_is_said_in_time,
        what_is_missing_is_named_when_nothing_may_be_created,
        a_capped_collection_is_refused,
        an_index_of_another_shape_is_refused,
        an_append_that_does_not_fit_in_a_document_is_refused_and_changes_nothing,
        a_store_over_a_client_of_the_applications_works,
        the_holder_of_a_broken_lock_that_took_office_meanwhile_is_out_of_it,
    ];
    suite = suite.timeout(Duration::from_secs(120));
    suite.case("eight_runs_at_once_apply_each_of_fifty_changes_once", || Box::pin(eight_runs_at_once()));
    // A server that asks for none does not mind a wrong one.
    let has_password = || server::password().map(drop).ok_or_else(|| "the URL has no password".to_owned());
    let mut guarded = Suite::new("store", "mongodb-with-password", has_password);
    guarded.case("a_wrong_password_is_denied_and_not_shown", || {
        Box::pin(a_wrong_password_is_denied_and_not_shown())
    });
    run([suite, guarded])
}

fn orders() -> History {
    History::new("orders")
}

fn execution(id: &str) -> Execution {
    Execution { id: id.to_owned(), owner: format!("orders@host#{id}") }
}

async fn take_office(store: &MongoAuditStore, id: &str) -> Office {
    store.take_office(&orders(), FencingToken(1), &execution(id)).await.unwrap()
}

/// Appends two entries and gives them back.
async fn append(store: &MongoAuditStore, office: &Office, chain: &mut Chain) -> Vec<AuditEntry> {
    let expected = chain.sequence();
    let entries = vec![chain.next("a", AuditState::Started), chain.next("b", AuditState::Applied)];
    let append = Append { expected, entries: &entries, head: chain.head_change() };
    store.append(office, &append).await.unwrap();
    entries
}

async fn all(store: &MongoAuditStore) -> Vec<AuditEntry> {
    store.entries(&orders(), &EntryFilter::default()).await.unwrap()
}

/// A store after an append of which the second step failed, with its office.
async fn crashed(place: &Place) -> (MongoAuditStore, Office, Chain, Vec<AuditEntry>) {
    let store = place.store().unwrap();
    AuditStore::initialize(&store).await.unwrap();
    let office = take_office(&store, "run-1").await;
    let mut chain = Chain::of(&office);
    let mut entries = append(&store, &office, &mut chain).await;
    place.rules.allow(|command, collection| (command, collection) != ("insert", "flamingock_entries"));
    entries.extend(append(&store, &office, &mut chain).await);
    assert_eq!(place.collection("entries").unwrap().count_documents(doc! {}).await.unwrap(), 2);
    (store, office, chain, entries)
}

async fn what_a_crash_left_in_the_outbox_is_shown_to_readers_who_may_not_write() {
    let place = Place::new().await.unwrap();
    let (_, _, _, entries) = crashed(&place).await;
    place.rules.allow(|command, _| !["insert", "update", "findAndModify"].contains(&command));
    let reader = place.store().unwrap();
    assert_eq!(all(&reader).await, entries);
    assert_eq!(reader.latest(&orders()).await.unwrap(), entries[2..]);
    let filter = |after, change: Option<&str>, limit| EntryFilter {
        after,
        limit,
        change: change.map(str::to_owned),
        ..EntryFilter::default()
    };
    assert_eq!(reader.entries(&orders(), &filter(3, None, 0)).await.unwrap(), entries[3..]);
    assert_eq!(reader.entries(&orders(), &filter(1, None, 2)).await.unwrap(), entries[1..3]);
    let of_b = reader.entries(&orders(), &filter(0, Some("b"), 0)).await.unwrap();
    assert_eq!(of_b, [entries[1].clone(), entries[3].clone()]);
    place.remove().await.unwrap();
}

async fn what_a_crash_left_in_the_outbox_is_copied_by_the_next_run() {
    let place = Place::new().await.unwrap();
    let (_, _, _, mut entries) = crashed(&place).await;
    place.rules.allow_all();
    let next = place.store().unwrap();
    let office = take_office(&next, "run-2").await;
    assert_eq!(place.collection("entries").unwrap().count_documents(doc! {}).await.unwrap(), 4);
    entries.extend(append(&next, &office, &mut Chain::of(&office)).await);
    assert_eq!(all(&next).await, entries);
    verify_chain((0, Default::default()), &entries).unwrap();
    place.remove().await.unwrap();
}

async fn what_could_not_be_copied_is_copied_by_the_next_append() {
    let place = Place::new().await.unwrap();
    let (store, office, mut chain, mut entries) = crashed(&place).await;
    // As long as it cannot be copied, nothing takes its place.
    let mut further = chain.clone();
    let entry = [further.next("c", AuditState::Started)];
    let refused = Append { expected: 4, entries: &entry, head: further.head_change() };
    assert_eq!(store.append(&office, &refused).await.unwrap_err().kind(), BackendErrorKind::Denied);
    assert_eq!(all(&store).await, entries);
    place.rules.allow_all();
    entries.extend(append(&store, &office, &mut chain).await);
    assert_eq!(place.collection("entries").unwrap().count_documents(doc! {}).await.unwrap(), 6);
    assert_eq!(all(&store).await, entries);
    place.remove().await.unwrap();
}

/// Options that count the commands that are sent, but for those of connecting.
fn counted(place: &Place) -> (ClientOptions, Arc<AtomicUsize>) {
    let commands = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&commands);
    let mut options = place.through_proxy();
    options.command_event_handler = Some(EventHandler::callback(move |event| {
        if matches!(event, CommandEvent::Started(_)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }));
    (options, commands)
}

async fn a_start_with_nothing_to_do_is_one_command() {
    let place = Place::new().await.unwrap();
    let applied = Arc::new(Mutex::new(BTreeMap::new()));
    let count = async |options| {
        let store = MongoAuditStore::with_options(options).unwrap();
        application(store, &applied).run().await.unwrap().changes.applied
    };
    assert_eq!(count(place.through_proxy()).await, 50);
    let (options, commands) = counted(&place);
    assert_eq!(count(options).await, 0);
    assert_eq!(commands.load(Ordering::SeqCst), 1);
    place.remove().await.unwrap();
}

async fn an_append_is_two_commands() {
    let place = Place::new().await.unwrap();
    let (options, commands) = counted(&place);
    let store = MongoAuditStore::with_options(options).unwrap();
    AuditStore::initialize(&store).await.unwrap();
    let office = take_office(&store, "run-1").await;
    let mut chain = Chain::of(&office);
    for _ in 0..3 {
        let before = commands.load(Ordering::SeqCst);
        append(&store, &office, &mut chain).await;
        assert_eq!(commands.load(Ordering::SeqCst) - before, 2);
    }
    place.remove().await.unwrap();
}

async fn a_wrong_password_is_denied_and_not_shown() {
    let place = Place::new().await.unwrap();
    let url = server::url().unwrap().replace(&server::password().unwrap(), "wr0ng-pass");
    let store = MongoAuditStore::connect(&url).await.unwrap();
    let error = store.head(&orders()).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
    for text in [format!("{error:#?}"), format!("{store:#?}"), store.address()] {
        assert!(!text.contains("wr0ng-pass"), "{text}");
    }
    place.remove().await.unwrap();
}

async fn a_server_that_is_not_there_is_said_in_time() {
    let url = "mongodb://user:s3cret@127.0.0.1:1/audit?serverSelectionTimeoutMS=500";
    let store = MongoAuditStore::connect(url).await.unwrap();
    let since = Instant::now();
    let error = store.head(&orders()).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(error.kind(), BackendErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && text.contains("refused") && !text.contains("s3cret"), "{text}");
}

async fn what_is_missing_is_named_when_nothing_may_be_created() {
    let place = Place::new().await.unwrap();
    let careful = place.store().unwrap().create_collections(false);
    let error = AuditStore::initialize(&careful).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Schema);
    assert!(error.to_string().contains("flamingock_heads"), "{error}");
    for name in ["heads", "entries", "locks"] {
        place.database().unwrap().create_collection(format!("flamingock_{name}")).await.unwrap();
    }
    let error = AuditStore::initialize(&careful).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Schema);
    assert!(error.to_string().contains("index"), "{error}");
    AuditStore::initialize(&place.store().unwrap()).await.unwrap();
    AuditStore::initialize(&careful).await.unwrap();
    place.remove().await.unwrap();
}

async fn a_capped_collection_is_refused() {
    let place = Place::new().await.unwrap();
    let database = place.database().unwrap();
    database.create_collection("flamingock_entries").capped(true).size(1_048_576).await.unwrap();
    let error = AuditStore::initialize(&place.store().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Schema);
    assert!(error.to_string().contains("capped"), "{error}");
    place.remove().await.unwrap();
}

async fn an_index_of_another_shape_is_refused() {
    let place = Place::new().await.unwrap();
    let entries = place.collection("entries").unwrap();
    let keys = doc! { "service": 1, "tenant": 1, "sequence": 1 };
    entries.create_index(IndexModel::builder().keys(keys).build()).await.unwrap();
    // It is there, but takes two entries with one sequence.
    for store in [place.store().unwrap(), place.store().unwrap().create_collections(false)] {
        let error = AuditStore::initialize(&store).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Schema, "{error}");
        assert!(error.to_string().contains("is not unique"), "{error}");
    }
    place.remove().await.unwrap();
}

async fn an_append_that_does_not_fit_in_a_document_is_refused_and_changes_nothing() {
    let place = Place::new().await.unwrap();
    let store = place.store().unwrap();
    AuditStore::initialize(&store).await.unwrap();
    let office = take_office(&store, "run-1").await;
    let mut chain = Chain::of(&office);
    let mut entry = chain.clone().next("a", AuditState::Started);
    entry.description = Some("x".repeat(17 * 1024 * 1024));
    let entries = [chain.seal(entry)];
    let append = Append { expected: 0, entries: &entries, head: chain.head_change() };
    let error = store.append(&office, &append).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidData, "{error}");
    assert_eq!(store.head(&orders()).await.unwrap().unwrap().sequence, 0);
    place.remove().await.unwrap();
}

async fn a_store_over_a_client_of_the_applications_works() {
    let place = Place::new().await.unwrap();
    let client = Client::with_options(place.through_proxy()).unwrap();
    let store = MongoAuditStore::new(client, &place.name).collection_prefix("changes-");
    AuditStore::initialize(&store).await.unwrap();
    let office = take_office(&store, "run-1").await;
    append(&store, &office, &mut Chain::of(&office)).await;
    assert_eq!(all(&store).await.len(), 2);
    assert_eq!(store.address(), format!("mongodb:{}", place.name));
    assert_eq!(place.collection("entries").unwrap().count_documents(doc! {}).await.unwrap(), 0);
    place.remove().await.unwrap();
}

async fn the_holder_of_a_broken_lock_that_took_office_meanwhile_is_out_of_it() {
    let place = Place::new().await.unwrap();
    let store = place.store().unwrap();
    AuditStore::initialize(&store).await.unwrap();
    let request = |run: &str| LockRequest {
        history: orders(),
        owner: format!("orders@host#{run}"),
        execution: run.to_owned(),
        lease: Duration::from_secs(60),
    };
    let Acquisition::Acquired(_) = store.try_acquire(&request("run-1")).await.unwrap() else {
        unreachable!("nobody else asks");
    };
    let office = take_office(&store, "run-1").await;
    store.break_lock(&orders()).await.unwrap().expect("it was held");
    let chain = Chain::of(&office);
    let append = Append { expected: 0, entries: &[], head: chain.head_change() };
    assert!(store.append(&office, &append).await.unwrap_err().is_lease_lost());
    place.remove().await.unwrap();
}

/// Fifty changes that count how often each was applied.
fn application(store: MongoAuditStore, applied: &Arc<Mutex<BTreeMap<u32, u32>>>) -> Flamingock {
    let mut builder = Flamingock::builder()
        .service("orders")
        .lock_wait(Duration::from_secs(100))
        .audit_store(store)
        .target(NonTransactionalTarget::new("counter"));
    for number in 0..50 {
        let applied = Arc::clone(applied);
        let body = Body::Blocking(Arc::new(move |_| {
            *applied.lock().unwrap().entry(number).or_default() += 1;
            Ok(())
        }));
        let method = Method { params: Vec::new(), body };
        let order = Order::new(number.to_string());
        let source = Source::new(file!(), line!());
        let change = Change::new(format!("change-{number}"), order, "counter", source, "v1:1", method);
        builder = builder.change(change);
    }
    builder.build().unwrap()
}

async fn eight_runs_at_once() {
    for _ in 0..3 {
        let place = Place::new().await.unwrap();
        let applied = Arc::new(Mutex::new(BTreeMap::new()));
        let running: Vec<_> = (0..8)
            .map(|_| {
                let application = application(place.store().unwrap(), &applied);
                tokio::spawn(async move { application.run().await })
            })
            .collect();
        for run in running {
            run.await.unwrap().unwrap();
        }
        let applied = applied.lock().unwrap().clone();
        assert_eq!(applied, (0..50).map(|number| (number, 1)).collect());
        let store = place.store().unwrap();
        let head = store.head(&orders()).await.unwrap().unwrap();
        let entries = all(&store).await;
        assert_eq!(verify_chain((0, Default::default()), &entries), Ok((head.sequence, head.hash)));
        place.remove().await.unwrap();
    }
}
