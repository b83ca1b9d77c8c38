use std::sync::Arc;

use flamingock_core::audit::AuditState;
use flamingock_core::pipeline::Stage;
use flamingock_core::{Flamingock, FlamingockBuilder};

use super::changes::change;
use super::store::FaultyStore;
use super::target::FaultyTarget;
use super::{ChangeSpec, House, Machine, Wire};

/// The application, as one process starts it.
pub(crate) fn app<W: Wire>(
    wire: &Arc<W>,
    machine: &Machine,
    changes: &[ChangeSpec],
    settings: impl FnOnce(FlamingockBuilder) -> FlamingockBuilder,
) -> Flamingock {
    let mut builder = Flamingock::builder()
        .service("orders")
        .audit_store(FaultyStore::new(wire))
        .target(FaultyTarget::db(wire))
        .target(FaultyTarget::flags(wire))
        .host(machine.clone());
    let mut stages: Vec<&str> = changes.iter().filter_map(|spec| spec.stage).collect();
    stages.dedup();
    for stage in stages {
        builder = builder.stage(Stage::new(stage));
    }
    for (order, spec) in changes.iter().enumerate() {
        builder = builder.change(change(spec, order, wire));
    }
    settings(builder).build().expect("the wiring is right")
}

/// What somebody who undoes finds applied.
pub(crate) async fn undoable(house: &House, changes: &[ChangeSpec]) -> Vec<&'static str> {
    let entries = house.entries().await;
    let is_applied = |id: &str| {
        let latest = entries.iter().rev().find(|entry| entry.change == id);
        latest.is_some_and(|entry| entry.state == Some(AuditState::Applied))
    };
    let specs = changes.iter().filter(|spec| spec.rollback && is_applied(spec.id));
    specs.map(|spec| spec.id).collect()
}
