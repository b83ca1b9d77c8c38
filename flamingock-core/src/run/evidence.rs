use std::collections::HashMap;

use super::context::Run;
use super::lease::HeldLease;
use super::method::{Called, Early, call};
use super::within::{retrying, within};
use crate::audit::AuditEntry;
use crate::change::{Method, RecoveryStrategy, TargetState};
use crate::error::Stop;
use crate::lock::FencingToken;
use crate::pipeline::PipelineChange;
use crate::plan::{Attempt, Latest, Observation, Question, Verified, is_uncertain, question};
use crate::target::{Marker, Mode};

impl Run<'_> {
    /// Asks markers and `#[verify]` about the changes whose outcome is uncertain, and only about those.
    pub(super) async fn gather(
        &self,
        lease: Option<&HeldLease>,
        token: FencingToken,
        latest: &Latest,
    ) -> Result<HashMap<String, Observation>, Stop> {
        let mut observations = HashMap::new();
        for (_, change) in self.app.pipeline.changes() {
            let entry = latest.get(&change.id);
            let asked = question(change, entry);
            let (Some(entry), true) = (entry, asked.marker || asked.verify) else { continue };
            let seen = self.observe(lease, change, entry, asked, token).await?;
            observations.insert(change.id.clone(), seen);
        }
        Ok(observations)
    }

    /// Asks about one change, whose newest entry this is.
    pub(super) async fn observe(
        &self,
        lease: Option<&HeldLease>,
        change: &PipelineChange,
        entry: &AuditEntry,
        asked: Question,
        token: FencingToken,
    ) -> Result<Observation, Stop> {
        let mut seen = Observation::default();
        if asked.marker {
            seen.marker = self.marker_of(change).await?;
        }
        // Nothing is concluded about what may still run, and nothing done over it: also not after a ruling, before
        // which it was begun. Who merely looks ends nothing.
        let goes_on =
            asked.verify || change.recovery == RecoveryStrategy::AlwaysRetry || !is_uncertain(entry);
        if let (Some(lease), true) = (lease, goes_on) {
            lease.check().await?;
            let marker = seen.marker.as_ref().filter(|marker| marker.token < token);
            seen.unended = self.end_session(change, marker).await;
        }
        let open = leaves_open(change, seen.marker.as_ref()) && seen.unended.is_none();
        if let (true, Some(verify)) = (asked.verify && open, &change.verify) {
            seen.verified = Some(self.verify(lease, change, Some(entry), verify, token).await?);
        }
        Ok(seen)
    }

    /// The target's marker of a change, where it keeps any.
    pub(super) async fn marker_of(&self, change: &PipelineChange) -> Result<Option<Marker>, Stop> {
        let target = self.target(change);
        let Some(markers) = target.markers().filter(|_| change.mode == Mode::Transactional) else {
            return Ok(None);
        };
        let (history, limit) = (&self.app.settings.history, self.app.settings.operation_timeout);
        let marker = retrying(limit, "read marker", || markers.marker(history, &change.id)).await;
        marker.map_err(|error| {
            Stop::target(target, error).with(format_args!("Change `{}` stays as it is", change.id))
        })
    }

    /// Ends the session that a half marker names. Returns why it could not.
    async fn end_session(&self, change: &PipelineChange, marker: Option<&Marker>) -> Option<String> {
        let half = marker.filter(|marker| marker.state.is_half())?;
        let (session, markers) = (half.session.as_ref()?, self.target(change).markers()?);
        tracing::info!(change.id, session, "ending what an earlier attempt may still run");
        let limit = self.app.settings.operation_timeout;
        let ended = retrying(limit, "end session", || markers.end_session(session)).await;
        ended.err().map(|error| error.to_string())
    }

    /// Asks `#[verify]` what became of the attempt of an entry, or of none.
    pub(super) async fn verify(
        &self,
        lease: Option<&HeldLease>,
        change: &PipelineChange,
        entry: Option<&AuditEntry>,
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
        let attempt = Attempt {
            number: entry.map_or(1, |entry| entry.attempt),
            epoch: entry.and_then(|entry| entry.refers_to).unwrap_or(0),
            ..Attempt::default()
        };
        let surroundings = self.surroundings(change, &attempt, token);
        let called = call(verify, &mut session, &surroundings, self.limits(change, lease)).await;
        let verified: Result<_, Stop> = match called {
            Called::Returned(Ok(state)) => Ok(Verified::State(state)),
            // It heeds the cancellation, or had not begun.
            Called::Returned(Err(_)) if lease.is_some() && self.app.settings.cancel.is_cancelled() => {
                Err(Stop::cancelled())
            }
            Called::Returned(Err(failure)) => Ok(Verified::Failed(failure.detail.message)),
            Called::Dropped(early) | Called::StillRunning(early) => {
                if let Some(session) = session.take() {
                    // A look has no effect that would have to be waited for.
                    let _ = within(limit, "abort session", session.abort()).await;
                }
                if let Some(lease) = lease {
                    lease.check().await?;
                    if early == Early::Cancelled {
                        return Err(Stop::cancelled());
                    }
                }
                Ok(Verified::Failed(early.detail().message))
            }
        };
        if let Some(session) = session {
            let _ = within(limit, "roll back", session.rollback()).await;
        }
        verified
    }
}

/// Whether the marker leaves it to `#[verify]` what became of a change that is uncertain.
pub(super) fn leaves_open(change: &PipelineChange, marker: Option<&Marker>) -> bool {
    change.mode == Mode::Plain || marker.is_some_and(|marker| marker.state.is_half())
}
