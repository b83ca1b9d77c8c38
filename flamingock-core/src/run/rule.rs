use std::sync::Arc;
use std::time::Duration;

use super::acquire::Entry;
use super::context::Run;
use super::journal::{Journal, Remark};
use super::lease::HeldLease;
use super::permit::{permitted, said};
use super::within::retrying;
use crate::audit::{AuditEntry, AuditState, EntryFilter, Evidence, Office, Operation};
use crate::builder::Flamingock;
use crate::error::{RunError, Stop};
use crate::lock::Holder;
use crate::operate::{Ruled, Ruling, Standing, did_you_mean, standing};
use crate::pipeline::PipelineChange;
use crate::plan::{Latest, Question, stays};
use crate::report::RunStatus;
use crate::target::Mode;

impl Flamingock {
    /// Rules about a change as [`Operator::rule`](crate::operate::Operator::rule) does, and asks the
    /// change's target first: its marker, and `#[verify]`. A ruling that it contradicts needs
    /// [`against_target`](Ruling::against_target).
    ///
    /// # Errors
    /// As `Operator::rule`; and when a target cannot be asked.
    pub async fn rule(&self, ruling: &Ruling, lock_wait: Duration) -> Result<Ruled, RunError> {
        let mut app = self.clone();
        app.settings.lock_wait = lock_wait;
        app.operated(async |run| {
            run.check_targets().await?;
            run.rule(ruling).await
        })
        .await
    }

    /// Around everything that an operator does: no events, no report.
    pub(crate) async fn operated<T>(
        &self,
        work: impl AsyncFnOnce(&mut Run<'_>) -> Result<T, Stop>,
    ) -> Result<T, RunError> {
        let mut run = Run::new(self);
        run.must_lead = true;
        work(&mut run).await.map_err(|stop| RunError::new(stop, run.report(RunStatus::Failed)))
    }
}

impl Run<'_> {
    /// Records an operator's ruling.
    pub(crate) async fn rule(&mut self, ruling: &Ruling) -> Result<Ruled, Stop> {
        self.must_be_known().await?;
        required("reason", &ruling.reason)?;
        // Looked at first, so that nobody waits for the lock to hear of a typing error. What the target
        // says is asked in office: until then a run may be at it.
        let holder = self.holder().await?;
        let latest = self.read_latest().await?;
        let entry = latest.get(&ruling.change).ok_or_else(|| unknown(&ruling.change, &latest))?;
        let seen = ruling.seen.unwrap_or(entry.sequence);
        unchanged(entry, seen)?;
        if self.change_of(entry).is_none() {
            permitted(ruling, entry, holder.as_ref(), None)?;
        }
        let lease = self.lock().await?;
        let ruled = self.rule_in_office(&lease, ruling, seen).await;
        lease.release().await;
        ruled
    }

    /// `looked_at`: the entry that was the change's latest when the operator ruled.
    async fn rule_in_office(
        &mut self,
        lease: &HeldLease,
        ruling: &Ruling,
        looked_at: u64,
    ) -> Result<Ruled, Stop> {
        let mut journal = self.journal(lease).await?;
        let mut latest = self.read_latest().await?;
        let Some(before) = latest.remove(&ruling.change) else {
            return Err(unknown(&ruling.change, &latest));
        };
        unchanged(&before, looked_at)?;
        let said = match self.change_of(&before) {
            None => None,
            Some(change) => {
                let asked =
                    Question { marker: change.mode == Mode::Transactional, verify: change.verify.is_some() };
                let seen = self.observe(Some(lease), change, &before, asked, journal.token()).await?;
                Some(said(&before, &seen))
            }
        };
        let evidence = permitted(ruling, &before, None, said)?;
        let remark = Remark {
            operation: Operation::Ruling,
            state: Some(ruling.resolution.state()),
            evidence,
            operator: &ruling.operator,
            reason: &ruling.reason,
        };
        let entry = self.write(&mut journal, Some(&before), remark, None).await?;
        Ok(Ruled { before, entry })
    }

    /// The change of an entry whose target can be asked: an operator without the application has none.
    fn change_of(&self, entry: &AuditEntry) -> Option<&PipelineChange> {
        let known = self.app.pipeline.changes().map(|(_, change)| change);
        known.into_iter().find(|change| change.id == entry.change && stays(change, entry))
    }

