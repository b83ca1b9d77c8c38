use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::journal::Journal;
use super::lease::HeldLease;
use super::method::{Limits, Surroundings};
use super::within::retrying;
use crate::BackendError;
use crate::audit::{AuditEntry, AuditState, Head, Operation, TxStrategy};
use crate::builder::Flamingock;
use crate::change::{ChangeContext, IdempotencyKey, RecoveryStrategy, Resources};
use crate::error::{RunErrorKind, Stop};
use crate::event::{Event, Listeners};
use crate::lock::FencingToken;
use crate::operate::{Only, Resolution, proposed};
use crate::pipeline::PipelineChange;
use crate::plan::{Attempt, Drift, Latest, Plan, Policy};
use crate::report::{AuditHead, Counters, Report, RunStatus, StageReport, StageState, millis};
use crate::target::{Mode, TargetSystem};

/// One run: what it has done so far.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(super) app: &'a Flamingock,
    pub(super) execution: String,
    /// Has something to do in office whatever the head says: to undo, to rule.
    pub(super) must_lead: bool,
    /// What it is narrowed to.
    pub(super) only: Only,
    pub(super) stages: Vec<StageReport>,
    pub(super) drifts: Vec<Drift>,
    pub(super) head: Option<AuditHead>,
    started_at: Timestamp,
    began: Instant,
}

impl<'a> Run<'a> {
    pub(super) fn new(app: &'a Flamingock) -> Self {
        Self {
            app,
            execution: app.settings.host.id().to_string(),
            must_lead: false,
            only: Only::default(),
            stages: Vec::new(),
            drifts: Vec::new(),
            head: None,
            started_at: app.settings.host.now(),
            began: Instant::now(),
        }
    }

    /// One read of the head.
    pub(crate) async fn read_head(&self) -> Result<Option<Head>, Stop> {
        let limit = self.app.settings.operation_timeout;
        let read = || self.app.store.head(&self.app.settings.history);
        retrying(limit, "head", read).await.map_err(|error| self.store_stop(error))
    }

    pub(super) async fn read_latest(&self) -> Result<Latest, Stop> {
        let settings = &self.app.settings;
        let read = || self.app.store.latest(&settings.history);
        let entries = retrying(settings.operation_timeout, "latest", read).await;
        let entries = entries.map_err(|error| self.store_stop(error))?;
        Ok(entries.into_iter().map(|entry| (entry.change.clone(), entry)).collect())
    }

    pub(super) fn is_complete(&self, head: &Head) -> bool {
        !self.must_lead && head.completed(&self.app.pipeline.digest).is_some()
    }

    // ---- for a change ----

