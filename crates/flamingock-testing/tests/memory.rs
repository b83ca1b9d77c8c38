//! The in-memory implementations pass every suite.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::History;
use flamingock_core::memory::{MemoryMap, MemoryStore, MemoryTarget, MemoryTransaction};
use flamingock_core::target::{Mode, Session, TargetSystem};
use flamingock_testing::conformance::{
    self, BoxError, Damage, End, StoreCapabilities, StoreFixture, StoreHandle, StorePlace,
    TargetCapabilities, TargetFixture, TargetPlace,
};

fn main() -> ExitCode {
    conformance::run([
        conformance::audit_store_suite(Arc::new(Stores)),
        conformance::lock_suite(Arc::new(Stores)),
        conformance::target_suite(Arc::new(Targets)),
        conformance::target_suite(Arc::new(Maps)),
    ])
}

#[derive(Debug)]
struct Stores;

#[async_trait]
impl StoreFixture for Stores {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default().damages([Damage::Unreachable])
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        Ok(Arc::new(Store(MemoryStore::new())))
    }
}

#[derive(Debug)]
struct Store(MemoryStore);

#[async_trait]
impl StorePlace for Store {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        Ok(StoreHandle::both(self.0.clone()))
    }

    async fn damage(&self, damage: Damage, _: &History, _: u64) -> Result<(), BoxError> {
        assert_eq!(damage, Damage::Unreachable);
        self.0.set_online(false);
        Ok(())
    }
}

const LOCK_TIMEOUT: Duration = Duration::from_millis(1500);

#[derive(Debug)]
struct Targets;

#[async_trait]
impl TargetFixture for Targets {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn capabilities(&self) -> TargetCapabilities {
        TargetCapabilities::new([Mode::Transactional, Mode::Plain])
            .lock_timeout(LOCK_TIMEOUT)
            .names_blocker()
            .names_sessions()
            .ends([End::Commit, End::Rollback])
            .unplugs()
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        Ok(Arc::new(Target(MemoryTarget::new("orders-db").lock_timeout(LOCK_TIMEOUT))))
    }
}

#[derive(Debug)]
struct Target(MemoryTarget);

#[async_trait]
impl TargetPlace for Target {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        Ok(Arc::new(self.0.clone()))
    }

    async fn put(
        &self,
        _target: &dyn TargetSystem,
        session: &mut dyn Session,
        _mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        Ok(conformance::handle::<MemoryTransaction>(session)?.put(name, "done")?)
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        Ok(self.0.get(name).is_some())
    }

    async fn end(&self, session: &mut dyn Session, end: End) -> Result<(), BoxError> {
        let transaction = conformance::handle::<MemoryTransaction>(session)?;
        match end {
            End::Commit => transaction.implicit_commit()?,
            End::Rollback => transaction.implicit_rollback()?,
            _ => return Err(format!("{end:?} is not known here").into()),
        }
        Ok(())
    }

    async fn unplug(&self) -> Result<(), BoxError> {
        self.0.set_online(false);
        Ok(())
    }
}

#[derive(Debug)]
struct Maps;

#[async_trait]
impl TargetFixture for Maps {
    fn name(&self) -> String {
        "memory-map".to_owned()
    }

    fn capabilities(&self) -> TargetCapabilities {
        TargetCapabilities::new([Mode::Plain])
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        Ok(Arc::new(Map(MemoryMap::new())))
    }
}

#[derive(Debug)]
struct Map(MemoryMap);

#[async_trait]
impl TargetPlace for Map {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        Ok(Arc::new(self.0.target("flags")))
    }

    async fn put(
        &self,
        target: &dyn TargetSystem,
        _session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        target.resources(mode).get::<MemoryMap>().ok_or("no map")?.put(name, "done");
        Ok(())
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        Ok(self.0.get(name).is_some())
    }
}
