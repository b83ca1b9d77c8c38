//! The conformance suites of audit stores and locks, on the server that the environment names.

#[path = "../server/mod.rs"]
mod server;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::History;
use flamingock_store_mongodb::mongodb::bson::doc;
use flamingock_testing::conformance::{
    BoxError, Damage, StoreCapabilities, StoreFixture, StoreHandle, StorePlace, audit_store_suite,
    lock_suite, run,
};

#[derive(Debug)]
struct Mongo;

#[derive(Debug)]
struct Place(server::Place);

#[async_trait]
impl StoreFixture for Mongo {
    fn name(&self) -> String {
        "mongodb".to_owned()
    }

    fn available(&self) -> Result<(), String> {
        server::url().map(drop)
    }

    fn capabilities(&self) -> StoreCapabilities {
        use Damage::{NewerFormat, OtherShape, ReadOnly, Unreachable, UnreadableEntry};
        let capabilities = StoreCapabilities::default()
            .damages([UnreadableEntry, NewerFormat, OtherShape, ReadOnly, Unreachable])
            // FerretDB over SQLite reads whole collections: ten thousand entries take it long.
            .case_timeout(Duration::from_secs(300));
        match server::password() {
            Some(password) => capabilities.secret(password),
            None => capabilities,
        }
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        Ok(Arc::new(Place(server::Place::new().await?)))
    }
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        Ok(StoreHandle::both(self.0.store()?))
    }

    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        match damage {
            Damage::UnreadableEntry => {
                let entry = doc! {
                    "service": &history.service,
                    "tenant": &history.tenant,
                    "sequence": i64::try_from(sequence)?,
                };
                let entries = self.0.collection("entries")?;
                let damaged = entries.update_one(entry, doc! { "$set": { "state": "PERHAPS" } }).await?;
                assert_eq!(damaged.matched_count, 1);
            }
            Damage::NewerFormat => {
                let heads = self.0.collection("heads")?;
                heads.update_many(doc! {}, doc! { "$set": { "format": 99_i64 } }).await?;
            }
            Damage::OtherShape => {
                let id = doc! { "service": &history.service, "tenant": &history.tenant };
                self.0
                    .collection("heads")?
                    .insert_one(doc! { "_id": id, "tracks": "something else" })
                    .await?;
            }
            // No server here has users with fewer rights: the proxy refuses as one would.
            Damage::ReadOnly => {
                let writes = ["insert", "update", "delete", "findAndModify", "create", "createIndexes"];
                self.0.rules.allow(move |command, _| !writes.contains(&command));
            }
            Damage::Unreachable => self.0.proxy.unplug(),
            other => return Err(format!("the fixture cannot do {other:?}").into()),
        }
        Ok(())
    }

    async fn remove(&self) -> Result<(), BoxError> {
        self.0.remove().await
    }
}

fn main() -> ExitCode {
    let fixture: Arc<dyn StoreFixture> = Arc::new(Mongo);
    run([audit_store_suite(Arc::clone(&fixture)), lock_suite(fixture)])
}
