use std::future::Future;

use flamingock::sqlx::{self, AssertSqlSafe, MySqlConnection, PgConnection, Row as _, SqliteConnection};

/// A connection on which a change takes effect.
pub trait Effects: Send + 'static {
    /// Adds a row, so that an effect that happens twice shows.
    fn effect(&mut self, id: &str) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Creates a table that may be there.
    fn create_table(&mut self, name: &str) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// The rows that begin with this.
    fn effects(&mut self, prefix: &str) -> impl Future<Output = sqlx::Result<Vec<String>>> + Send;
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

            async fn create_table(&mut self, name: &str) -> sqlx::Result<()> {
                let create = format!("CREATE TABLE IF NOT EXISTS {name} (id INTEGER)");
                sqlx::raw_sql(AssertSqlSafe(create)).execute(self).await?;
                Ok(())
            }

            async fn effects(&mut self, prefix: &str) -> sqlx::Result<Vec<String>> {
                let select = format!("SELECT id FROM effects WHERE id LIKE '{prefix}%'");
                let rows = sqlx::raw_sql(AssertSqlSafe(select)).fetch_all(self).await?;
                rows.iter().map(|row| row.try_get(0)).collect()
            }
        })*
    };
}

effects!(SqliteConnection, PgConnection, MySqlConnection);
