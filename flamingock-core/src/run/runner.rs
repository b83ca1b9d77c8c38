use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::acquire::Entry;
use super::journal::Journal;
use super::lease::HeldLease;
use super::method::{Limits, Surroundings};
use super::within::retrying;
use crate::BackendError;
use crate::audit::{
    AuditState, Evidence, Execution, Head, Office, Operation, TxStrategy, Verdict, VerdictStatus,
};
use crate::builder::{Flamingock, RunMode};
use crate::change::{ChangeContext, IdempotencyKey, Resources};
use crate::error::{RunError, RunErrorKind, Stop};
use crate::event::Event;
use crate::lock::FencingToken;
use crate::pipeline::PipelineChange;
use crate::plan::{Attempt, Drift, Issue, Latest, Plan, Policy, plan};
use crate::report::{AuditHead, Counters, Report, RunStatus, StageReport, StageState, millis};
use crate::target::{Fence, FenceRaised, Mode, TargetSystem};

/// One run: what it has done so far.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) app: &'a Flamingock,
    pub(super) execution: String,
    /// Undoes instead of applying: a complete head is no reason to leave.
    pub(super) undoing: bool,
    pub(super) stages: Vec<StageReport>,
    drifts: Vec<Drift>,
    head: Option<AuditHead>,
    started_at: Timestamp,
    began: Instant,
}

impl Flamingock {
    /// Does what the [mode](crate::FlamingockBuilder::mode) says; by default applies what is pending.
    ///
    /// When there is nothing to do it costs one read. When it returns, the lock is free.
    ///
    /// # Errors
    /// When not everything is applied: a change failed or needs an operator, a store or a target
    /// failed, the lease was lost, ... The error carries the report of what was done before.
    pub async fn run(&self) -> Result<Report, RunError> {
        let mode = self.settings.mode;
        self.observed(async |run| {
            if !run.app.settings.enabled {
                return Ok(RunStatus::Disabled);
            }
            match mode {
                RunMode::Apply => run.apply().await,
                RunMode::Check => run.check().await,
                RunMode::Wait(timeout) => run.wait(timeout).await,
            }
        })
        .await
    }

    /// Around every run: execution id, span, events, report.
    pub(super) async fn observed(
        &self,
        work: impl AsyncFnOnce(&mut Run<'_>) -> Result<RunStatus, Stop>,
    ) -> Result<Report, RunError> {
        let mut run = Run::new(self);
        let history = &self.settings.history;
        let span = tracing::info_span!(
            "flamingock.run",
            service = history.service,
            tenant = history.tenant,
            execution.id = run.execution,
            status = tracing::field::Empty,
        );
        self.listeners.tell(&Event::PipelineStarted { execution: &run.execution });
        let ended = async {
            let ended = work(&mut run).await;
            let status = ended.as_ref().map_or(RunStatus::Failed, |status| *status);
            tracing::Span::current().record("status", status.as_str());
            ended
        };
        let ended = ended.instrument(span).await;
        let status = ended.as_ref().map_or(RunStatus::Failed, |status| *status);
        let report = run.report(status);
        self.listeners.tell(&Event::PipelineFinished { report: &report });
        match ended {
            Ok(_) => Ok(report),
            Err(mut stop) => {
                if matches!(stop.kind, RunErrorKind::ChangeFailed | RunErrorKind::Issue) {
                    stop.message = format!("{}{}", report.explanation(), stop.message);
                }
                Err(RunError::new(stop, report))
            }
        }
    }
}

impl<'a> Run<'a> {
    fn new(app: &'a Flamingock) -> Self {
        Self {
            app,
            execution: uuid::Uuid::now_v7().to_string(),
            undoing: false,
            stages: Vec::new(),
            drifts: Vec::new(),
            head: None,
            started_at: Timestamp::now(),
            began: Instant::now(),
        }
    }

    async fn apply(&mut self) -> Result<RunStatus, Stop> {
        // With nothing to do, this read is the whole run.
        if let Some(head) = self.read_head().await?
            && self.is_complete(&head)
        {
            return Ok(self.up_to_date(&head));
        }
        match self.prepare().await? {
            Entry::UpToDate(head) => Ok(self.up_to_date(&head)),
            Entry::Leading(lease) => {
                let ended = self.lead(&lease).await;
                lease.release().await;
                ended
            }
        }
    }

    /// Reaches everything that will be needed, then asks for the lock.
    pub(super) async fn prepare(&self) -> Result<Entry, Stop> {
        self.check_targets().await?;
        let limit = self.app.settings.operation_timeout;
        let ready = retrying(limit, "initialize", || self.app.store.initialize()).await;
        ready.map_err(|error| self.store_stop(error))?;
        if self.app.own_lock {
            let ready = retrying(limit, "initialize lock", || self.app.lock.initialize()).await;
            ready.map_err(|error| self.store_stop(error))?;
        }
        self.enter().await
    }

