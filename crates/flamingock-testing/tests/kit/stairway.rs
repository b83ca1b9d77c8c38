use flamingock::memory::MemoryTransaction;
use flamingock::prelude::*;
use flamingock_testing::{Stairway, apply_rollback_apply};

use crate::app::World;
use crate::app::broken::Broken;
use crate::app::orders::{AddCode, CreateOrders};
use crate::messages::failure;

mod forgetful {
    use super::*;

    flamingock::change_set!(pub(super) CHANGES);

    pub(super) struct Forgetful;

    #[change(id = "forgetful", order = 1, target_system = "db")]
    impl Forgetful {
        #[apply]
        async fn apply(db: &mut MemoryTransaction) -> ChangeResult {
            db.put("a", "1")?;
            Ok(db.put("b", "1")?)
        }

        #[rollback]
        async fn rollback(db: &mut MemoryTransaction) -> ChangeResult {
            Ok(db.remove("a")?)
        }
    }
}

mod once_only {
    use super::*;

    flamingock::change_set!(pub(super) CHANGES);

    struct OnceOnly;

    #[change(id = "once-only", order = 1, target_system = "db")]
    impl OnceOnly {
        #[apply]
        async fn apply(db: &mut MemoryTransaction) -> ChangeResult {
            match db.get("a")? {
                Some(_) => Err("`a` is there already".into()),
                None => Ok(db.put("a", "1")?),
            }
        }

        #[rollback]
        async fn rollback(_db: &mut MemoryTransaction) -> ChangeResult {
            Ok(())
        }
    }
}

#[tokio::test]
async fn a_change_that_takes_back_what_it_does_passes() {
    let world = World::new();
    apply_rollback_apply::<AddCode>(world.orders()).await;
    assert!(world.db.get("orders.code").is_some());
    apply_rollback_apply::<CreateOrders>(World::new().orders()).await;
}

#[tokio::test]
async fn a_whole_pipeline_is_tried_change_by_change() {
    let world = World::new();
    let db = world.db.clone();
    let look = move || {
        let seen = format!("{:?}\n{:?}\n", db.get("orders"), db.get("orders.code"));
        async move { Ok(seen) }
    };
    Stairway::of(world.orders()).looking_at(look).climb().await;
}

#[tokio::test]
async fn an_undo_that_leaves_something_is_seen() {
    let world = World::new();
    let db = world.db.clone();
    let look = move || {
        let seen = format!("a {:?}\nb {:?}\n", db.get("a"), db.get("b"));
        async move { Ok(seen) }
    };
    let builder = Flamingock::builder().service("x").changes(forgetful::CHANGES).target(world.db.clone());
    let message = failure(Stairway::of(builder).looking_at(look).climb_to::<forgetful::Forgetful>()).await;
    assert!(message.contains("stairway.rs:"), "{message}");
    assert!(
        message.contains("change `forgetful`: the undo did not restore what was there before"),
        "{message}"
    );
    assert!(message.contains("-b None\n+b Some(\"1\")"), "{message}");
}

#[tokio::test]
async fn the_step_that_fails_is_named_with_its_error() {
    let world = World::new();
    let builder = Flamingock::builder().service("x").changes(once_only::CHANGES).target(world.db.clone());
    let message = failure(Stairway::of(builder).climb()).await;
    assert!(message.contains("change `once-only`, step 3 of 3 (apply again) failed:"), "{message}");
    assert!(message.contains("`a` is there already"), "{message}");
}

#[tokio::test]
async fn what_cannot_be_tried_is_said() {
    let message = failure(apply_rollback_apply::<Broken>(World::new().broken())).await;
    assert!(message.contains("change `broken` has no #[rollback]"), "{message}");
    let message = failure(apply_rollback_apply::<AddCode>(World::new().broken())).await;
    assert!(message.contains("`add-code` is no change of this application"), "{message}");
    let message = failure(Stairway::of(World::new().broken()).climb()).await;
    assert!(message.contains("no change has a #[rollback]"), "{message}");
}
