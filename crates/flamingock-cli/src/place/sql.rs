use flamingock_store_sql::{SqlAuditStore, StoreDialect};

use super::{Naming, Place};
use crate::error::{Problem, Result};

fn place<D: StoreDialect>(store: SqlAuditStore<D>, naming: &Naming) -> Place {
    let store = match &naming.table_prefix {
        Some(prefix) => store.table_prefix(prefix),
        None => store,
    };
    Place::of(store.create_tables(false))
}

#[cfg(feature = "sqlite")]
pub(super) async fn sqlite(url: &str, naming: &Naming) -> Result<Place> {
    use flamingock_store_sql::SqliteAuditStore;

    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let file = crate::secret::decoded(path.split('?').next().unwrap_or_default());
    if !std::path::Path::new(&file).is_file() {
        let message = format!("there is no file {file}: check the path in the audit store's URL");
        return Err(Problem::new("AUDIT_STORE", message));
    }
    // An operator creates no audit by a typing error.
    let mode = match path.split_once('?') {
        Some((_, query)) if query.contains("mode=") => "",
        Some(_) => "&mode=rw",
        None => "?mode=rw",
    };
    let store =
        SqliteAuditStore::connect(&format!("{url}{mode}")).await.map_err(|error| naming.not_opened(error))?;
    Ok(place(store, naming))
}

#[cfg(feature = "postgres")]
pub(super) async fn postgres(url: &str, naming: &Naming) -> Result<Place> {
    reach::<sqlx::PgConnection>(url).await?;
    let store = flamingock_store_sql::PostgresAuditStore::connect(url)
        .await
        .map_err(|error| naming.not_opened(error))?;
    let store = match &naming.schema {
        Some(schema) => store.schema(schema),
        None => store,
    };
    Ok(place(store, naming))
}

#[cfg(feature = "mysql")]
pub(super) async fn mysql(url: &str, naming: &Naming) -> Result<Place> {
    reach::<sqlx::MySqlConnection>(url).await?;
    let store = flamingock_store_sql::MySqlAuditStore::connect(url)
        .await
        .map_err(|error| naming.not_opened(error))?;
    Ok(place(store, naming))
}

/// Tries once whether the server is there: a pool would try for half a minute before it says so. What else
/// is wrong, the store explains.
#[cfg(any(feature = "postgres", feature = "mysql"))]
async fn reach<C: sqlx::Connection>(url: &str) -> Result<()> {
    let limit = std::time::Duration::from_secs(10);
    let unreached = |said: &str| {
        let message = format!(
            "the audit store's server is not reached: {said}. Check that it is up and reachable from here"
        );
        Err(Problem::new("AUDIT_STORE", message))
    };
    match tokio::time::timeout(limit, C::connect(url)).await {
        Ok(Ok(connection)) => {
            // Whether it is closed well changes nothing.
            let _ = connection.close().await;
            Ok(())
        }
        Ok(Err(sqlx::Error::Io(error))) => unreached(&error.to_string()),
        Ok(Err(_)) => Ok(()),
        Err(_) => unreached("no answer within 10 s"),
    }
}
