use flamingock::prelude::*;
use flamingock::sqlx::{self, PgConnection};

pub(crate) struct AddDiscountCode;

/// An order may have been given a discount.
#[change(id = "add-discount-code", target_system = "orders-db", author = "inventory")]
impl AddDiscountCode {
    // In a transaction: stopped half-way, nothing of it is there.
    #[apply]
    async fn apply(db: &mut PgConnection) -> ChangeResult {
        sqlx::query("ALTER TABLE orders ADD COLUMN discount_code TEXT").execute(db).await?;
        Ok(())
    }

    #[rollback]
    async fn rollback(db: &mut PgConnection) -> ChangeResult {
        sqlx::query("ALTER TABLE orders DROP COLUMN discount_code").execute(db).await?;
        Ok(())
    }
}
