use super::context::Run;
use super::evidence::leaves_open;
use super::within::retrying;
use crate::BackendErrorKind;
use crate::audit::{AuditEntry, ChainHash, EntryFilter};
use crate::builder::Flamingock;
use crate::error::{RunError, Stop};
use crate::operate::{
    ChainCheck, ChainFinding, ChainReport, Examination, MarkerSeen, Preview, SavedPlan, Standing, Status,
    TargetCheck, UndoSelection, Validation, Verdict, decision_for_people, standing,
};
use crate::plan::{Latest, Observation, decide, is_applied, plan, question};
use crate::target::Mode;

impl Flamingock {
    /// What a run would do now. Reads the audit, and asks markers and `#[verify]` about uncertain
    /// changes; takes neither lock nor office and changes nothing.
    ///
    /// # Errors
    /// When the audit store or a target that has to be asked is not reached.
    pub async fn plan(&self) -> Result<Preview, RunError> {
        self.operated(async |run| run.preview().await).await
    }

    /// Whether a start could work: reaches every target and the audit store, and compares checksums.
    /// Changes nothing. The wiring was checked by `build()`.
    ///
    /// # Errors
    /// When the audit cannot be read. What is wrong with it otherwise is in the answer.
    pub async fn validate(&self) -> Result<Validation, RunError> {
        self.operated(async |run| run.validate().await).await
    }

    /// What the target's marker and `#[verify]` say about one change, and what the next start would do.
    ///
    /// # Errors
    /// `Refused` for a change that the application does not have; when a store or target is not reached.
    pub async fn examine(&self, id: &str) -> Result<Examination, RunError> {
        self.operated(async |run| run.examine(id).await).await
    }

    /// The newest entries of the changes that a selection means, the one applied last first: what
    /// [`undo_with`](Self::undo_with) would undo, or hold.
    ///
    /// # Errors
    /// `Refused` when it means none, or names what is not there.
    pub async fn undoable(&self, selection: &UndoSelection, hold: bool) -> Result<Vec<AuditEntry>, RunError> {
        self.operated(async |run| run.selected(selection, hold).await).await
    }
}

