//! Valid audit entries, chained as a run chains them.

use flamingock_core::History;
use flamingock_core::audit::{
    AuditEntry, AuditState, ChainHash, Evidence, FORMAT, HeadChange, Office, Operation, TxStrategy,
};
use flamingock_core::change::{ChangeKind, RecoveryStrategy};
use flamingock_core::lock::FencingToken;
use jiff::Timestamp;

/// 2026-01-01T00:00:00Z in microseconds: [`entry`] counts on from it, a second per sequence.
const START: i64 = 1_767_225_600_000_000;

/// An entry as a run of `history` would write it, but for the hash: [`Chain::seal`] sets that.
pub fn entry(history: &History, sequence: u64, change: &str, state: AuditState) -> AuditEntry {
    let seconds = i64::try_from(sequence).unwrap_or(0);
    AuditEntry {
        format: FORMAT,
        sequence,
        service: history.service.clone(),
        tenant: history.tenant.clone(),
        execution: "01980000-0000-7000-8000-000000000001".to_owned(),
        operation: Operation::Apply,
        state: Some(state),
        refers_to: None,
        stage: "default".to_owned(),
        change: change.to_owned(),
        order: "0001".to_owned(),
        author: Some("testing".to_owned()),
        description: None,
        step: None,
        attempt: 1,
        target_system: "orders-db".to_owned(),
        target_kind: "memory".to_owned(),
        target_address: "memory:orders-db".to_owned(),
        tx_strategy: TxStrategy::TxWithMarker,
        evidence: Evidence::None,
        recovery: RecoveryStrategy::ManualIntervention,
        kind: ChangeKind::Code,
        source: "src/changes.rs:7".to_owned(),
        checksum: "v1:00".to_owned(),
        recorded_at: Timestamp::from_microsecond(START + seconds * 1_000_000).unwrap_or_default(),
        duration: None,
        hostname: "host".to_owned(),
        application: None,
        library: "0.1.0".to_owned(),
        profiles: Vec::new(),
        trace: None,
        operator: None,
        reason: None,
        error: None,
        metadata: None,
        token: FencingToken(1),
        hash: ChainHash::GENESIS,
    }
}

/// Makes entries that continue a history's chain.
///
/// ```
/// use flamingock_core::History;
/// use flamingock_core::audit::{AuditState, ChainHash, verify_chain};
/// use flamingock_testing::entries::Chain;
///
/// let mut chain = Chain::new(&History::new("orders"));
/// let entries = [chain.next("a", AuditState::Started), chain.next("a", AuditState::Applied)];
/// assert_eq!(verify_chain((0, ChainHash::GENESIS), &entries), Ok((2, entries[1].hash)));
/// ```
#[derive(Debug, Clone)]
pub struct Chain {
    history: History,
    execution: Option<String>,
    token: FencingToken,
    sequence: u64,
    hash: ChainHash,
}

impl Chain {
    /// Before the first entry.
    pub fn new(history: &History) -> Self {
        Self {
            history: history.clone(),
            execution: None,
            token: FencingToken(1),
            sequence: 0,
            hash: ChainHash::GENESIS,
        }
    }

    /// After the head that an office found.
    pub fn of(office: &Office) -> Self {
        Self {
            history: office.history.clone(),
            execution: Some(office.execution.id.clone()),
            token: office.token,
            sequence: office.head.sequence,
            hash: office.head.hash,
        }
    }

    /// The next entry.
    pub fn next(&mut self, change: &str, state: AuditState) -> AuditEntry {
        let entry = entry(&self.history, self.sequence + 1, change, state);
        self.seal(entry)
    }

    /// Makes `entry` the next of the chain: sets its execution, token, sequence and hash.
    pub fn seal(&mut self, mut entry: AuditEntry) -> AuditEntry {
        if let Some(execution) = &self.execution {
            entry.execution.clone_from(execution);
        }
        entry.token = self.token;
        entry.sequence = self.sequence + 1;
        entry.hash = self.hash.next(&entry);
        (self.sequence, self.hash) = (entry.sequence, entry.hash);
        entry
    }

    /// Sequence of the last entry; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What an append that ends here changes in the head: no digests, no verdict.
    pub fn head_change(&self) -> HeadChange {
        HeadChange { sequence: self.sequence, hash: self.hash, digests: Vec::new(), verdict: None }
    }
}
