use flamingock_core::BackendError;
use flamingock_core::BackendErrorKind::{Denied, Misconfigured};
use flamingock_core::audit::AuditStore;
use flamingock_core::lock::LockStore;
use flamingock_store_redis::{RedisAuditStore, RedisLockStore};

use super::{DURABLE, append, assert_fails, connect, orders, take_office};
use crate::server::own::Own;

async fn initialize(store: &RedisAuditStore) -> Result<(), BackendError> {
    AuditStore::initialize(store).await
}

pub(super) async fn a_server_that_keeps_nothing_on_disk_is_refused_unless_told() {
    let server = Own::start(&[]).await.expect("a server");
    let store = connect(&server.url()).await;
    assert_fails(initialize(&store).await, Misconfigured, &["nothing on disk", "allow_volatile(true)"]);
    initialize(&store.allow_volatile(true)).await.expect("it was told");
}

pub(super) async fn a_server_that_keeps_only_snapshots_is_refused() {
    let server = Own::start(&[("save", "3600 1")]).await.expect("a server");
    assert_fails(initialize(&connect(&server.url()).await).await, Misconfigured, &["snapshots"]);
}

pub(super) async fn a_server_that_evicts_is_refused() {
    let evicts = [&DURABLE[..], &[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")]].concat();
    let server = Own::start(&evicts).await.expect("a server");
    assert_fails(initialize(&connect(&server.url()).await).await, Misconfigured, &["allkeys-lru"]);
    server.admin().run("CONFIG SET maxmemory-policy volatile-lru").await.expect("config");
    initialize(&connect(&server.url()).await).await.expect("nothing of ours has a time to live");
}

pub(super) async fn a_server_that_is_weak_is_good_enough_for_a_lock() {
    let server =
        Own::start(&[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")]).await.expect("a server");
    let lock = RedisLockStore::connect(&server.url()).await.expect("connect");
    lock.initialize().await.expect("initialize");
}

pub(super) async fn a_server_that_hides_its_settings_is_taken() {
    let server = Own::start(&[]).await.expect("a server");
    let hidden = "ACL SETUSER app on >hunter2 ~* +@all -config -info";
    server.admin().run(hidden).await.expect("a user");
    let store = connect(&server.url().replace("//", "//app:hunter2@")).await;
    initialize(&store).await.expect("initialize");
}

pub(super) async fn a_node_of_a_cluster_is_refused_as_a_server() {
    let server = Own::start(&[&DURABLE[..], &[("cluster-enabled", "yes")]].concat()).await.expect("a server");
    assert_fails(initialize(&connect(&server.url()).await).await, Misconfigured, &["connect_cluster"]);
}

pub(super) async fn a_wrong_password_is_denied_and_not_shown() {
    let server =
        Own::start(&[&DURABLE[..], &[("requirepass", "hunter2-right")]].concat()).await.expect("a server");
    let with = |credentials: &str| server.url().replace("//", &format!("//{credentials}"));
    for url in [":hunter2-wrong@", "default:hunter2-wrong@", "nobody:hunter2-right@"].map(with) {
        for url in [url.clone(), format!("{url}/0?protocol=resp3")] {
            let error =
                assert_fails(RedisAuditStore::connect(&url).await, Denied, &["check user and password"]);
            let shown = format!("{error} {error:?} {error:#?} {:?}", std::error::Error::source(&error));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
    // Without one, the server greets us, and refuses the rest.
    let silent = async { connect(&server.url()).await.head(&orders()).await };
    assert_fails(silent.await, Denied, &["check user and password"]);
    let store = connect(&with(":hunter2-right@")).await;
    initialize(&store).await.expect("initialize");
    assert_eq!(store.address(), server.url());
}

pub(super) async fn a_user_who_may_not_do_it_is_denied() {
    let server = Own::start(&DURABLE).await.expect("a server");
    // All commands and none of our keys; all keys and none of the commands.
    for rights in ["~other:* +@all", "~* +ping"] {
        server.admin().run(&format!("ACL SETUSER app reset on >hunter2 {rights}")).await.expect("a user");
        let store = connect(&server.url().replace("//", "//app:hunter2@")).await;
        for error in [
            assert_fails(store.head(&orders()).await, Denied, &["the user needs"]),
            assert_fails(take_office(&store, 1, "run-1").await, Denied, &["the user needs"]),
        ] {
            assert!(!error.is_temporary() && !format!("{error:#?}").contains("hunter2"), "{error:#?}");
        }
    }
}

pub(super) async fn a_password_that_is_changed_in_between_is_denied() {
    let server = Own::start(&DURABLE).await.expect("a server");
    server.admin().run("ACL SETUSER app on >hunter2-old ~* +@all").await.expect("a user");
    let store = connect(&server.url().replace("//", "//app:hunter2-old@")).await;
    store.head(&orders()).await.expect("head");
    server.admin().run("ACL SETUSER app resetpass >hunter2-new").await.expect("a password");
    server.admin().run("CLIENT KILL TYPE normal SKIPME yes").await.expect("kill");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let error = assert_fails(store.head(&orders()).await, Denied, &["check user and password"]);
    assert!(!format!("{error:#?}").contains("hunter2"), "{error:#?}");
}

pub(super) async fn a_prefix_that_cannot_be_used_is_refused_before_anything_is_sent() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let store = connect(&server.url()).await.key_prefix("{app}:");
    assert_fails(store.head(&orders()).await, Misconfigured, &["{app}:"]);
    assert_fails(LockStore::initialize(&store).await, Misconfigured, &["{app}:"]);
}

pub(super) async fn stores_with_different_prefixes_do_not_touch_each_other() {
    let server = Own::start(&DURABLE).await.expect("a server");
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await.key_prefix("two:"));
    let mut office = take_office(&one, 1, "run-1").await.expect("office");
    append(&one, &mut office, &["a"]).await.expect("append");
    assert_eq!(two.head(&orders()).await.expect("head"), None);
    assert_eq!(two.histories().await.expect("histories"), []);
    assert_eq!(one.histories().await.expect("histories"), [orders()]);
}
