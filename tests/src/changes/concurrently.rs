//! An index that PostgreSQL builds outside a transaction, waiting for all others.

use flamingock::prelude::*;
use flamingock::sqlx::{PgConnection, raw_sql};

flamingock::change_set!(pub CHANGES);

struct IndexEffects;

#[change(id = "index-effects", order = 1, target_system = "db", transactional = false)]
impl IndexEffects {
    #[apply]
    async fn apply(db: &mut PgConnection) -> ChangeResult {
        raw_sql("CREATE INDEX CONCURRENTLY effects_id ON effects (id)").execute(db).await?;
        Ok(())
    }
}