    /// Lets held changes run again.
    pub(crate) async fn let_run(
        &mut self,
        changes: &[String],
        operator: &str,
        reason: &str,
    ) -> Result<Vec<AuditEntry>, Stop> {
        self.must_be_known().await?;
        all_held(changes, &self.read_latest().await?)?;
        let lease = self.lock().await?;
        let released = self.let_run_in_office(&lease, changes, operator, reason).await;
        lease.release().await;
        released
    }

    async fn let_run_in_office(
        &mut self,
        lease: &HeldLease,
        changes: &[String],
        operator: &str,
        reason: &str,
    ) -> Result<Vec<AuditEntry>, Stop> {
        let mut journal = self.journal(lease).await?;
        let latest = self.read_latest().await?;
        let (operation, state) = (Operation::Release, Some(AuditState::RolledBack));
        let remark = Remark { operation, state, evidence: Evidence::None, operator, reason };
        let held = all_held(changes, &latest)?;
        let released: Vec<&str> = held.iter().map(|entry| entry.change.as_str()).collect();
        let verdict = journal.handed_on(&released);
        let entries = held.into_iter().map(|entry| journal.remark(Some(entry), remark, None)).collect();
        journal.write_all(entries, verdict).await.map_err(|error| self.append_stop(&journal, error))
    }

    /// Names this point of the history.
    pub(crate) async fn tag(&mut self, name: &str, operator: &str) -> Result<AuditEntry, Stop> {
        self.must_be_known().await?;
        if let Some(bad) = crate::pipeline::bad_name("tag", name) {
            return Err(Stop::refused(bad));
        }
        let lease = self.lock().await?;
        let tagged = self.tag_in_office(&lease, name, operator).await;
        lease.release().await;
        tagged
    }

    async fn tag_in_office(
        &mut self,
        lease: &HeldLease,
        name: &str,
        operator: &str,
    ) -> Result<AuditEntry, Stop> {
        let mut journal = self.journal(lease).await?;
        if let Some(sequence) = self.tagged(name).await? {
            return Err(Stop::refused(format!(
                "the tag `{}` is taken, by entry {sequence}",
                name.escape_debug()
            )));
        }
        let remark = Remark::plain(Operation::Tag, operator, "");
        self.write(&mut journal, None, remark, Some(name)).await
    }

    /// The sequence of a tag.
    pub(crate) async fn tagged(&self, name: &str) -> Result<Option<u64>, Stop> {
        let mut filter = EntryFilter { change: Some(String::new()), ..EntryFilter::default() };
        loop {
            let page = self.entries(&filter).await?;
            let Some(last) = page.last() else { return Ok(None) };
            filter.after = last.sequence;
            let mut tags = page.iter().filter(|entry| entry.operation == Operation::Tag);
            if let Some(entry) = tags.find(|entry| entry.description.as_deref() == Some(name)) {
                return Ok(Some(entry.sequence));
            }
        }
    }

    /// Takes the lock from whoever holds it.
    pub(crate) async fn unlock(
        &mut self,
        reason: &str,
        operator: &str,
    ) -> Result<Option<(Holder, AuditEntry)>, Stop> {
        self.must_be_known().await?;
        required("reason", reason)?;
        let Some(held) = self.holder().await? else { return Ok(None) };
        // Recorded while the lock is still held: once it is free, whoever waits for it is quicker. With a lock
        // that lives elsewhere, taking office is also what puts its holder out of it.
        let mut journal = self.journal_of(self.office(held.token).await?);
        let Holder { owner, execution, since, .. } = &held;
        let what = format!("broke the lock of {owner}, held since {since} (run {execution})");
        let remark = Remark::plain(Operation::Unlock, operator, reason);
        let entry = self.write(&mut journal, None, remark, Some(&what)).await?;
        // Out of office, its holder may have let go of it: then it is another's by now.
        if self.holder().await?.is_some_and(|now| now.execution == held.execution) {
            let (limit, history) = (self.app.settings.operation_timeout, &self.app.settings.history);
            let broken = retrying(limit, "break lock", || self.app.lock.break_lock(history)).await;
            broken.map_err(|error| {
                let (stop, sequence) = (self.lock_stop(error), entry.sequence);
                stop.with(format_args!(
                    "{owner} is out of office (entry {sequence}), but has the lock: try again"
                ))
            })?;
        }
        Ok(Some((held, entry)))
    }

