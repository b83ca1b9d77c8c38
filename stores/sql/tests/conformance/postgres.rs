use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use flamingock_core::History;
use flamingock_store_sql::PostgresAuditStore;
use flamingock_testing::conformance::{
    BoxError, Damage, StoreCapabilities, StoreFixture, StoreHandle, StorePlace,
};

use crate::server::postgres::{Schema, Way};

#[derive(Debug)]
struct Postgres(Way);

#[derive(Debug)]
struct Place {
    schema: Schema,
    read_only: AtomicBool,
}

#[async_trait]
impl StoreFixture for Postgres {
    fn name(&self) -> String {
        self.0.name().to_owned()
    }

    fn available(&self) -> Result<(), String> {
        self.0.available()
    }

    fn capabilities(&self) -> StoreCapabilities {
        use Damage::{NewerFormat, OtherShape, ReadOnly, Unreachable, UnreadableEntry};
        let capabilities = StoreCapabilities::default()
            .damages([UnreadableEntry, NewerFormat, OtherShape, Unreachable])
            .secret(self.0.password());
        match self.0 {
            Way::Direct => capabilities.damages([ReadOnly]),
            // It takes no settings for a session.
            Way::Pooled => capabilities,
        }
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        Ok(Arc::new(Place { schema: Schema::new(self.0).await?, read_only: AtomicBool::new(false) }))
    }
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        let mut options = self.schema.through_proxy();
        if self.read_only.load(Ordering::SeqCst) {
            options = options.options([("default_transaction_read_only", "on")]);
        }
        let store = PostgresAuditStore::new(Schema::pool_of(options));
        Ok(StoreHandle::both(store.schema(&self.schema.name)))
    }

    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        let schema = self.schema.quoted();
        let History { service, tenant } = history;
        match damage {
            Damage::UnreadableEntry => {
                let damaged = format!(
                    "UPDATE {schema}.flamingock_entries SET state = 'PERHAPS' \
                     WHERE service = '{service}' AND tenant = '{tenant}' AND sequence = {sequence}"
                );
                self.schema.run(&damaged).await
            }
            Damage::NewerFormat => {
                self.schema.run(&format!("UPDATE {schema}.flamingock_heads SET format = 99")).await
            }
            Damage::OtherShape => {
                let other = format!("CREATE TABLE {schema}.flamingock_heads (service TEXT, tracks TEXT)");
                self.schema.run(&other).await
            }
            Damage::ReadOnly => {
                self.read_only.store(true, Ordering::SeqCst);
                Ok(())
            }
            Damage::Unreachable => {
                self.schema.proxy().unplug();
                Ok(())
            }
            other => Err(format!("the fixture cannot do {other:?}").into()),
        }
    }

    async fn remove(&self) -> Result<(), BoxError> {
        self.schema.remove().await
    }
}

/// Directly, and through PgBouncer.
pub(crate) fn fixtures() -> impl Iterator<Item = Arc<dyn StoreFixture>> {
    [Way::Direct, Way::Pooled].into_iter().map(|way| Arc::new(Postgres(way)) as Arc<dyn StoreFixture>)
}
