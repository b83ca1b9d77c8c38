use std::collections::HashMap;

use async_trait::async_trait;

use super::fault::lost;
use super::{Fault, MemoryStore};
use crate::audit::{
    Append, AuditEntry, AuditStore, EntryFilter, Execution, FORMAT, Head, Office, verify_chain,
};
use crate::lock::FencingToken;
use crate::{BackendError, BackendErrorKind, History};

/// How many entries [`AuditStore::entries`] gives at once when it is not told.
const PAGE: usize = 1000;

/// The audit of one history.
#[derive(Default)]
pub(super) struct Ledger {
    head: Option<Head>,
    entries: Vec<AuditEntry>,
    /// Place in `entries` of the newest entry of each change.
    latest: HashMap<String, usize>,
}

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Puts whoever is in office out of it; `token` is the broken lock's.
    pub(super) fn depose(&mut self, token: FencingToken) {
        if let Some(head) = &mut self.head {
            head.token = FencingToken(head.token.max(token).0 + 1);
        }
    }

    fn take_office(&mut self, lease: FencingToken, execution: &Execution) -> Head {
        let head = self.head.get_or_insert_with(|| Head {
            format: FORMAT,
            token: FencingToken(0),
            owner: String::new(),
            execution: String::new(),
            sequence: 0,
            hash: Default::default(),
            digests: Vec::new(),
            verdict: None,
        });
        head.token = FencingToken(head.token.max(lease).0 + 1);
        head.owner.clone_from(&execution.owner);
        head.execution.clone_from(&execution.id);
        head.clone()
    }

    fn append(&mut self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let head = self
            .head
            .as_mut()
            .ok_or_else(|| BackendError::lease_lost("append", "nobody took office in this history"))?;
        if head.token != office.token || head.execution != office.execution.id {
            let message = format!("run {} is in office, with token {}", head.execution, head.token);
            return Err(BackendError::lease_lost("append", message));
        }
        if head.sequence != append.expected {
            let message = format!("the last entry is {}, not {}", head.sequence, append.expected);
            return Err(BackendError::lease_lost("append", message));
        }
        // A real store need not look; here it finds the mistakes of a runner.
        let invalid = |message| BackendError::new(BackendErrorKind::InvalidData, "append", message);
        let stands = verify_chain((head.sequence, head.hash), append.entries)
            .map_err(|error| invalid(error.to_string()))?;
        if stands != (append.head.sequence, append.head.hash) {
            return Err(invalid(format!("the head would not fit entry {}", stands.0)));
        }
        for entry in append.entries {
            if !entry.change.is_empty() {
                self.latest.insert(entry.change.clone(), self.entries.len());
            }
            self.entries.push(entry.clone());
        }
        (head.sequence, head.hash) = stands;
        head.digests.clone_from(&append.head.digests);
        head.verdict.clone_from(&append.head.verdict);
        Ok(())
    }

    fn latest(&self) -> Vec<AuditEntry> {
        let mut places: Vec<_> = self.latest.values().copied().collect();
        places.sort_unstable();
        places.into_iter().map(|place| self.entries[place].clone()).collect()
    }

    fn page(&self, filter: &EntryFilter) -> Vec<AuditEntry> {
        let start = self.entries.partition_point(|entry| entry.sequence <= filter.after);
        let fits = |entry: &&AuditEntry| {
            filter.change.as_ref().is_none_or(|change| *change == entry.change)
                && filter.state.is_none_or(|state| Some(state) == entry.state)
                && filter.since.is_none_or(|since| since <= entry.recorded_at)
        };
        let limit = if filter.limit == 0 { PAGE } else { filter.limit };
        self.entries[start..].iter().filter(fits).take(limit).cloned().collect()
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    fn kind(&self) -> &str {
        "memory"
    }

    fn address(&self) -> String {
        "memory".to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        self.initialize_both()
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        let mut state = self.reach("head")?;
        state.counts.head_reads += 1;
        Ok(state.ledgers.get(history).and_then(|ledger| ledger.head.clone()))
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        let state = self.reach("histories")?;
        let in_use = state.ledgers.iter().filter(|(_, ledger)| ledger.head.is_some());
        Ok(in_use.map(|(history, _)| history.clone()).collect())
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let mut state = self.reach_initialized("take office")?;
        state.counts.offices += 1;
        let head = state.ledgers.entry(history.clone()).or_default().take_office(lease, execution);
        Ok(Office { history: history.clone(), execution: execution.clone(), token: head.token, head })
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let mut state = self.reach_initialized("append")?;
        let fault = state.next_append.take();
        if fault == Some(Fault::NoEffect) {
            return Err(lost("append"));
        }
        let result = state.ledgers.entry(office.history.clone()).or_default().append(office, append);
        match result {
            Ok(()) => state.counts.appends += 1,
            Err(_) => state.counts.appends_refused += 1,
        }
        if fault.is_some() { Err(lost("append")) } else { result }
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        let mut state = self.reach_initialized("latest")?;
        state.counts.latest_reads += 1;
        Ok(state.ledgers.get(history).map(Ledger::latest).unwrap_or_default())
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let mut state = self.reach_initialized("entries")?;
        state.counts.entry_reads += 1;
        Ok(state.ledgers.get(history).map(|ledger| ledger.page(filter)).unwrap_or_default())
    }
}