    // ---- what they share ----

    /// An operator creates no history by a typing error.
    async fn must_be_known(&self) -> Result<(), Stop> {
        if self.read_head().await?.is_some() {
            return Ok(());
        }
        let (history, address) = (&self.app.settings.history, self.app.store.address());
        Err(Stop::refused(format!("there is no history `{history}` in {address}: check service and tenant")))
    }

    async fn lock(&self) -> Result<HeldLease, Stop> {
        match self.enter().await? {
            Entry::Leading(lease) => Ok(lease),
            // Not told to whoever must lead.
            Entry::UpToDate(_) => Err(Stop::cancelled()),
        }
    }

    async fn journal(&self, lease: &HeldLease) -> Result<Journal<'_>, Stop> {
        Ok(self.journal_of(self.take_office(lease).await?))
    }

    fn journal_of(&self, office: Office) -> Journal<'_> {
        Journal::new(self.app.store.as_ref(), &self.app.settings, office)
    }

    /// One entry, durable. What is about no change leaves complete pipelines complete.
    async fn write(
        &self,
        journal: &mut Journal<'_>,
        about: Option<&AuditEntry>,
        remark: Remark<'_>,
        description: Option<&str>,
    ) -> Result<AuditEntry, Stop> {
        let digests = if about.is_none() { journal.taken_head().digests.clone() } else { Vec::new() };
        let settled: Vec<&str> = about.iter().map(|entry| entry.change.as_str()).collect();
        let verdict = journal.handed_on(&settled);
        let entry = journal.remark(about, remark, description);
        let written = journal.write_alone(entry, digests, verdict).await;
        written.map_err(|error| self.append_stop(journal, error))
    }

    pub(crate) async fn holder(&self) -> Result<Option<Holder>, Stop> {
        if self.read_head().await?.is_none() {
            return Ok(None);
        }
        let (limit, history) = (self.app.settings.operation_timeout, &self.app.settings.history);
        let lock = Arc::clone(&self.app.lock);
        let holder = retrying(limit, "inspect lock", || lock.inspect(history)).await;
        holder.map_err(|error| self.lock_stop(error))
    }

    pub(crate) async fn entries(&self, filter: &EntryFilter) -> Result<Vec<AuditEntry>, Stop> {
        let (limit, history) = (self.app.settings.operation_timeout, &self.app.settings.history);
        let entries = retrying(limit, "read entries", || self.app.store.entries(history, filter)).await;
        entries.map_err(|error| self.store_stop(error))
    }
}

/// What the operator knows of the target is from when this was the change's newest entry.
fn unchanged(newest: &AuditEntry, seen: u64) -> Result<(), Stop> {
    if newest.sequence == seen {
        return Ok(());
    }
    Err(Stop::refused(format!(
        "since you looked, or while the lock was waited for, another run recorded {} for `{}` (entry {}): look at \
         the target again, then rule",
        newest.state.map_or("something", AuditState::as_str),
        newest.change.escape_debug(),
        newest.sequence,
    )))
}

fn unknown(id: &str, latest: &Latest) -> Stop {
    let near = did_you_mean(id, latest.keys().map(String::as_str));
    Stop::refused(format!("the audit knows no change `{}`{near}", id.escape_debug()))
}

/// The newest entries of these changes, each of which holds it.
fn all_held<'l>(changes: &[String], latest: &'l Latest) -> Result<Vec<&'l AuditEntry>, Stop> {
    let mut entries: Vec<&AuditEntry> = Vec::new();
    for id in changes {
        let entry = latest.get(id).ok_or_else(|| unknown(id, latest))?;
        if standing(entry, None) != Standing::Held {
            let state = entry.state.map_or("IMPORTED", AuditState::as_str);
            let (id, sequence) = (id.escape_debug(), entry.sequence);
            return Err(Stop::refused(format!(
                "nothing was released: change `{id}` is not held, it is {state} ({}, entry {sequence})",
                entry.operation
            )));
        }
        if entries.iter().all(|known| known.change != *id) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn required(what: &str, text: &str) -> Result<(), Stop> {
    if text.trim().is_empty() {
        Err(Stop::refused(format!("a {what} is required, for those who read the audit later")))
    } else {
        Ok(())
    }
}
