use flamingock_core::BackendErrorKind;

use crate::house::{Op, Side};

/// What happens to one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before it.
    KillBefore,
    /// The process dies after it.
    KillAfter,
    /// The process dies before it, and the target notices late: its sessions stay open, with their
    /// locks, until so many more effects have happened.
    KillUnnoticed(u64),
    /// It fails with this error and does nothing.
    Fail(BackendErrorKind),
    /// It happens, and the caller hears `Unavailable`.
    LoseAnswer,
    /// From here on the run does not reach this server any more.
    CutBefore,
    /// It happens, the caller hears nothing, and does not reach this server any more.
    CutAfter,
    /// The caller hears `Unavailable` at once; it happens after so many more effects, of this run or
    /// of the next.
    Late(u64),
    /// The process dies; the request is on its way and lands after so many effects of the next.
    KillLate(u64),
    /// The whole process stands still before it, for longer than its lease, and wakes up after the
    /// next run. It does not notice that time has passed.
    PauseBefore(Sessions),
    /// The same, after it.
    PauseAfter(Sessions),
}

/// What a target does with the sessions of a process that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Keeps them, with their locks.
    Stay,
    /// Ends them: they idled for too long.
    End,
}

impl Fault {
    /// Those that are tried at every effect, the late ones apart.
    pub fn all() -> Vec<Self> {
        let mut all = Self::different();
        all.extend([Self::KillAfter, Self::PauseAfter(Sessions::Stay), Self::PauseAfter(Sessions::End)]);
        all
    }

    /// The same without those that are like another at the next effect.
    pub fn different() -> Vec<Self> {
        vec![
            Self::KillBefore,
            Self::KillUnnoticed(3),
            Self::KillUnnoticed(12),
            Self::Fail(BackendErrorKind::Unavailable),
            Self::Fail(BackendErrorKind::Denied),
            Self::LoseAnswer,
            Self::CutBefore,
            Self::CutAfter,
            Self::PauseBefore(Sessions::Stay),
            Self::PauseBefore(Sessions::End),
        ]
    }

    /// Whether it says what happens to something that takes effect.
    pub fn needs_an_effect(self) -> bool {
        matches!(self, Self::LoseAnswer | Self::CutAfter)
    }

    /// Whether it says what becomes of open sessions.
    pub fn needs_a_session(self) -> bool {
        let end = matches!(self, Self::PauseBefore(Sessions::End) | Self::PauseAfter(Sessions::End));
        end || matches!(self, Self::KillUnnoticed(_))
    }

    /// Whether the effect happens later.
    pub fn is_late(self) -> bool {
        matches!(self, Self::Late(_) | Self::KillLate(_))
    }

    /// Whether a stale run is at work besides the next one.
    pub fn pauses(self) -> bool {
        matches!(self, Self::PauseBefore(_) | Self::PauseAfter(_))
    }

    /// Whether the runner, alone and unhurt otherwise, asks again and goes on as if nothing had happened.
    pub fn is_passing(self, op: Op) -> bool {
        let asked_again =
            op.side() == Side::Store || matches!(op, Op::Check | Op::RaiseFence | Op::Survey | Op::Look);
        let passes = matches!(self, Self::Fail(BackendErrorKind::Unavailable) | Self::LoseAnswer);
        passes && asked_again
    }

    /// Whether the lock may stay taken until its lease expires, although the run came to an end.
    pub fn may_leave_the_lock(self, op: Op) -> bool {
        match self {
            Self::CutBefore | Self::CutAfter => op.side() == Side::Store,
            Self::Late(_) => matches!(op, Op::Release | Op::TryAcquire),
            Self::Fail(_) | Self::LoseAnswer => op == Op::Release,
            _ => false,
        }
    }
}
