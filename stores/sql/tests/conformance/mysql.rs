use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::History;
use flamingock_store_sql::MySqlAuditStore;
use flamingock_testing::conformance::{
    BoxError, Damage, StoreCapabilities, StoreFixture, StoreHandle, StorePlace,
};

use crate::server::mysql::{Brand, Database, PASSWORD};

#[derive(Debug)]
struct MySql(Brand);

#[derive(Debug)]
struct Place(Database);

#[async_trait]
impl StoreFixture for MySql {
    fn name(&self) -> String {
        self.0.name().to_owned()
    }

    fn available(&self) -> Result<(), String> {
        self.0.available()
    }

    fn capabilities(&self) -> StoreCapabilities {
        use Damage::{NewerFormat, OtherShape, ReadOnly, Unreachable, UnreadableEntry};
        StoreCapabilities::default()
            .damages([UnreadableEntry, NewerFormat, OtherShape, ReadOnly, Unreachable])
            .secret(PASSWORD)
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        Ok(Arc::new(Place(Database::new(self.0).await?)))
    }
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        Ok(StoreHandle::both(MySqlAuditStore::new(self.0.pool())))
    }

    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        let History { service, tenant } = history;
        match damage {
            Damage::UnreadableEntry => {
                let damaged = format!(
                    "UPDATE flamingock_entries SET state = 'PERHAPS' \
                     WHERE service = '{service}' AND tenant = '{tenant}' AND sequence = {sequence}"
                );
                self.0.run_in(&damaged).await
            }
            Damage::NewerFormat => self.0.run_in("UPDATE flamingock_heads SET format = 99").await,
            Damage::OtherShape => {
                self.0.run_in("CREATE TABLE flamingock_heads (service TEXT, tracks TEXT)").await
            }
            Damage::ReadOnly => self.0.only_read().await,
            Damage::Unreachable => {
                self.0.proxy().unplug();
                Ok(())
            }
            other => Err(format!("the fixture cannot do {other:?}").into()),
        }
    }

    async fn remove(&self) -> Result<(), BoxError> {
        self.0.remove().await
    }
}

/// MariaDB, and MySQL where one is given.
pub(crate) fn fixtures() -> impl Iterator<Item = Arc<dyn StoreFixture>> {
    Brand::ALL.into_iter().map(|brand| Arc::new(MySql(brand)) as Arc<dyn StoreFixture>)
}
