use std::collections::{BTreeMap, BTreeSet};

use super::context::Run;
use super::lease::HeldLease;
use super::within::retrying;
use crate::audit::{AuditState, Evidence, Execution, Head, Office, Operation, TxStrategy};
use crate::error::{RunErrorKind, Stop};
use crate::lock::FencingToken;
use crate::plan::Latest;
use crate::target::{Fence, FenceRaised, TargetSystem};
use crate::{BackendError, BackendErrorKind};

/// Whether the office is still that of its run.
pub(super) fn stands(office: &Office, head: &Head) -> bool {
    head.token == office.token && head.execution == office.execution.id
}

/// Whether waiting may help a run in office. Its store could be written to when it was taken: one that
/// hands over to another primary is read-only for a moment.
pub(super) fn may_pass(error: &BackendError) -> bool {
    error.is_temporary() || error.kind() == BackendErrorKind::ReadOnly
}

impl<'a> Run<'a> {
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

    pub(super) async fn office(&self, token: FencingToken) -> Result<Office, Stop> {
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
        if !head.is_some_and(|head| stands(office, &head)) {
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
    pub(super) async fn survey(&self, latest: &Latest, head: &Head) -> Result<(), Stop> {
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

    pub(super) async fn check_targets(&self) -> Result<(), Stop> {
        let limit = self.app.settings.operation_timeout;
        for target in self.targets() {
            let checked = retrying(limit, "check", || target.check()).await;
            checked.map_err(|error| Stop::target(target, error))?;
        }
        Ok(())
    }

    /// The target systems that the pipeline uses.
    pub(super) fn targets(&self) -> impl Iterator<Item = &'a dyn TargetSystem> {
        let app = self.app;
        let used: BTreeSet<&str> =
            app.pipeline.changes().map(|(_, change)| change.target_system.as_str()).collect();
        used.into_iter().filter_map(|id| app.targets.get(id)).map(AsRef::as_ref)
    }
}
