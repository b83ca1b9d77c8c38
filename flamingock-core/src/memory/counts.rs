/// How often a [`MemoryStore`](super::MemoryStore) was asked for what, by all handles on it together.
///
/// Writes count when they took effect; reads and refusals count when they were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCounts {
    /// `initialize`, of the audit store and of the lock.
    pub initializations: u64,
    /// `head`.
    pub head_reads: u64,
    /// `latest`.
    pub latest_reads: u64,
    /// `entries`, page by page.
    pub entry_reads: u64,
    /// `take_office`.
    pub offices: u64,
    /// `append` that took effect.
    pub appends: u64,
    /// `append` that was refused.
    pub appends_refused: u64,
    /// `try_acquire` that got the lock.
    pub acquires: u64,
    /// `try_acquire` that found another holder.
    pub acquires_held: u64,
    /// `extend` that took effect.
    pub extends: u64,
    /// `release` that freed the lock.
    pub releases: u64,
    /// `inspect`.
    pub inspections: u64,
    /// `break_lock`.
    pub breaks: u64,
}

impl StoreCounts {
    /// Everything that a real store would have answered from what it keeps, without writing.
    pub fn reads(&self) -> u64 {
        self.head_reads + self.latest_reads + self.entry_reads + self.inspections + self.acquires_held
    }

    /// Durable writes of the audit: offices taken and appends.
    pub fn audit_writes(&self) -> u64 {
        self.offices + self.appends
    }

    /// Durable writes of the lock.
    pub fn lock_writes(&self) -> u64 {
        self.acquires + self.extends + self.releases + self.breaks
    }
}
