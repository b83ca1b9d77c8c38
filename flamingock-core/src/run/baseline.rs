use super::acquire::Entry;
use super::context::Run;
use super::journal::{Journal, Line};
use super::lease::HeldLease;
use crate::audit::{AuditEntry, AuditState, Evidence, Operation};
use crate::builder::Flamingock;
use crate::change::TargetState;
use crate::error::{RunError, Stop};
use crate::operate::{Baseline, Resolution, proposed};
use crate::plan::{Verified, is_applied};

/// Entries that are recorded together: not every store takes many thousand.
const AT_ONCE: usize = 1000;

impl Flamingock {
    /// Adopts an existing system: records the changes up to one as applied without running them.
    /// Asks `#[verify]` where a change has one. Returns the entries that were written. They are recorded
    /// a thousand at a time: after an error in between, the next baseline goes on.
    ///
    /// # Errors
    /// `Refused`, and nothing is recorded, when a change among them is neither new nor applied, or its
    /// `#[verify]` does not say that it is applied; and as [`run`](Self::run).
    pub async fn baseline(&self, baseline: &Baseline) -> Result<Vec<AuditEntry>, RunError> {
        let app = self.asked_by(baseline.operator.as_deref(), baseline.reason.as_deref());
        app.operated(async |run| match run.prepare().await? {
            // Not told to whoever must lead.
            Entry::UpToDate(_) => Ok(Vec::new()),
            Entry::Leading(lease) => {
                let ended = run.baseline(&lease, baseline).await;
                lease.release().await;
                ended
            }
        })
        .await
    }
}

impl Run<'_> {
    async fn baseline(&mut self, lease: &HeldLease, baseline: &Baseline) -> Result<Vec<AuditEntry>, Stop> {
        let app = self.app;
        let Some(last) = app.pipeline.changes().position(|(_, change)| change.id == baseline.to) else {
            return Err(Stop::refused(app.pipeline.unknown(&baseline.to)));
        };
        let office = self.take_office(lease).await?;
        let token = office.token;
        let mut journal = Journal::new(app.store.as_ref(), &app.settings, office);
        let latest = self.read_latest().await?;
        let mut refused = Vec::new();
        let mut entries = Vec::new();
        for (stage, change) in app.pipeline.changes().take(last + 1) {
            match latest.get(&change.id) {
                Some(entry) if is_applied(entry) => continue,
                Some(entry) => {
                    let state = entry.state.map_or("", AuditState::as_str);
                    let ruling = proposed::ruling(entry, Resolution::Applied, false);
                    refused.push(format!("`{}` is {state}: if the target has it, rule {ruling}", change.id));
                    continue;
                }
                None => {}
            }
            let verified = match &change.verify {
                None => None,
                Some(verify) => Some(self.verify(Some(lease), change, None, verify, token).await?),
            };
            let evidence = match verified {
                None => Evidence::None,
                Some(Verified::State(TargetState::Applied)) => Evidence::Verify,
                Some(Verified::State(state)) => {
                    refused.push(format!("the #[verify] of `{}` says {state:?}", change.id));
                    continue;
                }
                Some(Verified::Failed(error)) => {
                    refused.push(format!("the #[verify] of `{}` failed: {error}", change.id));
                    continue;
                }
            };
            let line = Line {
                operation: Operation::Baseline,
                state: AuditState::Applied,
                attempt: 1,
                refers_to: None,
                evidence,
                duration: None,
                error: None,
            };
            entries.push(journal.entry(&stage.name, change, self.target(change), line));
        }
        if !refused.is_empty() {
            let message = format!("nothing was recorded: {}", refused.join("; "));
            return Err(Stop::refused(message));
        }
        let mut recorded = Vec::with_capacity(entries.len());
        // What a start called an issue is refused above.
        let verdict = journal.handed_on(&[]);
        for entries in entries.chunks(AT_ONCE) {
            let written = journal.write_all(entries.to_vec(), verdict.clone()).await;
            recorded.extend(written.map_err(|error| self.append_stop(&journal, error))?);
        }
        Ok(recorded)
    }
}
