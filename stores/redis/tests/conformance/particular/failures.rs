use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use flamingock_core::BackendErrorKind::{Corrupt, ReadOnly, StorageFull, Unavailable};
use flamingock_core::audit::{AuditStore as _, EntryFilter};
use flamingock_core::lock::{Acquisition, LockRequest, LockStore as _};
use flamingock_store_redis::RedisAuditStore;
use flamingock_testing::conformance::Proxy;
use redis::Client;
use tokio::net::TcpStream;

use super::{DURABLE, append, assert_fails, connect, orders, take_office};
use crate::server::own::Own;

pub(super) async fn nobody_at_the_port_is_one_clear_error() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("it").port();
    let url = format!("redis://app:hunter2@127.0.0.1:{port}");
    let since = Instant::now();
    let address = format!("redis://127.0.0.1:{port}");
    let error =
        assert_fails(RedisAuditStore::connect(&url).await, Unavailable, &["connect failed", &address]);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(!format!("{error:?} {error:#?}").contains("hunter2"), "{error:#?}");
}

pub(super) async fn a_frozen_server_is_one_clear_error_within_the_timeout() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let timeout = Duration::from_secs(1);
    let open = connect(&server.url()).await.timeout(timeout);
    open.head(&orders()).await.expect("head");
    let new = RedisAuditStore::new(Client::open(server.url()).expect("a client")).timeout(timeout);
    server.freeze().expect("freeze");
    for store in [open, new] {
        let since = Instant::now();
        assert_fails(store.head(&orders()).await, Unavailable, &[]);
        assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    }
}

pub(super) async fn a_lost_connection_is_opened_anew() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let store = connect(&server.url()).await;
    let cut = async || {
        server.admin().run("CLIENT KILL TYPE normal SKIPME yes").await.expect("kill");
        // The driver hears it before it is asked again, or with the answer.
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let mut office = take_office(&store, 1, "run-1").await.expect("office");
    cut().await;
    assert!(store.head(&orders()).await.expect("head").is_some());
    cut().await;
    store.inspect(&orders()).await.expect("inspect");
    cut().await;
    // An append may have arrived: the runner hears of it, and looks.
    let lost = append(&store, &mut office, &["a"]).await;
    if lost.is_err() {
        assert_fails(lost, Unavailable, &[]);
        assert_eq!(store.head(&orders()).await.expect("head").expect("a head").sequence, 0);
        append(&store, &mut office, &["a"]).await.expect("append");
    }
}

pub(super) async fn a_connection_outlives_the_runtime_that_opened_it() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let url = server.url();
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(connect(&url))
    });
    let store = tokio::task::spawn_blocking(|| elsewhere.join().expect("no panic")).await.expect("no panic");
    store.head(&orders()).await.expect("head");
}

pub(super) async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let store = connect(&server.url()).await;
    let mut office = take_office(&store, 1, "run-1").await.expect("office");
    append(&store, &mut office, &["a"]).await.expect("append");
    server.admin().run("SCRIPT FLUSH").await.expect("flush");
    append(&store, &mut office, &["b"]).await.expect("append");
    assert_eq!(store.latest(&orders()).await.expect("latest").len(), 2);
}

pub(super) async fn a_full_server_takes_a_whole_append_or_nothing() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let store = connect(&server.url()).await;
    let mut office = take_office(&store, 1, "run-1").await.expect("office");
    append(&store, &mut office, &["a"]).await.expect("append");
    server.admin().run("CONFIG SET maxmemory 1").await.expect("config");
    assert_fails(append(&store, &mut office, &["a", "b"]).await, StorageFull, &["maxmemory"]);
    let entries = store.entries(&orders(), &EntryFilter::default()).await.expect("what is there can be read");
    assert_eq!(entries.len(), 1);
    server.admin().run("CONFIG SET maxmemory 0").await.expect("config");
    append(&store, &mut office, &["a", "b"]).await.expect("append");
}

