//! Servers, roles, pools and tables as they are found.

use std::time::Instant;

use flamingock_core::BackendErrorKind;
use flamingock_core::audit::{Append, AuditState, AuditStore, Execution};
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{Begun, FenceRaised, MarkerUpdate, Markers, Mode, TargetSystem};
use flamingock_store_sql::PostgresAuditStore;
use flamingock_target_sql::PostgresTarget;
use flamingock_testing::conformance::Suite;
use flamingock_testing::entries::Chain;
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::place::{INSERT, Place, assert_fails, fence, orders, update};
use crate::server::add_cases;
use crate::server::postgres::{Schema, Way};

/// Adds the cases of this file.
pub(crate) fn add(direct: &mut Suite) {
    add_cases!(
        direct,
        a_server_that_cannot_be_written_is_refused,
        who_is_not_let_in_is_told_so_without_the_password,
        the_pool_is_offered_to_plain_changes_only,
        tables_are_checked_where_creating_is_switched_off,
        store_and_target_share_one_pool_of_two,
    );
}

async fn a_server_that_cannot_be_written_is_refused() {
    let place = Place::new(Way::Direct).await;
    place.target.check().await.unwrap();
    let options = place.schema.options().options([("default_transaction_read_only", "on")]);
    let target = PostgresTarget::new("orders-db", Schema::pool_of(options));
    let words = ["read-only", "default_transaction_read_only"];
    assert_fails(target.check().await, BackendErrorKind::ReadOnly, &words);
    place.remove().await;
}

async fn who_is_not_let_in_is_told_so_without_the_password() {
    let schema = Schema::new(Way::Direct).await.unwrap();
    let place =
        Place::of(schema, |options| options.username("nobody-of-this-name").password("s3cret-and-wrong"));
    for outcome in [
        place.target.check().await,
        place.target.open(Mode::Transactional).await.map(drop),
        place.target.open(Mode::Plain).await.map(drop),
        place.target.raise_fence(&place.fence).await.map(drop),
        place.target.marker(&orders(), "a").await.map(drop),
        place.target.end_session("1/2/three").await,
    ] {
        let error = outcome.expect_err("nobody");
        assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
        let shown = format!("{error} {error:?} {:?}", place.target);
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    place.remove().await;
}

async fn the_pool_is_offered_to_plain_changes_only() {
    let place = Place::new(Way::Direct).await;
    assert!(place.target.resources(Mode::Plain).get::<PgPool>().is_some());
    assert!(place.target.resources(Mode::Transactional).get::<PgPool>().is_none());
    place.remove().await;
}

async fn tables_are_checked_where_creating_is_switched_off() {
    let schema = Schema::new(Way::Direct).await.unwrap();
    let target = PostgresTarget::new("orders-db", schema.pool())
        .schema(&schema.name)
        .table_prefix("my_")
        .create_tables(false);
    let words = ["`my_fences`", "`my_markers`", "ddl()"];
    assert_fails(target.raise_fence(&fence(2)).await, BackendErrorKind::Schema, &words);
    assert_eq!(target.marker(&orders(), "a").await.unwrap(), None);
    assert_eq!(target.survey(&orders(), &["a"]).await.unwrap().done, 0);
    schema.run(&target.ddl()).await.unwrap();
    assert_eq!(target.raise_fence(&fence(2)).await.unwrap(), FenceRaised::Raised);
    schema.remove().await.unwrap();
}

/// What a run does, with everything in one schema and through one pool of two connections.
async fn store_and_target_share_one_pool_of_two() {
    let place = Place::new(Way::Direct).await;
    let pool = PgPoolOptions::new().max_connections(2).connect_with(place.schema.options()).await.unwrap();
    let store = PostgresAuditStore::new(pool.clone()).schema(&place.schema.name);
    let target = PostgresTarget::new("orders-db", pool).schema(&place.schema.name);
    AuditStore::initialize(&store).await.unwrap();
    let run = Execution { id: "run-2".to_owned(), owner: "orders@here".to_owned() };
    let office = store.take_office(&orders(), FencingToken(1), &run).await.unwrap();
    let mut chain = Chain::of(&office);
    let started = Instant::now();
    for index in 0..50 {
        let expected = chain.sequence();
        let change = format!("change-{index}");
        let entries = [chain.next(&change, AuditState::Started)];
        store
            .append(&office, &Append { expected, entries: &entries, head: chain.head_change() })
            .await
            .unwrap();
        let mut session = target.open(Mode::Transactional).await.unwrap();
        let update = MarkerUpdate { change, ..update() };
        assert_eq!(session.begin_marker(&place.fence, &update).await.unwrap(), Begun::Written);
        place.run(&mut session, INSERT).await.unwrap();
        session.finish_marker(&update).await.unwrap();
        session.commit().await.unwrap();
    }
    println!("50 changes in {:?}", started.elapsed());
    assert_eq!(place.users().await, 50);
    assert_eq!(target.survey(&orders(), &[]).await.unwrap().done, 50);
    place.remove().await;
}
