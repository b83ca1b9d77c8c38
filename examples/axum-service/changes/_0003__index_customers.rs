use flamingock::prelude::*;
use flamingock::sqlx::{self, PgConnection};

pub(crate) struct IndexCustomers;

/// The orders of a customer are found without reading all, and nobody is locked out meanwhile.
#[change(id = "index-customers", target_system = "orders-db", author = "orders", transactional = false)]
impl IndexCustomers {
    // PostgreSQL does not build an index concurrently in a transaction.
    #[apply]
    async fn apply(db: &mut PgConnection) -> ChangeResult {
        sqlx::query("CREATE INDEX CONCURRENTLY orders_customer ON orders (customer, id)").execute(db).await?;
        Ok(())
    }

    // So a failed apply is compensated here: it can leave an invalid index behind.
    #[rollback]
    async fn rollback(db: &mut PgConnection) -> ChangeResult {
        sqlx::query("DROP INDEX CONCURRENTLY IF EXISTS orders_customer").execute(db).await?;
        Ok(())
    }

    // And if the process is killed meanwhile, the next start asks here how it ended.
    #[verify]
    async fn verify(db: &mut PgConnection) -> Result<TargetState, sqlx::Error> {
        let valid: Option<bool> = sqlx::query_scalar(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('orders_customer')",
        )
        .fetch_optional(db)
        .await?;
        Ok(match valid {
            Some(true) => TargetState::Applied,
            Some(false) => TargetState::PartiallyApplied,
            None => TargetState::NotApplied,
        })
    }
}
