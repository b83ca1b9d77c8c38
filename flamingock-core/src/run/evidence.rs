use std::collections::HashMap;

use super::context::Run;
use super::lease::HeldLease;
use super::method::{Called, call};
use super::within::{retrying, within};
use crate::audit::AuditEntry;
use crate::change::{Method, TargetState};
use crate::error::Stop;
use crate::lock::FencingToken;
use crate::pipeline::PipelineChange;
use crate::plan::{Attempt, Latest, Observation, Verified, question};
use crate::target::{MarkerState, Mode};

impl Run<'_> {
    /// Asks markers and `#[verify]` about the changes whose outcome is uncertain, and only about those.
    pub(super) async fn gather(
        &self,
        lease: &HeldLease,
        token: FencingToken,
        latest: &Latest,
    ) -> Result<HashMap<String, Observation>, Stop> {
        let mut observations = HashMap::new();
        for (_, change) in self.app.pipeline.changes() {
            let entry = latest.get(&change.id);
            let asked = question(change, entry);
            let (Some(entry), true) = (entry, asked.marker || asked.verify) else { continue };
            let target = self.target(change);
            let mut seen = Observation::default();
            if let (true, Some(markers)) = (asked.marker, target.markers()) {
                let history = &self.app.settings.history;
                let limit = self.app.settings.operation_timeout;
                let look = || markers.marker(history, &change.id);
                let marker = retrying(limit, "read marker", look).await;
                seen.marker = marker.map_err(|error| {
                    Stop::target(target, error).with(format_args!("Change `{}` stays as it is", change.id))
                })?;
            }
            let settled = matches!(
                seen.marker.as_ref().map(|marker| marker.state),
                Some(MarkerState::Done | MarkerState::Undone)
            );
            let open = change.mode == Mode::Plain || seen.marker.is_some() && !settled;
            if let (true, Some(verify)) = (asked.verify && open, &change.verify) {
                seen.verified = Some(self.verify(lease, change, entry, verify, token).await?);
            }
            observations.insert(change.id.clone(), seen);
        }
        Ok(observations)
    }

    async fn verify(
        &self,
        lease: &HeldLease,
        change: &PipelineChange,
        entry: &AuditEntry,
        verify: &Method<TargetState>,
        token: FencingToken,
    ) -> Result<Verified, Stop> {
        let limit = self.app.settings.operation_timeout;
        let target = self.target(change);
        let mut session = match verify.session() {
            None => None,
            Some(_) => match within(limit, "open session", target.open(change.mode)).await {
                Ok(session) => Some(session),
                Err(error) => return Ok(Verified::Failed(error.to_string())),
            },
        };
        let attempt =
            Attempt { number: entry.attempt, epoch: entry.refers_to.unwrap_or(0), ..Attempt::default() };
        let surroundings = self.surroundings(change, &attempt, token);
        let called = call(verify, &mut session, &surroundings, self.limits(change, lease)).await;
        let verified = match called {
            Called::Returned(Ok(state)) => Ok(Verified::State(state)),
            Called::Returned(Err(failure)) => Ok(Verified::Failed(failure.detail.message)),
            Called::Dropped(early) | Called::StillRunning(early) => {
                if let Some(session) = session.take() {
                    // A look has no effect that would have to be waited for.
                    let _ = within(limit, "abort session", session.abort()).await;
                }
                lease.check().await.map(|()| Verified::Failed(early.detail().message))
            }
        };
        if let Some(session) = session {
            let _ = within(limit, "roll back", session.rollback()).await;
        }
        verified
    }
}
