use std::sync::Arc;

use flamingock_core::audit::{AuditEntry, AuditState, Operation};
use flamingock_core::operate::{Operator, Standing};
use flamingock_core::pipeline::Stage;
use flamingock_core::{Flamingock, FlamingockBuilder, RunError};

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
    standing(house, changes, |spec, latest| spec.rollback && latest.state == Some(AuditState::Applied)).await
}

/// What somebody who undoes and holds finds applied, in part without a transaction, or rolled back and
/// not held.
pub(crate) async fn holdable(house: &House, changes: &[ChangeSpec]) -> Vec<&'static str> {
    let holdable = |spec: &ChangeSpec, latest: &AuditEntry| match latest.state {
        Some(AuditState::Applied) => spec.rollback,
        Some(AuditState::RolledBack) => latest.operation != Operation::Hold,
        Some(AuditState::Started | AuditState::Failed | AuditState::RollbackFailed) => {
            spec.rollback && !spec.kind.is_transactional()
        }
        _ => false,
    };
    standing(house, changes, holdable).await
}

async fn standing(
    house: &House,
    changes: &[ChangeSpec],
    fits: impl Fn(&ChangeSpec, &AuditEntry) -> bool,
) -> Vec<&'static str> {
    let entries = house.entries().await;
    let latest = |spec: &ChangeSpec| entries.iter().rev().find(|entry| entry.change == spec.id);
    let fitting = changes.iter().filter(|spec| latest(spec).is_some_and(|latest| fits(spec, latest)));
    fitting.map(|spec| spec.id).collect()
}

/// An operator looks what is held, and lets it run again.
pub(crate) async fn release(operator: &Operator) -> Result<Vec<AuditEntry>, RunError> {
    let status = operator.status().await?;
    let held = status.changes.into_iter().filter(|(_, standing)| *standing == Standing::Held);
    let held: Vec<String> = held.map(|(entry, _)| entry.change).collect();
    if held.is_empty() {
        return Ok(Vec::new());
    }
    operator.release(&held, "jane", "it is time").await
}
