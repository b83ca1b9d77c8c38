use std::future::Future;

use flamingock::sqlx::{self, AssertSqlSafe, MySqlConnection, PgConnection, SqliteConnection};

/// A connection on which a change takes effect.
pub trait Effects: Send + 'static {
    /// Adds a row, so that an effect that happens twice shows.
    fn effect(&mut self, id: &str) -> impl Future<Output = sqlx::Result<()>> + Send;
}

macro_rules! effects {
    ($($connection:ty),*) => {
        $(impl Effects for $connection {
            async fn effect(&mut self, id: &str) -> sqlx::Result<()> {
                // Ids are the tests' own and need no quoting.
                let insert = format!("INSERT INTO effects (id) VALUES ('{id}')");
                sqlx::raw_sql(AssertSqlSafe(insert)).execute(self).await?;
                Ok(())
            }
        })*
    };
}

effects!(SqliteConnection, PgConnection, MySqlConnection);
