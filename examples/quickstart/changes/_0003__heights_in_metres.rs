use flamingock::prelude::*;
use flamingock::sqlx::{self, SqliteConnection};

pub(crate) struct HeightsInMetres;

/// Our readers think in metres: computes them for every airport, and drops the feet.
#[change(id = "heights-in-metres", target_system = "airports-db", author = "quickstart")]
impl HeightsInMetres {
    // Three statements, one transaction: nobody ever sees the table in between.
    #[apply]
    async fn apply(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(
            "ALTER TABLE airports ADD COLUMN elevation_m INTEGER;
             UPDATE airports SET elevation_m = CAST(round(elevation_ft * 0.3048) AS INTEGER);
             ALTER TABLE airports DROP COLUMN elevation_ft;",
        )
        .execute(db)
        .await?;
        Ok(())
    }

    #[rollback]
    async fn rollback(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(
            "ALTER TABLE airports ADD COLUMN elevation_ft REAL NOT NULL DEFAULT 0;
             UPDATE airports SET elevation_ft = round(elevation_m / 0.3048);
             ALTER TABLE airports DROP COLUMN elevation_m;",
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
