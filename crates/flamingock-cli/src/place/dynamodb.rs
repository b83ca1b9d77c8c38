use flamingock_store_dynamodb::DynamoAuditStore;

use super::{Naming, Place};
use crate::error::{Problem, Result};

pub(super) async fn open(url: &str, naming: &Naming) -> Result<Place> {
    if naming.table_prefix.is_some() {
        return Err(Problem::usage("on DynamoDB, the URL names the table: leave `table_prefix` out"));
    }
    let store = DynamoAuditStore::connect(url).await.map_err(|error| naming.not_opened(error))?;
    Ok(Place::of(store.create_table(false)))
}