impl Run<'_> {
    pub(crate) async fn status(&mut self) -> Result<Status, Stop> {
        let Some(head) = self.read_head().await? else {
            return Ok(Status { head: None, holder: None, changes: Vec::new() });
        };
        // The lock first: a run that ends in between has recorded before it let go.
        let holder = self.holder().await?;
        let mut entries: Vec<AuditEntry> = self.read_latest().await?.into_values().collect();
        entries.sort_unstable_by_key(|entry| entry.sequence);
        let verdict = head.verdict.as_ref();
        let needs_operator =
            |entry: &AuditEntry| verdict.is_some_and(|verdict| verdict.needs_operator_for(&entry.change));
        let changes = entries.into_iter().map(|entry| {
            let stands = match standing(&entry, holder.as_ref()) {
                stands @ (Standing::Applied | Standing::Held | Standing::Running) => stands,
                // A ruling on it takes its name out of the verdict.
                _ if needs_operator(&entry) => Standing::Issue,
                stands => stands,
            };
            (entry, stands)
        });
        let changes = changes.collect();
        Ok(Status { head: Some(head), changes, holder })
    }

    /// The newest entries; none before the first run.
    async fn known(&self) -> Result<(u64, crate::lock::FencingToken, Latest), Stop> {
        match self.read_head().await? {
            Some(head) => Ok((head.sequence, head.token, self.read_latest().await?)),
            None => Ok((0, crate::lock::FencingToken(0), Latest::new())),
        }
    }

    async fn preview(&mut self) -> Result<Preview, Stop> {
        let (sequence, token, latest) = self.known().await?;
        let observations = self.gather(None, token, &latest).await?;
        let app = self.app;
        let plan = plan(&app.pipeline, &latest, &observations, &app.settings.policies);
        let history = &app.settings.history;
        Ok(Preview {
            service: history.service.clone(),
            tenant: history.tenant.clone(),
            made_from: SavedPlan { sequence, digest: app.pipeline.digest.clone() },
            up_to_date: plan.is_up_to_date(),
            stages: Preview::stages_of(&app.pipeline, &plan),
            removed: plan
                .removed
                .iter()
                .map(|issue| (issue.change.clone(), issue.reason.to_string()))
                .collect(),
            drifts: plan.drifts,
        })
    }

    async fn validate(&mut self) -> Result<Validation, Stop> {
        let limit = self.app.settings.operation_timeout;
        let mut targets = Vec::new();
        for target in self.targets() {
            let checked = retrying(limit, "check", || target.check()).await;
            targets.push(TargetCheck {
                id: target.id().to_owned(),
                kind: target.kind().to_owned(),
                address: target.address(),
                problem: checked.err().map(|error| Stop::target(target, error).message),
            });
        }
        let known = self.known().await;
        let (latest, audit_store) = match known {
            Ok((_, _, latest)) => (latest, None),
            Err(stop) => (Latest::new(), Some(stop.message)),
        };
        let plan = plan(&self.app.pipeline, &latest, &Default::default(), &self.app.settings.policies);
        Ok(Validation { changes: self.app.pipeline.len(), targets, audit_store, drifts: plan.drifts })
    }

    async fn examine(&mut self, id: &str) -> Result<Examination, Stop> {
        let Some((_, change)) = self.app.pipeline.changes().find(|(_, change)| change.id == id) else {
            return Err(Stop::refused(self.app.pipeline.unknown(id)));
        };
        let (_, token, mut latest) = self.known().await?;
        let entry = latest.remove(id);
        let marker = self.marker_of(change).await?;
        let transactional = change.mode == Mode::Transactional;
        let verified = match &change.verify {
            None => None,
            Some(verify) => Some(self.verify(None, change, entry.as_ref(), verify, token).await?),
        };
        let verify = verified.as_ref().map(Verdict::from);
        // People are told what it says in any case. A run asks it only about what is open.
        let open = question(change, entry.as_ref()).verify && leaves_open(change, marker.as_ref());
        let verified = verified.filter(|_| open);
        let seen = Observation { marker: marker.clone(), verified, ..Observation::default() };
        let (next, reason, _) = decision_for_people(&decide(change, entry.as_ref(), &seen));
        let marker = marker.map(|marker| MarkerSeen {
            state: marker.state,
            execution: marker.execution,
            sequence: marker.sequence,
        });
        let change = id.to_owned();
        Ok(Examination { change, entry, transactional, marker, verify, next, reason })
    }

    async fn selected(&mut self, selection: &UndoSelection, hold: bool) -> Result<Vec<AuditEntry>, Stop> {
        let (_, _, mut latest) = self.known().await?;
        let tagged = match selection {
            UndoSelection::Tag(name) => self.tagged(name).await?,
            _ => None,
        };
        let mut applied = Vec::new();
        for entry in latest.values().filter(|entry| is_applied(entry)) {
            applied.push(self.applied_by(entry).await?);
        }
        let refused = |message: String| Stop::refused(format!("nothing was undone: {message}"));
        let ids = selection.changes(applied, tagged).map_err(refused)?;
        if ids.is_empty() {
            return Err(refused("no applied change is among those".to_owned()));
        }
        let known: Vec<&str> = ids.iter().map(String::as_str).collect();
        // The same that stands against it when it is done.
        let chosen = self.undoable(&known, hold, &latest).await?;
        Ok(chosen.into_iter().filter_map(|chosen| latest.remove(chosen.id())).collect())
    }

    /// Reads the whole audit, page by page.
    pub(crate) async fn verify_audit(
        &mut self,
        expect: Option<(u64, ChainHash)>,
    ) -> Result<ChainReport, Stop> {
        let head = self.read_head().await?;
        let mut check = ChainCheck::new(head.as_ref(), expect);
        let mut filter = EntryFilter::default();
        let found = loop {
            filter.after = check.sequence();
            match self.entries(&filter).await {
                Ok(page) if page.is_empty() => break Ok(()),
                Ok(page) => {
                    if let Err(found) = check.page(&page) {
                        break Err(found);
                    }
                }
                Err(stop) if is_corrupt(&stop) && filter.limit == 1 => {
                    break Err(ChainFinding { sequence: check.sequence() + 1, message: stop.message });
                }
                // One by one, to find which.
                Err(stop) if is_corrupt(&stop) => filter.limit = 1,
                Err(stop) => return Err(stop),
            }
        };
        Ok(check.finish(found))
    }
}

fn is_corrupt(stop: &Stop) -> bool {
    stop.source.as_ref().is_some_and(|error| error.kind() == BackendErrorKind::Corrupt)
}
