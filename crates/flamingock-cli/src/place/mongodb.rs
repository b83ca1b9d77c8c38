use flamingock_store_mongodb::MongoAuditStore;

use super::{Naming, Place};
use crate::error::Result;

pub(super) async fn open(url: &str, naming: &Naming) -> Result<Place> {
    let store = MongoAuditStore::connect(url).await.map_err(|error| naming.not_opened(error))?;
    let store = match &naming.table_prefix {
        Some(prefix) => store.collection_prefix(prefix),
        None => store,
    };
    Ok(Place::of(store.create_collections(false)))
}
