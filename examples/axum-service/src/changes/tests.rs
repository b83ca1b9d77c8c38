//! The changes, on databases of each test's own: `cargo xtask test`, or with `FLAMINGOCK_TEST_POSTGRES_URL` set
//! `cargo test -p axum-service -- --include-ignored`.

use flamingock::audit::Evidence;
use flamingock::prelude::*;
use flamingock::sqlx::{self, PgPool};
use flamingock::testing::{FlamingockTest, Moment, Stairway, after, before, entry};

use super::_0002__add_tracking_code::AddTrackingCode;
use super::_0003__index_customers::IndexCustomers;
use super::{CHANGES, wired};

const ORDER: &str = "INSERT INTO orders (customer, item, quantity) VALUES ('ada', 'tea', 2)";

#[flamingock::test(changes = CHANGES, service = "orders")]
#[ignore = "needs PostgreSQL"]
async fn two_orders_have_two_codes(pool: PgPool) -> Result<(), sqlx::Error> {
    sqlx::query(ORDER).execute(&pool).await?;
    sqlx::query(ORDER).execute(&pool).await?;
    let codes: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT tracking_code) FROM orders").fetch_one(&pool).await?;
    assert_eq!(codes, 2);
    Ok(())
}

#[flamingock::test]
#[ignore = "needs PostgreSQL"]
async fn orders_from_before_get_a_code_too(pool: PgPool) -> Result<(), sqlx::Error> {
    let before_it = FlamingockTest::given(wired(pool.clone()))
        .crash_at(before(Moment::Started.of::<AddTrackingCode>()))
        .when_run()
        .await
        .then_crashed();
    sqlx::query(ORDER).execute(&pool).await?;
    before_it.when_run_again().await;
    let code: String = sqlx::query_scalar("SELECT tracking_code FROM orders").fetch_one(&pool).await?;
    assert_eq!(code.len(), 10);
    Ok(())
}

#[flamingock::test]
#[ignore = "needs PostgreSQL"]
async fn a_commit_without_an_answer_is_no_failure(pool: PgPool) {
    FlamingockTest::given(wired(pool))
        .lose_answer(Moment::Commit.of::<AddTrackingCode>())
        .when_run()
        .await
        .then_audit_includes([
            entry::<AddTrackingCode>().started(),
            entry::<AddTrackingCode>().applied().evidence(Evidence::Marker),
        ]);
}

#[flamingock::test]
#[ignore = "needs PostgreSQL"]
async fn an_index_that_is_there_is_not_built_again(pool: PgPool) {
    FlamingockTest::given(wired(pool))
        .crash_at(after(Moment::Apply.of::<IndexCustomers>()))
        .when_run()
        .await
        .then_crashed()
        .when_run_again()
        .await
        .then_audit([entry::<IndexCustomers>().applied().evidence(Evidence::Verify)]);
}

#[flamingock::test]
#[ignore = "needs PostgreSQL"]
async fn what_is_undone_can_be_applied_again(pool: PgPool) {
    Stairway::of(wired(pool.clone())).looking_at(move || schema(pool.clone())).climb().await;
}

/// The columns and indexes of the orders, each in a line.
async fn schema(pool: PgPool) -> Result<String, BoxError> {
    let lines: Vec<String> = sqlx::query_scalar(
        "SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_name = 'orders'
         UNION SELECT indexdef FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1",
    )
    .fetch_all(&pool)
    .await?;
    Ok(lines.join("\n"))
}
