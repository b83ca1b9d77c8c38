//! Three changes in transactions.

use flamingock::prelude::*;
use flamingock::sqlx::SqliteConnection;

use super::{Hold, effect};

flamingock::change_set!(pub CHANGES);

/// The first.
#[derive(Debug)]
pub struct One;

#[change(id = "one", order = 1, target_system = "db")]
impl One {
    #[apply]
    async fn apply(db: &mut SqliteConnection) -> ChangeResult {
        Ok(effect(db, "one").await?)
    }
}

/// The one that is killed.
#[derive(Debug)]
pub struct Two;

#[change(id = "two", order = 2, target_system = "db")]
impl Two {
    #[apply]
    async fn apply(db: &mut SqliteConnection, hold: &Hold) -> ChangeResult {
        effect(db, "two").await?;
        hold.at("two:applying");
        Ok(())
    }
}

/// The last.
#[derive(Debug)]
pub struct Three;

#[change(id = "three", order = 3, target_system = "db")]
impl Three {
    #[apply]
    async fn apply(db: &mut SqliteConnection) -> ChangeResult {
        Ok(effect(db, "three").await?)
    }
}
