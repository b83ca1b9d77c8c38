use super::Bounds;

/// The two changes, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Change {
    Transactional,
    Plain,
}

/// State of a change after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Said {
    Started,
    Applied,
    Failed,
    RolledBack,
    RollbackFailed,
}

/// What a runner is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// To apply what is pending.
    Apply,
    /// To undo the transactional change.
    Undo,
    /// The same, and to hold it.
    Hold,
    /// To let it run again: an operator.
    Release,
}

impl Role {
    pub(super) fn undoes(self) -> bool {
        matches!(self, Self::Undo | Self::Hold)
    }
}

/// A line of the audit. Its sequence is its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) change: Change,
    pub(super) said: Said,
    pub(super) role: Role,
    pub(super) runner: u8,
    /// The undo since which attempts are counted; 0: none.
    pub(super) epoch: u8,
}

/// What the head says to those who read nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Digest {
    None,
    /// Both changes are applied.
    All,
    /// The transactional one is held, the other is applied.
    AllButHeld,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Head {
    pub(super) token: u8,
    pub(super) owner: u8,
    pub(super) digest: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lock {
    pub(super) token: u8,
    pub(super) holder: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    None,
    Begun,
    Done,
    Undoing,
    Undone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Marker {
    pub(super) mark: Mark,
    pub(super) runner: u8,
    pub(super) sequence: u8,
}

/// Who has the fence's row locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Locked {
    No,
    By(u8),
    /// By a commit that is on its way.
    InFlight,
}

/// Both targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) fence: (u8, u8),
    pub(super) locked: Locked,
    pub(super) marker: Marker,
    /// How often the transactional change is there.
    pub(super) times: u8,
    /// A part of it committed by itself.
    pub(super) half: bool,
    /// How often the plain change is there.
    pub(super) plain: u8,
    /// How often the plain change was begun.
    pub(super) plain_runs: u8,
}

/// What an append is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    Started(Change),
    /// FAILED and ROLLED_BACK.
    NothingDone,
    /// FAILED alone.
    Failed(Change),
    /// An undo that is settled after the fact.
    RecordUndone,
    /// The same of one that is to be held; or there is nothing to undo, only to hold.
    RecordHeld,
    Release,
    StillApplied,
    UndoFailed,
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ending {
    UpToDate,
    Undone,
    Released,
    Issue,
    Failed,
    LeaseLost,
    Refused,
}

/// Where a runner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum At {
    NotStarted,
    Lock,
    Office,
    Fence,
    Read,
    Append(Purpose),
    AppendUnknown(Purpose),
    Begin,
    Body,
    SecondPart,
    Finish,
    Commit,
    Look,
    PlainCheck,
    PlainBody,
    Release(Ending),
    Ended(Ending),
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Runner {
    pub(super) at: At,
    pub(super) role: Role,
    pub(super) sleeps: bool,
    /// The target ended its session.
    pub(super) session_gone: bool,
    pub(super) lock_token: u8,
    pub(super) token: u8,
    /// Where it thinks the log ends.
    pub(super) sequence: u8,
    pub(super) epoch: u8,
    pub(super) outranks: u8,
    pub(super) noted: Option<Entry>,
    /// Whether the plain change is to be applied after the transactional one.
    pub(super) plain_pending: bool,
    /// Whether the transactional change is held.
    pub(super) held: bool,
    /// Only to judge: in which order they came to power.
    pub(super) reign: u8,
}

/// A request that is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Flight {
    Append { runner: u8, token: u8, reign: u8, expected: u8, entries: Vec<Entry>, digest: Digest },
    Commit { runner: u8, role: Role, sequence: u8 },
}

/// The whole world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) log: Vec<Entry>,
    pub(super) head: Head,
    pub(super) lock: Lock,
    pub(super) target: Target,
    pub(super) runners: Vec<Runner>,
    pub(super) flight: Option<Flight>,
    pub(super) crashes: u8,
    pub(super) pauses: u8,
    pub(super) answers: u8,
    pub(super) failures: u8,
    pub(super) forgets: u8,
    // Only to judge:
    pub(super) acknowledged: u32,
    pub(super) lost: bool,
    pub(super) stale: bool,
    pub(super) reigns: u8,
    /// The newest reign that has read what it acts on.
    pub(super) read: u8,
}

impl Runner {
    pub(super) fn new() -> Self {
        Self {
            at: At::NotStarted,
            role: Role::Apply,
            sleeps: false,
            session_gone: false,
            lock_token: 0,
            token: 0,
            sequence: 0,
            epoch: 0,
            outranks: 0,
            noted: None,
            plain_pending: false,
            held: false,
            reign: 0,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        !matches!(self.at, At::NotStarted | At::Ended(_) | At::Dead)
    }

    /// Nothing of what it knew matters any more.
    pub(super) fn end(&mut self, at: At) {
        *self = Self { at, ..Self::new() };
    }
}

impl State {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            log: Vec::new(),
            head: Head { token: 0, owner: u8::MAX, digest: Digest::None },
            lock: Lock { token: 0, holder: None },
            target: Target {
                fence: (0, u8::MAX),
                locked: Locked::No,
                marker: Marker { mark: Mark::None, runner: 0, sequence: 0 },
                times: 0,
                half: false,
                plain: 0,
                plain_runs: 0,
            },
            runners: vec![Runner::new(); bounds.runners.into()],
            flight: None,
            crashes: bounds.crashes,
            pauses: bounds.pauses,
            answers: bounds.answers,
            failures: bounds.failures,
            forgets: bounds.forgets,
            acknowledged: 0,
            lost: false,
            stale: false,
            reigns: 0,
            read: 0,
        }
    }

    /// The newest entry of a change, with its sequence.
    pub(super) fn latest(&self, change: Change) -> Option<(u8, Entry)> {
        let at = self.log.iter().rposition(|entry| entry.change == change)?;
        Some((length(&self.log[..=at]), self.log[at]))
    }

    /// Nobody is at work and nothing is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.flight.is_none() && !self.runners.iter().any(Runner::is_running)
    }
}

/// The log never grows beyond what a byte counts.
pub(super) fn length(entries: &[Entry]) -> u8 {
    u8::try_from(entries.len()).unwrap_or(u8::MAX)
}
