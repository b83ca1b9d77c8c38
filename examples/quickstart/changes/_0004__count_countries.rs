use flamingock::prelude::*;
use flamingock::sqlx::{self, SqliteConnection};

pub(crate) struct CountCountries;

/// How many airports each country has, and how high its highest is.
#[change(id = "count-countries", target_system = "airports-db", author = "quickstart")]
impl CountCountries {
    #[apply]
    async fn apply(db: &mut SqliteConnection) -> ChangeResult {
        sqlx::query(
            "CREATE TABLE countries AS
             SELECT country AS code, count(*) AS airports, max(elevation_m) AS highest_m
             FROM airports GROUP BY country",
        )
        .execute(db)
        .await?;
        Ok(())
    }

    #[rollback]
    async fn rollback(db: &mut SqliteConnection) -> ChangeResult {
        sqlx::query("DROP TABLE countries").execute(db).await?;
        Ok(())
    }
}
