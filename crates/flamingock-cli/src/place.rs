use std::sync::Arc;

use flamingock_core::audit::AuditStore;
use flamingock_core::lock::LockStore;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use flamingock_store_sql::{SqlAuditStore, StoreDialect};

use crate::error::{Problem, Result};

/// An audit store with its lock.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) audit: Arc<dyn AuditStore>,
    pub(crate) lock: Arc<dyn LockStore>,
}

/// What is configured besides the URL.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    pub(crate) table_prefix: Option<String>,
    pub(crate) schema: Option<String>,
}

/// The schemes that this build knows.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "mysql")]
    "mysql",
];

impl Place {
    /// Opens the audit store at a URL. Nothing is created.
    pub(crate) async fn open(url: &str, naming: &Naming) -> Result<Self> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                if naming.schema.is_some() {
                    return Err(Problem::usage("SQLite has no schemas: leave `schema` out"));
                }
                sqlite(url, naming).await
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => postgres(url, naming).await,
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                if naming.schema.is_some() {
                    return Err(Problem::usage("name the database in the URL and leave `schema` out"));
                }
                mysql(url, naming).await
            }
            _ => {
                let known: Vec<String> = SCHEMES.iter().map(|scheme| format!("`{scheme}://`")).collect();
                // Not the URL itself: it may hold a password.
                Err(Problem::usage(format!(
                    "the audit store's URL begins with `{}`, which is none of {}",
                    scheme.chars().take(20).collect::<String>().escape_debug(),
                    known.join(", ")
                )))
            }
        }
    }

    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    fn of<D: StoreDialect>(store: SqlAuditStore<D>, naming: &Naming) -> Self {
        let store = match &naming.table_prefix {
            Some(prefix) => store.table_prefix(prefix),
            None => store,
        };
        let store = Arc::new(store.create_tables(false));
        Self { audit: Arc::<SqlAuditStore<D>>::clone(&store), lock: store }
    }
}

#[cfg(feature = "sqlite")]
async fn sqlite(url: &str, naming: &Naming) -> Result<Place> {
    use flamingock_store_sql::SqliteAuditStore;

    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let file = path.split('?').next().unwrap_or_default();
    if !std::path::Path::new(file).is_file() {
        let message = format!("there is no file {file}: check the path in the audit store's URL");
        return Err(Problem::new("AUDIT_STORE", message));
    }
    // An operator creates no audit by a typing error.
    let mode = match path.split_once('?') {
        Some((_, query)) if query.contains("mode=") => "",
        Some(_) => "&mode=rw",
        None => "?mode=rw",
    };
    Ok(Place::of(SqliteAuditStore::connect(&format!("{url}{mode}")).await?, naming))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, naming: &Naming) -> Result<Place> {
    reach::<sqlx::PgConnection>(url).await?;
    let store = flamingock_store_sql::PostgresAuditStore::connect(url).await?;
    Ok(Place::of(
        match &naming.schema {
            Some(schema) => store.schema(schema),
            None => store,
        },
        naming,
    ))
}

#[cfg(feature = "mysql")]
async fn mysql(url: &str, naming: &Naming) -> Result<Place> {
    reach::<sqlx::MySqlConnection>(url).await?;
    Ok(Place::of(flamingock_store_sql::MySqlAuditStore::connect(url).await?, naming))
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