    /// With the lock: takes office, looks, plans, and runs the stages.
    async fn lead(&mut self, lease: &HeldLease) -> Result<RunStatus, Stop> {
        let office = self.take_office(lease).await?;
        if self.is_complete(&office.head) {
            return Ok(self.up_to_date(&office.head.clone()));
        }
        let mut journal = Journal::new(self.app.store.as_ref(), &self.app.settings, office);
        let latest = self.read_latest().await?;
        self.survey(&latest, journal.taken_head()).await?;
        let observations = self.gather(lease, journal.token(), &latest).await?;
        let plan = plan(&self.app.pipeline, &latest, &observations, &self.app.settings.policies);
        self.drifted(&plan)?;

        let app = self.app;
        let mut stopped = Ok(());
        for stage in app.pipeline.stages.iter().zip(&plan.stages) {
            stopped = self.stage(&mut journal, lease, stage, &latest).await;
            if stopped.is_err() {
                break;
            }
        }
        let ended = match stopped {
            Ok(()) => self.verdict(&plan),
            Err(stop) => Err(stop),
        };
        self.close(&mut journal, &plan, ended).await
    }

    /// The last append: what is not recorded yet, and how the run ended.
    async fn close(
        &mut self,
        journal: &mut Journal<'_>,
        plan: &Plan,
        ended: Result<RunStatus, Stop>,
    ) -> Result<RunStatus, Stop> {
        let digest = &self.app.pipeline.digest;
        let (digests, verdict) = match &ended {
            Ok(_) => {
                let mut digests = vec![digest.clone()];
                if journal.unrecorded().is_empty() && journal.sequence() == journal.taken_head().sequence {
                    digests.extend(
                        journal.taken_head().digests.iter().filter(|other| *other != digest).cloned(),
                    );
                    digests.truncate(Head::DIGESTS);
                }
                (digests, None)
            }
            Err(stop) => {
                let status = match stop.kind {
                    RunErrorKind::ChangeFailed => Some(VerdictStatus::Failed),
                    RunErrorKind::Issue => Some(VerdictStatus::Blocked),
                    // Out of office, or out of reach: nothing more is recorded.
                    RunErrorKind::LeaseLost | RunErrorKind::AuditStore => return ended,
                    _ => None,
                };
                let message = self.report(RunStatus::Failed).summary();
                let (execution, digest) = (self.execution.clone(), digest.clone());
                (Vec::new(), status.map(|status| Verdict { execution, digest, status, message }))
            }
        };
        debug_assert!(
            digests.is_empty() || plan.issues().next().is_none(),
            "only a complete run adds its digest"
        );
        let closed = journal.close(digests, verdict).await;
        self.head = Some(AuditHead { sequence: journal.sequence(), hash: journal.hash() });
        match closed {
            Ok(()) => ended,
            Err(error) => Err(self.append_stop(journal, error)),
        }
    }

    /// How the run ended, when nothing stopped it.
    fn verdict(&self, plan: &Plan) -> Result<RunStatus, Stop> {
        let in_state = |state| self.stages.iter().any(|stage| stage.state == state);
        // What the report says is put before these messages at the end.
        if in_state(StageState::Failed) {
            return Err(Stop::new(RunErrorKind::ChangeFailed, ""));
        }
        if in_state(StageState::Blocked) || !plan.removed.is_empty() {
            let line = |issue: &Issue| {
                format!("\n  - {}: change `{}`: {}", issue.source, issue.change, issue.reason)
            };
            return Err(Stop::new(RunErrorKind::Issue, plan.removed.iter().map(line).collect::<String>()));
        }
        Ok(if in_state(StageState::Completed) { RunStatus::Success } else { RunStatus::NoChanges })
    }

    async fn check(&mut self) -> Result<RunStatus, Stop> {
        let latest = match self.read_head().await? {
            Some(head) if self.is_complete(&head) => return Ok(self.up_to_date(&head)),
            Some(_) => self.read_latest().await?,
            None => Latest::new(),
        };
        let plan = plan(&self.app.pipeline, &latest, &Default::default(), &self.app.settings.policies);
        self.drifted(&plan)?;
        if plan.is_up_to_date() {
            self.stages = self.all_applied();
            return Ok(RunStatus::NoChanges);
        }
        let pending: Vec<&str> = plan.pending().collect();
        let issues: Vec<&str> = plan.issues().map(|issue| issue.change.as_str()).collect();
        let mut message = format!("{} change(s) are pending: {}", pending.len(), pending.join(", "));
        if !issues.is_empty() {
            message = format!("{message}; {} are uncertain: {}", issues.len(), issues.join(", "));
        }
        Err(Stop::new(RunErrorKind::Pending, format!("{message}. Mode `check` applies nothing")))
    }