    pub(super) fn target(&self, change: &PipelineChange) -> &'a dyn TargetSystem {
        // `build()` has bound every change to a target.
        self.app.targets[&change.target_system].as_ref()
    }

    pub(super) fn limits<'l>(&'l self, change: &PipelineChange, lease: Option<&'l HeldLease>) -> Limits<'l> {
        let settings = &self.app.settings;
        Limits {
            timeout: change.timeout,
            cancel: &settings.cancel,
            cancel_grace: if change.mode == Mode::Plain { settings.shutdown_grace } else { Duration::ZERO },
            grace: settings.shutdown_grace,
            lease,
        }
    }

    pub(super) fn surroundings(
        &self,
        change: &PipelineChange,
        attempt: &Attempt,
        token: FencingToken,
    ) -> Surroundings {
        let history = &self.app.settings.history;
        let key = IdempotencyKey::new(history, &change.id, attempt.epoch);
        let mut own = Resources::new();
        own.insert(token);
        own.insert(key.clone());
        own.insert(ChangeContext {
            history: history.clone(),
            id: change.id.as_str().into(),
            execution: self.execution.as_str().into(),
            attempt: attempt.number,
            token,
            key,
            cancelled: self.app.settings.cancel.clone(),
            progress: Arc::<Listeners>::clone(&self.app.listeners),
        });
        Surroundings {
            own: Arc::new(own),
            target: Arc::clone(&self.app.targets[&change.target_system]),
            mode: change.mode,
            shared: Arc::clone(&self.app.resources),
        }
    }

    // ---- report ----

    pub(super) fn drifted(&mut self, plan: &Plan) -> Result<(), Stop> {
        self.drifts.clone_from(&plan.drifts);
        for drift in &self.drifts {
            tracing::warn!(change.id = drift.change, kind = %drift.kind, "{drift}");
            self.app.listeners.tell(&Event::Drifted { drift });
        }
        let refused: Vec<String> = self
            .drifts
            .iter()
            .filter(|drift| drift.policy == Policy::Fail)
            .map(ToString::to_string)
            .collect();
        if refused.is_empty() { Ok(()) } else { Err(Stop::new(RunErrorKind::Drift, refused.join("; "))) }
    }

    pub(super) fn up_to_date(&mut self, head: &Head) -> RunStatus {
        self.head = Some(AuditHead { sequence: head.sequence, hash: head.hash });
        // Where the head does not name this pipeline, `has_all` has looked.
        if let Some(held) = head.completed(&self.app.pipeline.digest) {
            self.stages = self.all_applied(&held);
        }
        RunStatus::NoChanges
    }

    /// Nothing to do: all of each stage are applied, but so many that are held.
    pub(super) fn all_applied(&self, held: &[usize]) -> Vec<StageReport> {
        let held = held.iter().copied().chain(std::iter::repeat(0));
        let stage = |(stage, held)| {
            let mut report = StageReport::new(stage);
            report.state = StageState::UpToDate;
            report.changes.held = held;
            report.changes.already_applied = report.changes.total.saturating_sub(held);
            report
        };
        self.app.pipeline.stages.iter().zip(held).map(stage).collect()
    }

    pub(super) fn report(&self, status: RunStatus) -> Report {
        let history = &self.app.settings.history;
        let mut stages = self.stages.clone();
        let reached = stages.len();
        if status == RunStatus::Failed && !self.must_lead && !self.only.narrows() {
            stages.extend(self.app.pipeline.stages.iter().skip(reached).map(|stage| {
                let mut report = StageReport::new(stage);
                report.changes.not_reached = report.changes.total;
                report
            }));
        }
        let mut changes = Counters::default();
        stages.iter().for_each(|stage| changes += stage.changes);
        Report {
            status,
            service: history.service.clone(),
            tenant: history.tenant.clone(),
            execution: self.execution.clone(),
            started_at: self.started_at,
            finished_at: self.app.settings.host.now(),
            duration_ms: millis(self.began.elapsed()),
            stages,
            changes,
            drifts: self.drifts.clone(),
            head: self.head,
        }
    }

    // ---- errors ----

    pub(super) fn store_stop(&self, error: BackendError) -> Stop {
        Stop::store(&self.app.store.address(), error)
    }

    /// From an error of the lock, which may be kept elsewhere than the audit.
    pub(super) fn lock_stop(&self, error: BackendError) -> Stop {
        if self.app.own_lock { Stop::lock(error) } else { self.store_stop(error) }
    }

    /// An append failed: says what is done but not recorded, and what becomes of it.
    pub(super) fn append_stop(&self, journal: &Journal<'_>, error: BackendError) -> Stop {
        let mut alike: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
        for entry in journal.unrecorded() {
            alike.entry(self.found_out(entry)).or_default().push(&entry.change);
        }
        alike.into_iter().fold(self.store_stop(error), |stop, ((done, next), ids)| {
            stop.with(format_args!("{done} but not recorded: {}; {next}", ids.join(", ")))
        })
    }

    /// What was done by an entry that is not recorded, and what the next start makes of that.
    fn found_out(&self, entry: &AuditEntry) -> (&'static str, String) {
        let mut changes = self.app.pipeline.changes().map(|(_, change)| change);
        let change = changes.find(|change| change.id == entry.change);
        let applied = entry.state == Some(AuditState::Applied);
        let next = match change {
            _ if entry.tx_strategy == TxStrategy::TxWithMarker => "the next start finds that out",
            Some(change) if change.verify.is_some() => "the next start asks #[verify] about that",
            Some(change) if applied && change.recovery == RecoveryStrategy::AlwaysRetry => {
                "the next start applies that again (ALWAYS_RETRY)"
            }
            _ => {
                let resolution = if applied { Resolution::Applied } else { Resolution::RolledBack };
                // What stands in the audit.
                let started = AuditEntry { state: Some(AuditState::Started), ..entry.clone() };
                let ruling = proposed::ruling(&started, resolution, false);
                let again = match entry.operation {
                    Operation::Hold => ", and then hold it again before the next start",
                    _ => "",
                };
                &format!(
                    "the next start cannot tell, and calls it an issue: rule {ruling} when the store is back{again}"
                )
            }
        };
        (if applied { "Applied" } else { "Undone" }, next.to_owned())
    }
}
