use flamingock::prelude::*;
use flamingock::sqlx::{self, PgConnection};

pub(crate) struct AddTrackingCode;

/// Every order can be followed on its way. Those that are there get a code, too.
#[change(id = "add-tracking-code", target_system = "orders-db", author = "shipping")]
impl AddTrackingCode {
    // In a transaction: stopped half-way, nothing of it is there.
    #[apply]
    async fn apply(db: &mut PgConnection) -> ChangeResult {
        sqlx::query(
            "ALTER TABLE orders
             ADD COLUMN tracking_code TEXT NOT NULL DEFAULT upper(substr(md5(random()::text), 1, 10))",
        )
        .execute(&mut *db)
        .await?;
        sqlx::query("ALTER TABLE orders ADD UNIQUE (tracking_code)").execute(&mut *db).await?;
        Ok(())
    }

    #[rollback]
    async fn rollback(db: &mut PgConnection) -> ChangeResult {
        sqlx::query("ALTER TABLE orders DROP COLUMN tracking_code").execute(db).await?;
        Ok(())
    }
}
