use flamingock::prelude::*;
use flamingock::sqlx::{self, SqliteConnection};

pub(crate) struct CreateAirports;

/// A table for the airports, with heights in feet as the source has them.
#[change(id = "create-airports", target_system = "airports-db", author = "quickstart")]
impl CreateAirports {
    // `&mut SqliteConnection` is the open transaction of the target system `airports-db`.
    #[apply]
    async fn apply(db: &mut SqliteConnection) -> ChangeResult {
        sqlx::query(
            "CREATE TABLE airports (
                 iata         TEXT PRIMARY KEY,
                 name         TEXT NOT NULL,
                 city         TEXT NOT NULL,
                 country      TEXT NOT NULL,
                 elevation_ft REAL NOT NULL,
                 latitude     REAL NOT NULL,
                 longitude    REAL NOT NULL,
                 timezone     TEXT NOT NULL
             ) STRICT",
        )
        .execute(db)
        .await?;
        Ok(())
    }

    // It runs when the change is undone. A failed apply needs nothing: its transaction is rolled back.
    #[rollback]
    async fn rollback(db: &mut SqliteConnection) -> ChangeResult {
        sqlx::query("DROP TABLE airports").execute(db).await?;
        Ok(())
    }
}
