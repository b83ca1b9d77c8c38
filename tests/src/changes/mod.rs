//! The changes of the application under test, a module per scenario.

use flamingock::sqlx::{self, SqliteConnection};

pub mod fifty;
mod hold;
pub mod manual;
pub mod retried;
pub mod transactional;
pub mod verified;

pub use hold::Hold;

/// Takes effect once each time it is called, so that a second time shows.
async fn effect(db: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL)").execute(&mut *db).await?;
    sqlx::query("INSERT INTO effects (id) VALUES (?)").bind(id).execute(db).await?;
    Ok(())
}
