use std::time::Duration;

use tracing::Instrument;

use super::acquire::Entry;
use super::context::Run;
use super::journal::Journal;
use super::lease::HeldLease;
use super::within::retrying;
use crate::audit::{Head, Verdict, VerdictStatus};
use crate::builder::{Flamingock, RunMode};
use crate::error::{RunError, RunErrorKind, Stop};
use crate::event::Event;
use crate::operate::Remote;
use crate::plan::{Issue, Latest, Plan, plan};
use crate::report::{AuditHead, ChangeOutcome, Report, RunStatus, StageState};

impl Flamingock {
    /// Does what the [mode](crate::FlamingockBuilder::mode) says; by default applies what is pending.
    ///
    /// When there is nothing to do it costs one read. When it returns, the lock is free.
    ///
    /// When the `flamingock` command has started this process (`--app`), it does what the command asks
    /// for instead, answers, and ends the process.
    ///
    /// # Errors
    /// When not everything is applied: a change failed or needs an operator, a store or a target
    /// failed, the lease was lost, ... The error carries the report of what was done before.
    pub async fn run(&self) -> Result<Report, RunError> {
        if let Some(remote) = Remote::from_env() {
            remote.serve(self).await;
        }
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
                match stop.kind {
                    RunErrorKind::ChangeFailed | RunErrorKind::Issue => {
                        stop.message = format!("{}{}", report.explanation(), stop.message);
                    }
                    // Of what was rolled back nothing is left: the next start simply goes on.
                    RunErrorKind::Cancelled
                        if report.failing().any(|it| it.outcome != ChangeOutcome::RolledBack) =>
                    {
                        stop.message = format!("the run was cancelled. {}", report.explanation());
                    }
                    _ => {}
                }
                Err(RunError::new(stop, report))
            }
        }
    }
}

impl Run<'_> {
    pub(super) async fn apply(&mut self) -> Result<RunStatus, Stop> {
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
            ready.map_err(|error| self.lock_stop(error))?;
        }
        self.enter().await
    }

    /// With the lock: takes office, looks, plans, and runs the stages.
    async fn lead(&mut self, lease: &HeldLease) -> Result<RunStatus, Stop> {
        let office = self.take_office(lease).await?;
        if self.is_complete(&office.head) {
            return Ok(self.up_to_date(&office.head.clone()));
        }
        self.as_planned(&office.head)?;
        let mut journal = Journal::new(self.app.store.as_ref(), &self.app.settings, office);
        let latest = self.read_latest().await?;
        self.survey(&latest, journal.taken_head()).await?;
        let observations = self.gather(Some(lease), journal.token(), &latest).await?;
        let plan = plan(&self.app.pipeline, &latest, &observations, &self.app.settings.policies);
        self.drifted(&plan)?;

        let mut stopped = Ok(());
        for (stage, plan) in &self.narrowed(&plan) {
            let span = tracing::info_span!("flamingock.stage", stage = stage.name);
            stopped = self.stage(&mut journal, lease, (stage, plan), &latest).instrument(span).await;
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
            // What was left out may be pending.
            Ok(_) if self.only.narrows() => (Vec::new(), None),
            Ok(_) => {
                let mut digests = vec![Head::complete(digest, &self.held())];
                if journal.sequence() == journal.taken_head().sequence {
                    let others = journal.taken_head().digests.iter();
                    digests.extend(others.filter(|other| !other.starts_with(digest)).cloned());
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
                let verdict = status.map(|status| {
                    let message = self.report(RunStatus::Failed).summary();
                    let (execution, digest) = (self.execution.clone(), digest.clone());
                    let mut verdict = Verdict { execution, digest, status, message };
                    // The report has a line for those only whose stage was run.
                    plan.issues().for_each(|issue| verdict.name(&issue.change));
                    verdict
                });
                (Vec::new(), verdict)
            }
        };
        debug_assert!(
            digests.is_empty() || plan.issues().next().is_none(),
            "only a complete run adds its digest"
        );
        let closed = journal.close(digests, verdict).await;
        self.head = Some(AuditHead { sequence: journal.sequence(), hash: journal.hash() });
        match (closed, ended) {
            (Ok(()), ended) => ended,
            (Err(error), Ok(_)) => Err(self.append_stop(journal, error)),
            // What the run itself ended with is not lost with it.
            (Err(error), Err(stop)) => {
                let unrecorded = self.append_stop(journal, error).message;
                Err(stop.with(format_args!("How the run ended could not be recorded: {unrecorded}")))
            }
        }
    }

    /// How many changes of each stage are held, after a run of all of them.
    fn held(&self) -> Vec<usize> {
        self.stages.iter().map(|stage| stage.changes.held).collect()
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
                let (id, target) = (issue.change.escape_debug(), &issue.entry.target_system);
                let (reason, remedy) = (&issue.reason, issue.remedy());
                format!("\n  - {}: change `{id}` on `{target}`: ISSUE; {reason}; {remedy}", issue.source)
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
            self.stages = self.all_applied(&plan.held());
            return Ok(RunStatus::NoChanges);
        }
        let pending: Vec<&str> = plan.pending().collect();
        let issues: Vec<&str> = plan.issues().map(|issue| issue.change.as_str()).collect();
        let mut found = Vec::new();
        for (what, changes) in [("pending", pending), ("uncertain", issues)] {
            if !changes.is_empty() {
                found.push(format!("{} change(s) are {what}: {}", changes.len(), changes.join(", ")));
            }
        }
        let message = format!("{}. Mode `check` applies nothing", found.join("; "));
        Err(Stop::new(RunErrorKind::Pending, message))
    }

    async fn wait(&mut self, timeout: Duration) -> Result<RunStatus, Stop> {
        let head = match self.read_head().await? {
            Some(head) if self.is_complete(&head) || self.has_all().await? => head,
            first => self.await_others(first, timeout).await?,
        };
        Ok(self.up_to_date(&head))
    }

    /// Whether the audit says that everything is applied although the head does not name this
    /// pipeline: a newer release has appended since. Its older pods are not to wait for a run of their own.
    pub(super) async fn has_all(&mut self) -> Result<bool, Stop> {
        let latest = self.read_latest().await?;
        let plan = plan(&self.app.pipeline, &latest, &Default::default(), &self.app.settings.policies);
        if plan.is_up_to_date() {
            self.stages = self.all_applied(&plan.held());
            self.drifted(&plan)?;
        }
        Ok(plan.is_up_to_date())
    }
}
