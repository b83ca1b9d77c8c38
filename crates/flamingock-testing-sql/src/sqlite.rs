use std::env;
use std::fs;
use std::sync::Once;

use flamingock_core::change::BoxError;
use flamingock_store_sql::SqliteAuditStore;
use flamingock_target_sql::SqliteTarget;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::database::CLOSE;
use crate::{Created, Options, TestDatabase, applied, name};

impl TestDatabase for SqlitePool {
    async fn create(options: &Options) -> Result<(Self, Created), BoxError> {
        clean();
        let folder = env::temp_dir().join(name::new());
        fs::create_dir(&folder).map_err(|error| format!("{} was not made: {error}", folder.display()))?;
        let file = folder.join("test.db");
        let address = format!("sqlite://{}", file.display());
        let own = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(10).connect_with(own).await?;
        if let Some(changes) = options.changes {
            let store = SqliteAuditStore::new(pool.clone());
            let made =
                applied::apply(options, changes, store, |id| SqliteTarget::new(id, pool.clone())).await;
            made.map_err(|error| format!("{error}\nkept: {address}"))?;
        }
        let opened = pool.clone();
        let remove = move || async move {
            let _ = tokio::time::timeout(CLOSE, opened.close()).await;
            Ok(fs::remove_dir_all(folder)?)
        };
        Ok((pool, Created { address, remove: Box::new(|| Box::pin(remove())) }))
    }
}

/// Removes what killed tests left behind, once in this process. Others may do the same at the same time.
fn clean() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let folders = fs::read_dir(env::temp_dir()).into_iter().flatten().flatten();
        for folder in folders.filter(|folder| name::is_abandoned(&folder.file_name().to_string_lossy())) {
            let _ = fs::remove_dir_all(folder.path());
        }
    });
}