    async fn wait(&mut self, timeout: Duration) -> Result<RunStatus, Stop> {
        let head = match self.read_head().await? {
            Some(head) if self.is_complete(&head) => head,
            first => self.await_others(first, timeout).await?,
        };
        Ok(self.up_to_date(&head))
    }

    // ---- reads ----

    /// One read of the head.
    pub(super) async fn read_head(&self) -> Result<Option<Head>, Stop> {
        let limit = self.app.settings.operation_timeout;
        let read = || self.app.store.head(&self.app.settings.history);
        retrying(limit, "head", read).await.map_err(|error| self.store_stop(error))
    }

    pub(super) async fn read_latest(&self) -> Result<Latest, Stop> {
        let entries = self.app.store.latest(&self.app.settings.history).await;
        let entries = entries.map_err(|error| self.store_stop(error))?;
        Ok(entries.into_iter().map(|entry| (entry.change.clone(), entry)).collect())
    }

    pub(super) fn is_complete(&self, head: &Head) -> bool {
        !self.undoing && head.digests.contains(&self.app.pipeline.digest)
    }

    // ---- office and fences ----

    /// Takes office, and raises the fence of every transactional target before any evidence is read.
    pub(super) async fn take_office(&self, lease: &HeldLease) -> Result<Office, Stop> {
        let mut token = lease.token();
        loop {
            lease.check().await?;
            let office = self.office(token).await?;
            if self.is_complete(&office.head) {
                return Ok(office);
            }
            match self.raise_fences(&office).await? {
                None => return Ok(office),
                Some(newer) if self.app.settings.accept_restored => token = newer,
                Some(newer) => return Err(self.fenced(&office, newer).await?),
            }
        }
    }

    async fn office(&self, token: FencingToken) -> Result<Office, Stop> {
        let settings = &self.app.settings;
        let execution = Execution { id: self.execution.clone(), owner: settings.owner.clone() };
        let take = || self.app.store.take_office(&settings.history, token, &execution);
        let office = retrying(settings.operation_timeout, "take office", take).await;
        office.map_err(|error| self.store_stop(error))
    }

    /// The token of a fence that is newer than ours, if there is one.
    async fn raise_fences(&self, office: &Office) -> Result<Option<FencingToken>, Stop> {
        let fence =
            Fence { history: office.history.clone(), token: office.token, execution: self.execution.clone() };
        for target in self.targets() {
            let Some(markers) = target.markers() else { continue };
            let limit = self.app.settings.operation_timeout;
            match retrying(limit, "raise fence", || markers.raise_fence(&fence)).await {
                Ok(FenceRaised::Raised) => {}
                Ok(FenceRaised::Newer(token)) => return Ok(Some(token)),
                Err(error) => return Err(Stop::target(target, error)),
            }
        }
        Ok(None)
    }

    /// A fence is newer than the office: either another run is at work, or the audit store went back.
    async fn fenced(&self, office: &Office, newer: FencingToken) -> Result<Stop, Stop> {
        let head = self.read_head().await?;
        if head.is_none_or(|head| head.execution != self.execution || head.token != office.token) {
            return Ok(Stop::lease_lost("a newer run took office"));
        }
        Ok(Stop::new(
            RunErrorKind::AuditWentBack,
            format!(
                "the audit store is older than its targets: a target has fence {newer}, the audit store gave {}. \
                 Was it restored from a backup, or is this the wrong one? If it was restored, look at the targets, \
                 then start once with `.accept_restored(true)`: what their markers say is taken over",
                office.token
            ),
        ))
    }

