use flamingock_core::audit::FORMAT;
use flamingock_core::{BackendError, BackendErrorKind};
use futures_util::TryStreamExt as _;
use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::{CreateCollectionOptions, IndexOptions};
use mongodb::results::CollectionType;

use crate::MongoAuditStore;
use crate::error::{Operation, code};
use crate::head::check_format;

const COLLECTIONS: [&str; 3] = ["heads", "entries", "locks"];

const NAMESPACE_EXISTS: i32 = 48;

/// The indexes of the entries: their order within a history, and the newest of each change.
fn indexes() -> [(Document, bool); 2] {
    [
        (doc! { "service": 1, "tenant": 1, "sequence": 1 }, true),
        (doc! { "service": 1, "tenant": 1, "change_id": 1, "sequence": -1 }, false),
    ]
}

impl MongoAuditStore {
    /// Creates the collections, or checks them, and their format.
    pub(crate) async fn set_up(&self) -> Result<(), BackendError> {
        let operation = self.operation("initialize")?;
        operation.bounded(self.create_or_check(&operation)).await
    }

    async fn create_or_check(&self, operation: &Operation<'_>) -> Result<(), BackendError> {
        self.warn_of_weakness(operation).await?;
        for name in COLLECTIONS {
            let name = self.name(name);
            if !self.check_collection(operation, &name).await? {
                if !self.create_collections {
                    let message =
                        format!("there is no collection `{name}`, and none may be created: create it");
                    return Err(operation.fail(BackendErrorKind::Schema, message));
                }
                self.create(operation, &name).await?;
            }
        }
        self.ensure_indexes(operation).await?;
        let strange = doc! {
            "$or": [{ "format": { "$exists": false } }, { "format": { "$gt": i64::from(FORMAT) } }],
        };
        let found = self.heads().find_one(strange).projection(doc! { "format": 1 }).await;
        let found = found.map_err(|error| operation.error(error))?;
        found.map_or(Ok(()), |head| check_format(operation, &head))
    }

    /// Whether there is such a collection. One that would keep entries in another way is refused.
    async fn check_collection(&self, operation: &Operation<'_>, name: &str) -> Result<bool, BackendError> {
        let found = self.database.list_collections().filter(doc! { "name": name }).await;
        let found = found.map_err(|error| operation.error(error))?;
        let found: Vec<_> = found.try_collect().await.map_err(|error| operation.error(error))?;
        let Some(found) = found.into_iter().find(|found| found.name == name) else { return Ok(false) };
        let problem = match () {
            () if found.collection_type != CollectionType::Collection => "it is no plain collection",
            () if found.options.capped == Some(true) => "it is capped, and would forget entries",
            () if compares_loosely(&found.options) => "its collation takes different ids for the same",
            () => return Ok(true),
        };
        let message = format!(
            "`{name}` cannot be used: {problem}; give Flamingock another database or another collection prefix"
        );
        Err(operation.fail(BackendErrorKind::Schema, message))
    }

    async fn create(&self, operation: &Operation<'_>, name: &str) -> Result<(), BackendError> {
        match self.database.create_collection(name).await {
            Ok(()) => Ok(()),
            // Somebody else was faster.
            Err(error) if code(&error) == Some(NAMESPACE_EXISTS) => Ok(()),
            Err(error) => Err(operation.error(error)),
        }
    }

    async fn ensure_indexes(&self, operation: &Operation<'_>) -> Result<(), BackendError> {
        let entries = self.entries();
        let found = entries.list_indexes().await.map_err(|error| operation.error(error))?;
        let found: Vec<IndexModel> = found.try_collect().await.map_err(|error| operation.error(error))?;
        for (keys, unique) in indexes() {
            if let Some(index) = found.iter().find(|index| same(&index.keys, &keys)) {
                if is_unique(index) >= unique {
                    continue;
                }
                let message = format!(
                    "index {keys} of collection `{}` is not unique, and would take an entry twice: drop it, and it is \
                     created anew; or choose another collection prefix",
                    entries.name(),
                );
                return Err(operation.fail(BackendErrorKind::Schema, message));
            }
            if !self.create_collections {
                let message = format!(
                    "collection `{}` has no {}index {keys}, and none may be created: create it",
                    entries.name(),
                    if unique { "unique " } else { "" },
                );
                return Err(operation.fail(BackendErrorKind::Schema, message));
            }
            let options = IndexOptions::builder().unique(unique.then_some(true)).build();
            let index = IndexModel::builder().keys(keys).options(options).build();
            entries.create_index(index).await.map_err(|error| operation.error(error))?;
        }
        Ok(())
    }

    async fn warn_of_weakness(&self, operation: &Operation<'_>) -> Result<(), BackendError> {
        let build = self.database.run_command(doc! { "buildInfo": 1 }).await;
        let build = build.map_err(|error| operation.error(error))?;
        if build.get_str("ferretdbVersion").is_ok_and(|version| version.starts_with("v1.")) {
            tracing::warn!(
                store = operation.address,
                "FerretDB 1 does not change a document as a whole: two runs at once can both believe that \
                 they are alone; use MongoDB, or FerretDB for tests only"
            );
        }
        Ok(())
    }
}

fn compares_loosely(options: &CreateCollectionOptions) -> bool {
    options.collation.as_ref().is_some_and(|collation| collation.locale != "simple")
}

/// Numbers of a key may come back as another type.
fn same(found: &Document, wanted: &Document) -> bool {
    let direction = |document: &Document, name: &str| {
        document.get_i32(name).map(i64::from).or_else(|_| document.get_i64(name)).ok()
    };
    found.keys().eq(wanted.keys())
        && wanted.keys().all(|name| direction(found, name) == direction(wanted, name))
}

fn is_unique(index: &IndexModel) -> bool {
    index.options.as_ref().and_then(|options| options.unique).unwrap_or(false)
}
