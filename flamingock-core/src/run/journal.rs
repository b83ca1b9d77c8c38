use std::time::Duration;

use jiff::Timestamp;

use super::office::{may_pass, stands};
use super::within::{Attempts, within};
use crate::audit::{
    Append, AuditEntry, AuditState, AuditStore, ChainHash, ErrorDetail, Evidence, FORMAT, Head, HeadChange,
    Office, Operation, TxStrategy, Verdict,
};
use crate::builder::Settings;
use crate::change::ChangeKind;
use crate::lock::FencingToken;
use crate::pipeline::PipelineChange;
use crate::target::{Mode, TargetSystem};
use crate::{BackendError, BackendErrorKind, History};

/// Appends under one office.
///
/// Entries that can wait are [noted](Self::note) and travel with the next append, so that a change
/// costs one append: its STARTED carries the APPLIED of the one before.
#[derive(Debug)]
pub(super) struct Journal<'a> {
    store: &'a dyn AuditStore,
    settings: &'a Settings,
    office: Office,
    sequence: u64,
    hash: ChainHash,
    noted: Vec<AuditEntry>,
}

/// What an entry says besides what the run and its change give.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) operation: Operation,
    pub(super) state: AuditState,
    pub(super) attempt: u32,
    pub(super) refers_to: Option<u64>,
    pub(super) evidence: Evidence,
    pub(super) duration: Option<Duration>,
    pub(super) error: Option<ErrorDetail>,
}

/// What an operator records besides an entry about a change, or about none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remark<'r> {
    pub(super) operation: Operation,
    pub(super) state: Option<AuditState>,
    pub(super) evidence: Evidence,
    pub(super) operator: &'r str,
    pub(super) reason: &'r str,
}

impl<'r> Remark<'r> {
    /// About no change.
    pub(super) fn plain(operation: Operation, operator: &'r str, reason: &'r str) -> Self {
        Self { operation, state: None, evidence: Evidence::None, operator, reason }
    }
}

impl<'a> Journal<'a> {
    pub(super) fn new(store: &'a dyn AuditStore, settings: &'a Settings, office: Office) -> Self {
        let Head { sequence, hash, .. } = office.head;
        Self { store, settings, office, sequence, hash, noted: Vec::new() }
    }

    pub(super) fn token(&self) -> FencingToken {
        self.office.token
    }

    pub(super) fn execution(&self) -> &str {
        &self.office.execution.id
    }

    pub(super) fn history(&self) -> &History {
        &self.office.history
    }

