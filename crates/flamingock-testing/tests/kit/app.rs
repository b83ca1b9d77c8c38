//! An application: two changes on a database in memory, and one that sets flags.

use flamingock::memory::{MemoryMap, MemoryStore, MemoryTarget, MemoryTransaction};
use flamingock::prelude::*;

/// Where the application's changes go.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) db: MemoryTarget,
    pub(crate) flags: MemoryMap,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { store: MemoryStore::new(), db: MemoryTarget::new("db"), flags: MemoryMap::new() }
    }

    fn builder(&self) -> FlamingockBuilder {
        Flamingock::builder()
            .service("orders")
            .audit_store(self.store.clone())
            .target(self.db.clone())
            .target(self.flags.target("flags"))
    }

    /// The changes on the database.
    pub(crate) fn orders(&self) -> FlamingockBuilder {
        self.builder().changes(orders::CHANGES)
    }

    /// The change that sets flags.
    pub(crate) fn flags(&self) -> FlamingockBuilder {
        self.builder().changes(flags::CHANGES)
    }

    /// A change that fails.
    pub(crate) fn broken(&self) -> FlamingockBuilder {
        self.builder().changes(broken::CHANGES)
    }
}

pub(crate) mod orders {
    use super::*;

    flamingock::change_set!(pub(crate) CHANGES);

    pub(crate) struct CreateOrders;

    #[change(id = "create-orders", order = 1, target_system = "db", author = "shipping")]
    impl CreateOrders {
        #[apply]
        async fn apply(db: &mut MemoryTransaction, context: &ChangeContext) -> ChangeResult {
            db.put("orders", "table")?;
            context.progress(1, 2, "table");
            tokio::task::yield_now().await;
            db.put("orders_index", "index")?;
            context.progress(2, 2, "index");
            Ok(())
        }

        #[rollback]
        async fn rollback(db: &mut MemoryTransaction) -> ChangeResult {
            db.remove("orders_index")?;
            Ok(db.remove("orders")?)
        }
    }

    pub(crate) struct AddCode;

    #[change(id = "add-code", order = 2, target_system = "db")]
    impl AddCode {
        #[apply]
        fn apply(db: &mut MemoryTransaction) -> ChangeResult {
            Ok(db.put("orders.code", "column")?)
        }

        #[rollback]
        fn rollback(db: &mut MemoryTransaction) -> ChangeResult {
            Ok(db.remove("orders.code")?)
        }
    }
}

pub(crate) mod flags {
    use super::*;

    flamingock::change_set!(pub(crate) CHANGES);

    pub(crate) struct SetFlags;

    #[change(id = "set-flags", order = 1, target_system = "flags")]
    impl SetFlags {
        #[apply]
        fn apply(flags: &MemoryMap, context: &ChangeContext) -> ChangeResult {
            flags.put("dark-mode", "on");
            context.progress(1, 2, "dark mode");
            flags.put("beta", "on");
            context.progress(2, 2, "beta");
            Ok(())
        }

        #[rollback]
        fn rollback(flags: &MemoryMap) -> ChangeResult {
            flags.remove("dark-mode");
            flags.remove("beta");
            Ok(())
        }
    }
}

pub(crate) mod broken {
    use super::*;

    flamingock::change_set!(pub(crate) CHANGES);

    pub(crate) struct Broken;

    #[change(id = "broken", order = 1, target_system = "db")]
    impl Broken {
        #[apply]
        async fn apply(db: &mut MemoryTransaction) -> ChangeResult {
            db.put("half", "done")?;
            Err("no such column".into())
        }
    }
}
