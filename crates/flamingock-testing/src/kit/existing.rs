use std::sync::Arc;
use std::time::Duration;

use flamingock_core::audit::{Append, AuditEntry, AuditState, Evidence, Execution, Operation, TxStrategy};
use flamingock_core::lock::{Acquisition, LockRequest};
use flamingock_core::pipeline::{PipelineChange, PipelineStage};
use flamingock_core::target::{Begun, Fence, FenceRaised, MarkerState, MarkerUpdate, Mode, TargetSystem};
use flamingock_core::{BackendError, Flamingock};

use super::entry::Entry;
use crate::conformance::BoxError;
use crate::entries::{self, Chain};

/// The run that is said to have written what is there before.
const EXECUTION: &str = "01980000-0000-7000-8000-000000000001";

/// Writes what is there before, as an earlier run would have: entries, and the markers that go with them.
pub(super) async fn write(app: &Flamingock, existing: &[Entry]) -> Result<(), BoxError> {
    let (store, lock, history) = (app.audit_store(), app.lock_store(), app.history());
    store.initialize().await?;
    lock.initialize().await?;
    let execution =
        Execution { id: EXECUTION.to_owned(), owner: format!("{}@existing#audit", history.service) };
    let request = LockRequest {
        history: history.clone(),
        owner: execution.owner.clone(),
        execution: execution.id.clone(),
        lease: Duration::from_secs(60),
    };
    let lease = match lock.try_acquire(&request).await? {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held(holder) => return Err(format!("{} holds the lock", holder.owner).into()),
    };
    let office = store.take_office(history, lease.token, &execution).await?;
    let mut chain = Chain::of(&office);
    let mut written = Vec::new();
    for one in existing {
        let mut entry = audit_entry(app, one)?;
        entry.refers_to = answered_by(&entry, &written).map(|earlier| earlier.sequence);
        written.push(chain.seal(entry));
    }
    let append = Append { expected: office.head.sequence, entries: &written, head: chain.head_change() };
    store.append(&office, &append).await?;

    let fence = Fence { history: history.clone(), token: office.token, execution: execution.id };
    for (one, entry) in existing.iter().zip(&written) {
        let has_target = app.target(&entry.target_system).is_some();
        let left = || marker_of(entry).filter(|_| has_target);
        let Some(state) = one.marker.or_else(left) else { continue };
        let target = app.target(&entry.target_system).ok_or_else(|| {
            format!("`{}` cannot have a marker: there is no target `{}`", entry.change, entry.target_system)
        })?;
        mark(target, &fence, entry, state).await?;
    }
    Ok(lock.release(&lease).await?)
}

/// An entry as the application would have written it.
fn audit_entry(app: &Flamingock, existing: &Entry) -> Result<AuditEntry, BoxError> {
    let (id, state) = (&existing.change, existing.state);
    if state.is_none() && !id.is_empty() {
        return Err(format!("the entry of `{id}` has no state: `.applied()`, `.started()`, ..").into());
    }
    let mut entry = entries::entry(app.history(), 0, id, state.unwrap_or(AuditState::Applied));
    entry.state = state;
    match app.pipeline().changes().find(|(_, change)| change.id == *id) {
        Some((stage, change)) => describe(&mut entry, app, stage, change),
        None => {
            // Of a change that the code no longer has, only what the test says is known.
            (entry.target_system, entry.target_kind, entry.target_address) = <_>::default();
            "existing_audit".clone_into(&mut entry.source);
        }
    }
    entry.operation = match state {
        Some(AuditState::ManualMarkedAsApplied | AuditState::ManualMarkedAsRolledBack) => Operation::Ruling,
        _ => Operation::Apply,
    };
    existing.details.iter().for_each(|detail| detail.set(&mut entry));
    Ok(entry)
}

fn describe(entry: &mut AuditEntry, app: &Flamingock, stage: &PipelineStage, change: &PipelineChange) {
    entry.stage.clone_from(&stage.name);
    change.order_text().clone_into(&mut entry.order);
    entry.author.clone_from(&change.author);
    entry.description.clone_from(&change.description);
    entry.target_system.clone_from(&change.target_system);
    entry.tx_strategy = match change.mode {
        Mode::Transactional => TxStrategy::TxWithMarker,
        Mode::Plain => TxStrategy::NonTx,
    };
    entry.recovery = change.recovery;
    entry.kind = change.kind;
    entry.source = change.source.to_string();
    entry.checksum.clone_from(&change.checksum);
    if let Some(target) = app.target(&change.target_system) {
        target.kind().clone_into(&mut entry.target_kind);
        entry.target_address = target.address();
    }
}

/// The earlier entry that a ruling answers; for the others the newest ruling or undo, which outranks the
/// markers before it.
fn answered_by<'a>(entry: &AuditEntry, earlier: &'a [AuditEntry]) -> Option<&'a AuditEntry> {
    let mut of_change = earlier.iter().rev().filter(|earlier| earlier.change == entry.change);
    if entry.operation == Operation::Ruling {
        return of_change.next();
    }
    of_change.find(|earlier| match earlier.state {
        Some(AuditState::ManualMarkedAsRolledBack) => true,
        Some(AuditState::RolledBack) => {
            earlier.operation.is_undo() || earlier.operation == Operation::Release
        }
        _ => false,
    })
}

/// The marker that an entry's run left in the target; [`None`] where it left the one that was there.
fn marker_of(entry: &AuditEntry) -> Option<MarkerState> {
    if entry.tx_strategy != TxStrategy::TxWithMarker || entry.evidence == Evidence::Verify {
        return None;
    }
    match entry.state? {
        AuditState::Applied if entry.operation == Operation::Apply => Some(MarkerState::Done),
        AuditState::RolledBack if entry.operation.is_undo() => Some(MarkerState::Undone),
        _ => None,
    }
}

/// Writes a marker the way that a run does.
async fn mark(
    target: &Arc<dyn TargetSystem>,
    fence: &Fence,
    entry: &AuditEntry,
    state: MarkerState,
) -> Result<(), BoxError> {
    let (id, change) = (target.id(), &entry.change);
    let markers = target
        .markers()
        .ok_or_else(|| format!("`{change}` cannot have a marker: target `{id}` keeps none"))?;
    match markers.raise_fence(fence).await? {
        FenceRaised::Raised => {}
        FenceRaised::Newer(token) => {
            return Err(format!("target `{id}` has fence {token} already: is it not empty?").into());
        }
    }
    let begins = match state {
        MarkerState::Begun | MarkerState::Done => MarkerState::Begun,
        MarkerState::Undoing | MarkerState::Undone => MarkerState::Undoing,
    };
    let update = MarkerUpdate {
        change: change.clone(),
        state: begins,
        sequence: entry.sequence,
        outranks: entry.sequence, // whatever was there
    };
    let written: Result<(), BackendError> = async {
        let mut session = target.open(Mode::Transactional).await?;
        if session.begin_marker(fence, &update).await? == Begun::Written && begins != state {
            session.finish_marker(&update).await?;
        }
        session.commit().await
    }
    .await;
    Ok(written?)
}
