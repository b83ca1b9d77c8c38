use flamingock::prelude::*;
use flamingock::sqlx::{self, PgConnection};

pub(crate) struct CreateOrders;

/// What customers have ordered.
#[change(id = "create-orders", target_system = "orders-db", author = "orders")]
impl CreateOrders {
    #[apply]
    async fn apply(db: &mut PgConnection) -> ChangeResult {
        sqlx::query(
            "CREATE TABLE orders (
                 id       BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
                 customer TEXT NOT NULL,
                 item     TEXT NOT NULL,
                 quantity INTEGER NOT NULL CHECK (quantity > 0)
             )",
        )
        .execute(db)
        .await?;
        Ok(())
    }

    #[rollback]
    async fn rollback(db: &mut PgConnection) -> ChangeResult {
        sqlx::query("DROP TABLE orders").execute(db).await?;
        Ok(())
    }
}
