use std::sync::Arc;

use super::acquire::Entry;
use super::context::Run;
use super::journal::{Journal, Remark};
use super::lease::HeldLease;
use super::within::retrying;
use crate::audit::{AuditEntry, AuditState, EntryFilter, Evidence, Operation};
use crate::builder::Flamingock;
use crate::error::{RunError, RunErrorKind, Stop};
use crate::lock::Holder;
use crate::operate::{Resolution, Ruled, Ruling, Standing, standing};
use crate::report::RunStatus;

impl Flamingock {
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
        // Looked at first, so that nobody waits for the lock to hear of a typing error.
        let holder = self.holder().await?;
        let latest = self.read_latest().await?;
        permitted(ruling, latest.get(&ruling.change), holder.as_ref())?;
        let lease = self.lock().await?;
        let ruled = self.rule_in_office(&lease, ruling).await;
        lease.release().await;
        ruled
    }

    async fn rule_in_office(&mut self, lease: &HeldLease, ruling: &Ruling) -> Result<Ruled, Stop> {
        let mut journal = self.journal(lease).await?;
        let mut latest = self.read_latest().await?;
        permitted(ruling, latest.get(&ruling.change), None)?;
        let Some(before) = latest.remove(&ruling.change) else { return Err(unknown(&ruling.change)) };
        // Said twice, and the second time by force: it outranks the target's own marker.
        let again = before.state == Some(AuditState::ManualMarkedAsRolledBack)
            && ruling.resolution == Resolution::RolledBack;
        let evidence = if again { Evidence::Overruled } else { Evidence::None };
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

    /// Names this point of the history.
    pub(crate) async fn tag(&mut self, name: &str, operator: &str) -> Result<AuditEntry, Stop> {
        self.must_be_known().await?;
        if let Some(bad) = crate::pipeline::bad_name("tag", name) {
            return Err(refused(bad));
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
            return Err(refused(format!("the tag `{}` is taken, by entry {sequence}", name.escape_debug())));
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
        let limit = self.app.settings.operation_timeout;
        let held = self.holder().await?;
        if held.is_none() {
            return Ok(None);
        }
        let history = &self.app.settings.history;
        let broken = retrying(limit, "break lock", || self.app.lock.break_lock(history)).await;
        let broken = broken.map_err(|error| self.store_stop(error))?;
        let Some(holder) = broken.or(held) else { return Ok(None) };
        // With a lock that lives elsewhere, taking office is what puts its holder out of it.
        let lease = self.lock().await?;
        let recorded = self.unlocked(&lease, &holder, (reason, operator)).await;
        lease.release().await;
        Ok(Some((holder, recorded?)))
    }

    async fn unlocked(
        &mut self,
        lease: &HeldLease,
        holder: &Holder,
        (reason, operator): (&str, &str),
    ) -> Result<AuditEntry, Stop> {
        let mut journal = self.journal(lease).await?;
        let Holder { owner, execution, since, .. } = holder;
        let what = format!("broke the lock of {owner}, held since {since} (run {execution})");
        self.write(&mut journal, None, Remark::plain(Operation::Unlock, operator, reason), Some(&what)).await
    }

    // ---- what they share ----

    /// An operator creates no history by a typing error.
    async fn must_be_known(&self) -> Result<(), Stop> {
        if self.read_head().await?.is_some() {
            return Ok(());
        }
        let (history, address) = (&self.app.settings.history, self.app.store.address());
        Err(refused(format!("there is no history `{history}` in {address}: check service and tenant")))
    }

    async fn lock(&self) -> Result<HeldLease, Stop> {
        match self.enter().await? {
            Entry::Leading(lease) => Ok(lease),
            // Not told to whoever must lead.
            Entry::UpToDate(_) => Err(Stop::cancelled()),
        }
    }

    async fn journal(&self, lease: &HeldLease) -> Result<Journal<'_>, Stop> {
        let office = self.take_office(lease).await?;
        Ok(Journal::new(self.app.store.as_ref(), &self.app.settings, office))
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
        let entry = journal.remark(about, remark, description);
        let written = journal.write_alone(entry, digests).await;
        written.map_err(|error| self.append_stop(journal, error))
    }

    pub(crate) async fn holder(&self) -> Result<Option<Holder>, Stop> {
        if self.read_head().await?.is_none() {
            return Ok(None);
        }
        let (limit, history) = (self.app.settings.operation_timeout, &self.app.settings.history);
        let lock = Arc::clone(&self.app.lock);
        let holder = retrying(limit, "inspect lock", || lock.inspect(history)).await;
        holder.map_err(|error| self.store_stop(error))
    }

    pub(crate) async fn entries(&self, filter: &EntryFilter) -> Result<Vec<AuditEntry>, Stop> {
        let (limit, history) = (self.app.settings.operation_timeout, &self.app.settings.history);
        let entries = retrying(limit, "read entries", || self.app.store.entries(history, filter)).await;
        entries.map_err(|error| self.store_stop(error))
    }
}

/// Whether an operator may rule so.
fn permitted(ruling: &Ruling, entry: Option<&AuditEntry>, holder: Option<&Holder>) -> Result<(), Stop> {
    let entry = entry.ok_or_else(|| unknown(&ruling.change))?;
    let id = ruling.change.escape_debug();
    let state = entry.state.map_or("IMPORTED", AuditState::as_str);
    let stands = standing(entry, holder);
    let clean = entry.state == Some(AuditState::RolledBack);
    let again = entry.state == Some(ruling.resolution.state());
    match stands {
        Standing::Issue => Ok(()),
        // Whoever is at it has the lock: waiting for it tells.
        Standing::Running => Ok(()),
        Standing::RolledBack if again && ruling.force => Ok(()),
        Standing::RolledBack if again => Err(refused(format!(
            "change `{id}` was ruled rolled back already (entry {}). If a start still calls it an issue, the \
             target's marker says that it is applied: rule again with --force to overrule the marker",
            entry.sequence
        ))),
        Standing::Applied if ruling.resolution == Resolution::Applied => {
            Err(refused(format!("change `{id}` is applied already: {state} (entry {})", entry.sequence)))
        }
        Standing::Applied | Standing::RolledBack if ruling.correct => Ok(()),
        Standing::Failing if clean && ruling.correct => Ok(()),
        Standing::Applied | Standing::RolledBack => Err(refused(format!(
            "change `{id}` is settled: {state} (entry {}). To correct that, rule with --override",
            entry.sequence
        ))),
        Standing::Failing if clean => Err(refused(format!(
            "change `{id}` is no issue: the target has nothing of it ({state}, entry {}), and the next start \
             tries it again. To rule all the same, do so with --override",
            entry.sequence
        ))),
        Standing::Uncertain | Standing::Failing if ruling.force => Ok(()),
        Standing::Failing => Err(refused(format!(
            "change `{id}` may be retried (ALWAYS_RETRY): the next start applies it again and settles it. To rule \
             all the same, do so with --force"
        ))),
        Standing::Uncertain => Err(refused(format!(
            "change `{id}` is merely uncertain: the next start asks the target's marker and settles it. Start the \
             application, or ask with `flamingock issue check`. To rule all the same, do so with --force"
        ))),
    }
}

fn unknown(id: &str) -> Stop {
    refused(format!("the audit knows no change `{}`", id.escape_debug()))
}

fn refused(message: impl Into<String>) -> Stop {
    Stop::new(RunErrorKind::Refused, message)
}

fn required(what: &str, text: &str) -> Result<(), Stop> {
    if text.trim().is_empty() {
        Err(refused(format!("a {what} is required, for those who read the audit later")))
    } else {
        Ok(())
    }
}