    /// The head as it was when this run took office.
    pub(super) fn taken_head(&self) -> &Head {
        &self.office.head
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn hash(&self) -> ChainHash {
        self.hash
    }

    /// Entries that are not durable yet of changes that are applied, or undone.
    pub(super) fn unrecorded(&self) -> impl Iterator<Item = &AuditEntry> {
        self.noted.iter().filter(|entry| entry.state != Some(AuditState::Failed))
    }

    /// An entry about a change, not numbered yet.
    pub(super) fn entry(
        &self,
        stage: &str,
        change: &PipelineChange,
        target: &dyn TargetSystem,
        line: Line,
    ) -> AuditEntry {
        let Settings {
            hostname, application_version, profiles, trace_id, metadata, operator, reason, ..
        } = self.settings;
        AuditEntry {
            format: FORMAT,
            sequence: 0,
            service: self.office.history.service.clone(),
            tenant: self.office.history.tenant.clone(),
            execution: self.office.execution.id.clone(),
            operation: line.operation,
            state: Some(line.state),
            refers_to: line.refers_to,
            stage: stage.to_owned(),
            change: change.id.clone(),
            order: change.order_text().to_owned(),
            author: change.author.clone(),
            description: change.description.clone(),
            step: None,
            attempt: line.attempt,
            target_system: change.target_system.clone(),
            target_kind: target.kind().to_owned(),
            target_address: target.address(),
            tx_strategy: match change.mode {
                Mode::Transactional => TxStrategy::TxWithMarker,
                Mode::Plain => TxStrategy::NonTx,
            },
            evidence: line.evidence,
            recovery: change.recovery,
            kind: change.kind,
            source: change.source.to_string(),
            checksum: change.checksum.clone(),
            recorded_at: self.now(),
            duration: line.duration.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            hostname: hostname.clone(),
            application: application_version.clone(),
            library: env!("CARGO_PKG_VERSION").to_owned(),
            profiles: profiles.clone(),
            trace: trace_id.clone(),
            operator: operator.clone(),
            reason: reason.clone(),
            error: line.error,
            metadata: metadata.clone(),
            token: self.office.token,
            hash: ChainHash::GENESIS,
        }
    }

    /// An operator's entry, not numbered yet: it answers `about`, or is about no change.
    pub(super) fn remark(
        &self,
        about: Option<&AuditEntry>,
        remark: Remark<'_>,
        description: Option<&str>,
    ) -> AuditEntry {
        let Settings { hostname, application_version, trace_id, metadata, .. } = self.settings;
        let text = |text: &str| (!text.is_empty()).then(|| text.replace('\0', ""));
        let of = |pick: fn(&AuditEntry) -> &String| about.map(pick).cloned().unwrap_or_default();
        AuditEntry {
            format: FORMAT,
            sequence: 0,
            service: self.office.history.service.clone(),
            tenant: self.office.history.tenant.clone(),
            execution: self.office.execution.id.clone(),
            operation: remark.operation,
            state: remark.state,
            refers_to: about.map(|entry| entry.sequence),
            stage: of(|entry| &entry.stage),
            change: of(|entry| &entry.change),
            order: of(|entry| &entry.order),
            author: about.and_then(|entry| entry.author.clone()),
            description: description.map(str::to_owned).or_else(|| about?.description.clone()),
            step: None,
            attempt: about.map_or(0, |entry| entry.attempt),
            target_system: of(|entry| &entry.target_system),
            target_kind: of(|entry| &entry.target_kind),
            target_address: of(|entry| &entry.target_address),
            tx_strategy: about.map_or(TxStrategy::NonTx, |entry| entry.tx_strategy),
            evidence: remark.evidence,
            recovery: about.map(|entry| entry.recovery).unwrap_or_default(),
            kind: about.map_or(ChangeKind::Code, |entry| entry.kind),
            source: of(|entry| &entry.source),
            checksum: of(|entry| &entry.checksum),
            recorded_at: self.now(),
            duration: None,
            hostname: hostname.clone(),
            application: application_version.clone(),
            library: env!("CARGO_PKG_VERSION").to_owned(),
            profiles: Vec::new(),
            trace: trace_id.clone(),
            operator: text(remark.operator),
            reason: text(remark.reason),
            error: None,
            metadata: metadata.clone(),
            token: self.office.token,
            hash: ChainHash::GENESIS,
        }
    }

    /// How the last run ended, as an operator who has settled these changes hands it on: no run has ended
    /// since, and what else it says needs an operator still does.
    pub(super) fn handed_on(&self, settled: &[&str]) -> Option<Verdict> {
        self.office.head.verdict.as_ref()?.without(settled)
    }

    /// Makes one entry durable; returns it as it was written.
    pub(super) async fn write_alone(
        &mut self,
        entry: AuditEntry,
        digests: Vec<String>,
        verdict: Option<Verdict>,
    ) -> Result<AuditEntry, BackendError> {
        let mut entries = [entry];
        self.append_all(&mut entries, digests, verdict).await?;
        let [entry] = entries;
        Ok(entry)
    }

    /// Makes entries durable, together; returns them as they were written.
    pub(super) async fn write_all(
        &mut self,
        mut entries: Vec<AuditEntry>,
        verdict: Option<Verdict>,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        if !entries.is_empty() {
            self.append_all(&mut entries, Vec::new(), verdict).await?;
        }
        Ok(entries)
    }

    /// Keeps an entry for the next append.
    pub(super) fn note(&mut self, entry: AuditEntry) {
        self.noted.push(entry);
    }

    /// Makes what was noted and `entry` durable; returns the sequence of `entry`.
    pub(super) async fn append(&mut self, entry: AuditEntry) -> Result<u64, BackendError> {
        self.write(Some(entry), Vec::new(), None).await?;
        Ok(self.sequence)
    }

    /// The run's last append: what was noted, and how it ended.
    pub(super) async fn close(
        &mut self,
        digests: Vec<String>,
        verdict: Option<Verdict>,
    ) -> Result<(), BackendError> {
        if self.noted.is_empty() && digests.is_empty() && verdict.is_none() {
            return Ok(());
        }
        self.write(None, digests, verdict).await
    }

    async fn write(
        &mut self,
        entry: Option<AuditEntry>,
        digests: Vec<String>,
        verdict: Option<Verdict>,
    ) -> Result<(), BackendError> {
        let mut noted = std::mem::take(&mut self.noted);
        let mut entries: Vec<AuditEntry> = noted.iter().cloned().chain(entry.clone()).collect();
        let ended = !noted.is_empty() || entry.as_ref().is_some_and(|entry| entry.error.is_some());
        match self.append_all(&mut entries, digests.clone(), verdict.clone()).await {
            Err(error) if error.kind() == BackendErrorKind::InvalidData && ended => {
                // What is applied must be recorded, even if the next change cannot be; and what failed, with
                // less of its text.
                let mut rest: Vec<AuditEntry> = entry.into_iter().collect();
                let failed = rest.iter_mut().filter(|entry| entry.error.is_some());
                noted.iter_mut().chain(failed).for_each(sanitise);
                tracing::warn!(%error, "the audit store refused an entry; recording it with sanitised text");
                if !noted.is_empty()
                    && let Err(error) = self.append_all(&mut noted, Vec::new(), None).await
                {
                    self.noted = noted;
                    return Err(error);
                }
                self.append_all(&mut rest, digests, verdict).await
            }
            Err(error) => {
                self.noted = noted;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Appends all of them or none. An answer that was lost is looked for in the head.
    async fn append_all(
        &mut self,
        entries: &mut [AuditEntry],
        digests: Vec<String>,
        verdict: Option<Verdict>,
    ) -> Result<(), BackendError> {
        let (sequence, hash) = self.chain(entries);
        let head = HeadChange { sequence, hash, digests, verdict };
        let mut attempts = Attempts::until_the_end(self.settings.operation_timeout);
        // Not all of it for one: where a connection died without a word, the next attempt has another.
        let limit = self.settings.operation_timeout / 3;
        loop {
            let append = Append { expected: self.sequence, entries, head: head.clone() };
            let appended = within(limit, "append", self.store.append(&self.office, &append)).await;
            let Err(error) = appended else { break };
            match within(limit, "head", self.store.head(&self.office.history)).await {
                Ok(Some(found)) if !entries.is_empty() && found.hash == hash => break,
                Ok(Some(found)) if stands(&self.office, &found) => {}
                Ok(_) => {
                    return Err(BackendError::lease_lost("append", "another run is in office").source(error));
                }
                Err(_) => {}
            }
            if !may_pass(&error) || !attempts.again().await {
                return Err(error);
            }
        }
        (self.sequence, self.hash) = (sequence, hash);
        Ok(())
    }

    /// Stores keep microseconds; what is hashed must be what comes back.
    fn now(&self) -> Timestamp {
        let now = self.settings.host.now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Numbers the entries and chains them; returns where the chain then stands.
    fn chain(&self, entries: &mut [AuditEntry]) -> (u64, ChainHash) {
        let (mut sequence, mut hash) = (self.sequence, self.hash);
        for entry in entries {
            sequence += 1;
            entry.sequence = sequence;
            entry.hash = hash.next(entry);
            hash = entry.hash;
        }
        (sequence, hash)
    }
}

/// Leaves out what users write freely.
fn sanitise(entry: &mut AuditEntry) {
    entry.error = entry.error.as_ref().map(ErrorDetail::sanitised);
    entry.description = None;
    entry.metadata = None;
}
