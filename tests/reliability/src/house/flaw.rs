use std::sync::atomic::Ordering;

use flamingock_core::audit::{
    Append, AuditEntry, AuditStore, ChainHash, Execution, HeadChange, Office, Operation,
};
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{
    Begun, Fence, FenceRaised, Marker, MarkerState, MarkerUpdate, Markers, Session,
};
use flamingock_core::{BackendError, History};

use super::House;
use super::wire::Answer;

/// A piece of the protocol that is left out, to see whether the checker notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Flaw {
    /// A fence stops nobody; and no lease lasts, as with [`NoLease`](Self::NoLease): as long as it does,
    /// a stale run hardly ever gets so far.
    NoFence,
    /// Taking office raises no token and puts nobody out of office.
    NoOffice,
    /// An append does not look who is in office.
    NoTokenCheck,
    /// An append does not look whether it continues the log.
    NoSequenceCheck,
    /// A look at a marker finds none, and none stands in the way.
    NoMarker,
    /// An undo takes its marker away.
    UndoDropsMarker,
    /// What was held is read back as undone.
    ForgetsHolds,
    /// The head does not keep how many changes are held.
    DigestWithoutHolds,
    /// The lock gives itself away after a twentieth of a lease, and answers no extension, so that runs
    /// believe in leases which they lost. This breaks nothing: all the rest is there for it.
    NoLease,
}

impl Flaw {
    /// All that break something.
    pub const ALL: [Self; 8] = [
        Self::NoFence,
        Self::NoOffice,
        Self::NoTokenCheck,
        Self::NoSequenceCheck,
        Self::NoMarker,
        Self::UndoDropsMarker,
        Self::ForgetsHolds,
        Self::DigestWithoutHolds,
    ];

    pub(super) fn has_no_lease(self) -> bool {
        matches!(self, Self::NoFence | Self::NoLease)
    }
}

/// The operations that a flaw is in, as the servers carry them out.
impl House {
    pub(super) async fn take_office(
        &self,
        process: usize,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Answer<Office> {
        self.office_taken(process, &execution.id);
        let office = match (self.flaw, self.audit.head(history).await?) {
            // The lock's own token is all there is.
            (Some(Flaw::NoOffice), Some(head)) => {
                let (history, execution) = (history.clone(), execution.clone());
                Office { history, execution, token: FencingToken(lease.0 + 1), head }
            }
            _ => self.audit.take_office(history, lease, execution).await?,
        };
        Ok(office)
    }

    pub(super) async fn append(
        &self,
        office: &Office,
        expected: u64,
        entries: &[AuditEntry],
        change: &HeadChange,
    ) -> Answer<()> {
        let (mut office, mut entries, mut change, mut expected) =
            (office.clone(), entries.to_vec(), change.clone(), expected);
        if let (Some(flaw), Some(head)) = (self.flaw, self.audit.head(&office.history).await?) {
            if matches!(flaw, Flaw::NoOffice | Flaw::NoTokenCheck) {
                (office.token, office.execution.id) = (head.token, head.execution);
            }
            if flaw == Flaw::DigestWithoutHolds {
                for noted in &mut change.digests {
                    noted.truncate(noted.find('+').unwrap_or(noted.len()));
                }
            }
            if flaw == Flaw::NoSequenceCheck {
                expected = head.sequence;
                let (mut sequence, mut hash): (u64, ChainHash) = (head.sequence, head.hash);
                for entry in &mut entries {
                    sequence += 1;
                    entry.sequence = sequence;
                    hash = hash.next(entry);
                    entry.hash = hash;
                }
                (change.sequence, change.hash) = (sequence, hash);
            }
        }
        self.audit.append(&office, &Append { expected, entries: &entries, head: change }).await
    }

    pub(super) async fn latest(&self, history: &History) -> Answer<Vec<AuditEntry>> {
        let mut entries = self.audit.latest(history).await?;
        if self.flaw == Some(Flaw::ForgetsHolds) {
            for entry in entries.iter_mut().filter(|entry| entry.operation == Operation::Hold) {
                entry.operation = Operation::Undo;
            }
        }
        Ok(entries)
    }

    pub(super) async fn raise_fence(&self, fence: &Fence) -> Answer<FenceRaised> {
        match self.flaw {
            Some(Flaw::NoFence) => Ok(FenceRaised::Raised),
            _ => self.db.raise_fence(fence).await,
        }
    }

    pub(super) async fn begin_marker(
        &self,
        session: &mut dyn Session,
        fence: &Fence,
        update: &MarkerUpdate,
    ) -> Answer<Begun> {
        let (mut fence, mut update) = (fence.clone(), update.clone());
        match self.flaw {
            // It is always the newest.
            Some(Flaw::NoFence) => {
                fence.token = FencingToken(self.fences.fetch_add(1, Ordering::Relaxed) + 1);
                self.db.raise_fence(&fence).await?;
            }
            Some(Flaw::NoMarker) => update.outranks = u64::MAX,
            _ => {}
        }
        session.begin_marker(&fence, &update).await
    }

    pub(super) async fn marker(
        &self,
        history: &History,
        change: &str,
    ) -> Result<Option<Marker>, BackendError> {
        let marker = self.db.marker(history, change).await?;
        Ok(match self.flaw {
            Some(Flaw::NoMarker) => None,
            Some(Flaw::UndoDropsMarker) => marker.filter(|marker| marker.state != MarkerState::Undone),
            _ => marker,
        })
    }
}