pub(super) async fn a_replica_can_be_read_and_not_written() {
    let primary = Own::start(&DURABLE).await.expect("a server");
    let mut office = take_office(&connect(&primary.url()).await, 1, "run-1").await.expect("office");
    let follows = format!("127.0.0.1 {}", primary.port());
    let replica = Own::start(&[&DURABLE[..], &[("replicaof", &follows)]].concat()).await.expect("a replica");
    let store = connect(&replica.url()).await;
    let since = Instant::now();
    while !matches!(store.head(&orders()).await, Ok(Some(_))) {
        assert!(since.elapsed() < Duration::from_secs(30), "the replica does not follow");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_fails(append(&store, &mut office, &["a"]).await, ReadOnly, &["primary"]);
    assert_fails(take_office(&store, 1, "run-2").await, ReadOnly, &["primary"]);
    assert_eq!(store.inspect(&orders()).await.expect("inspect"), None);
}

/// The address leads to the primary, as a name or a load balancer does; what is open stays open.
pub(super) async fn after_a_failover_the_old_primary_is_left_though_the_connection_lives() {
    let old = Own::start(&DURABLE).await.expect("a server");
    let new = Own::start(&DURABLE).await.expect("a server");
    let primary = Arc::new(AtomicU16::new(old.port()));
    let leads = Arc::clone(&primary);
    let proxy = Proxy::carried(format!("127.0.0.1:{}", old.port()), move |mut client, _, _| {
        let port = leads.load(Ordering::SeqCst);
        async move {
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
    });
    let proxy = proxy.await.expect("a proxy");
    let store = connect(&format!("redis://{}", proxy.address())).await;
    let request = LockRequest {
        history: orders(),
        owner: "orders@host#1".to_owned(),
        execution: "run-1".to_owned(),
        lease: Duration::from_secs(60),
    };
    let Acquisition::Acquired(lease) = store.try_acquire(&request).await.expect("an answer") else {
        panic!("nobody else wants it")
    };
    let heartbeat = store.dedicated().await.expect("a connection");
    heartbeat.extend(&lease).await.expect("extend");
    let mut office = take_office(&store, 1, "run-1").await.expect("office");
    append(&store, &mut office, &["a"]).await.expect("append");

    new.admin().run(&format!("REPLICAOF 127.0.0.1 {}", old.port())).await.expect("it follows");
    let copy = connect(&new.url()).await;
    let since = Instant::now();
    while !matches!(copy.head(&orders()).await, Ok(Some(head)) if head.sequence == 1) {
        assert!(since.elapsed() < Duration::from_secs(30), "the replica does not follow");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    new.admin().run("REPLICAOF NO ONE").await.expect("it leads");
    old.admin().run(&format!("REPLICAOF 127.0.0.1 {}", new.port())).await.expect("it follows");
    primary.store(new.port(), Ordering::SeqCst);

    append(&store, &mut office, &["b"]).await.expect("append");
    heartbeat.extend(&lease).await.expect("extend");
    assert_eq!(copy.entries(&orders(), &EntryFilter::default()).await.expect("entries").len(), 2);
}

pub(super) async fn a_log_that_is_ahead_of_its_head_is_corrupt_and_stays_as_it_is() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let store = connect(&server.url()).await;
    let mut office = take_office(&store, 1, "run-1").await.expect("office");
    append(&store, &mut office, &["a"]).await.expect("append");
    server.admin().run("XADD flamingock:{orders/}:log 2-0 entry {}").await.expect("half an append");
    let error = assert_fails(append(&store, &mut office, &["b"]).await, Corrupt, &["2-0"]);
    assert!(!error.is_temporary());
    assert_eq!(store.head(&orders()).await.expect("head").expect("a head").sequence, 1);
}

pub(super) async fn an_entry_that_is_gone_is_corrupt_and_named() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let store = connect(&server.url()).await;
    let mut office = take_office(&store, 1, "run-1").await.expect("office");
    append(&store, &mut office, &["a", "b"]).await.expect("append");
    server.admin().run("XDEL flamingock:{orders/}:log 1-0").await.expect("delete");
    assert_fails(store.latest(&orders()).await, Corrupt, &["entry 1", "missing"]);
}