    /// Compares what the targets know with what the audit says.
    async fn survey(&self, latest: &Latest, head: &Head) -> Result<(), Stop> {
        let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in latest.values() {
            // Others have no marker `done`: rulings, baselines, what `#[verify]` settled.
            let marked = entry.operation == Operation::Apply && entry.evidence != Evidence::Verify;
            let applied = entry.state == Some(AuditState::Applied);
            if marked && applied && entry.tx_strategy == TxStrategy::TxWithMarker {
                *expected.entry(entry.target_system.as_str()).or_default() += 1;
            }
        }
        for target in self.targets() {
            let Some(markers) = target.markers() else { continue };
            let expected = expected.get(target.id()).copied().unwrap_or(0);
            let changes = self.app.pipeline.changes().map(|(_, change)| change);
            let ids: Vec<&str> = match head.sequence {
                0 => changes
                    .filter(|change| change.target_system == target.id())
                    .map(|c| c.id.as_str())
                    .collect(),
                _ => Vec::new(),
            };
            if ids.is_empty() && expected == 0 {
                continue;
            }
            let history = &self.app.settings.history;
            let limit = self.app.settings.operation_timeout;
            let survey = retrying(limit, "survey markers", || markers.survey(history, &ids)).await;
            let survey = survey.map_err(|error| Stop::target(target, error))?;
            if !survey.other_services.is_empty() {
                let (services, id) = (survey.other_services.join("`, `"), target.id());
                return Err(Stop::new(
                    RunErrorKind::ServiceRenamed,
                    format!(
                        "the audit of service `{history}` is empty, but target system `{id}` knows these changes \
                         under `{services}`: was the service renamed? Go back to that name, or give the changes new ids"
                    ),
                ));
            }
            if survey.done < expected && !self.app.settings.accept_restored {
                let (id, done) = (target.id(), survey.done);
                return Err(Stop::new(
                    RunErrorKind::TargetWentBack,
                    format!(
                        "target system `{id}` is older than the audit: it has {done} applied change(s), the audit has \
                         {expected}. Was it restored from a backup, or is this the wrong one? Rule on the changes it \
                         lost, then start once with `.accept_restored(true)`"
                    ),
                ));
            }
        }
        Ok(())
    }

    async fn check_targets(&self) -> Result<(), Stop> {
        let limit = self.app.settings.operation_timeout;
        for target in self.targets() {
            let checked = retrying(limit, "check", || target.check()).await;
            checked.map_err(|error| Stop::target(target, error))?;
        }
        Ok(())
    }

    /// The target systems that the pipeline uses.
    fn targets(&self) -> impl Iterator<Item = &'a dyn TargetSystem> {
        let app = self.app;
        let used: std::collections::BTreeSet<&str> =
            app.pipeline.changes().map(|(_, change)| change.target_system.as_str()).collect();
        used.into_iter().filter_map(|id| app.targets.get(id)).map(AsRef::as_ref)
    }

    // ---- for a change ----

    pub(super) fn target(&self, change: &PipelineChange) -> &'a dyn TargetSystem {
        // `build()` has bound every change to a target.
        self.app.targets[&change.target_system].as_ref()
    }

    pub(super) fn limits<'l>(&'l self, change: &PipelineChange, lease: &'l HeldLease) -> Limits<'l> {
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
        let mut own = Resources::new();
        own.insert(token);
        own.insert(self.idempotency_key(change, attempt.epoch));
        own.insert(ChangeContext {
            id: change.id.as_str().into(),
            execution: self.execution.as_str().into(),
            attempt: attempt.number,
            token,
            cancelled: self.app.settings.cancel.clone(),
            progress: Arc::<crate::event::Listeners>::clone(&self.app.listeners),
        });
        Surroundings {
            own: Arc::new(own),
            target: Arc::clone(&self.app.targets[&change.target_system]),
            mode: change.mode,
            shared: Arc::clone(&self.app.resources),
        }
    }

    fn idempotency_key(&self, change: &PipelineChange, epoch: u64) -> IdempotencyKey {
        let history = &self.app.settings.history;
        let mut sha = Sha256::new();
        for part in [&history.service, &history.tenant, &change.id, &epoch.to_string()] {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part.as_bytes());
        }
        let hex: String = sha.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        IdempotencyKey(hex)
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

    fn up_to_date(&mut self, head: &Head) -> RunStatus {
        self.head = Some(AuditHead { sequence: head.sequence, hash: head.hash });
        self.stages = self.all_applied();
        RunStatus::NoChanges
    }

    fn all_applied(&self) -> Vec<StageReport> {
        let stage = |stage| {
            let mut report = StageReport::new(stage);
            report.state = StageState::UpToDate;
            report.changes.already_applied = report.changes.total;
            report
        };
        self.app.pipeline.stages.iter().map(stage).collect()
    }

    fn report(&self, status: RunStatus) -> Report {
        let history = &self.app.settings.history;
        let mut stages = self.stages.clone();
        let reached = stages.len();
        if status == RunStatus::Failed && !self.undoing {
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
            finished_at: Timestamp::now(),
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

    /// An append failed: says what is applied but not recorded.
    pub(super) fn append_stop(&self, journal: &Journal<'_>, error: BackendError) -> Stop {
        let stop = self.store_stop(error);
        match journal.unrecorded().as_slice() {
            [] => stop,
            ids => stop.with(format_args!(
                "Applied but not recorded: {}; the next start finds that out",
                ids.join(", ")
            )),
        }
    }
}
