use std::fmt;
use std::panic::Location;

use super::moment::{At, CrashAt};

/// What happens to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kit) enum Effect {
    /// The process dies before it.
    CrashBefore,
    /// The process dies after it.
    CrashAfter,
    /// It happens, and the run hears that the connection was lost.
    LoseAnswer,
    /// It does not happen, and the run hears that the connection was lost.
    Fail,
}

/// What a test wants to go wrong.
#[derive(Debug, Clone)]
pub(in crate::kit) struct Fault {
    pub(super) at: At,
    pub(super) effect: Effect,
    place: &'static Location<'static>,
}

impl Fault {
    pub(in crate::kit) fn crash(crash: CrashAt, place: &'static Location<'static>) -> Self {
        let CrashAt { at, after } = crash;
        let effect = if after { Effect::CrashAfter } else { Effect::CrashBefore };
        Self { at, effect, place }
    }

    /// Why it makes no sense, if it does not.
    pub(in crate::kit) fn answer(
        at: At,
        effect: Effect,
        place: &'static Location<'static>,
    ) -> Result<Self, String> {
        if at.moment.is_within() {
            return Err(format!("{at} has no answer: a process can only crash there (`crash_at`)"));
        }
        Ok(Self { at, effect, place })
    }

    /// The change whose moment it is.
    pub(in crate::kit) fn change(&self) -> &str {
        &self.at.change
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.effect {
            Effect::CrashBefore => "a crash before",
            Effect::CrashAfter => "a crash after",
            Effect::LoseAnswer => "a lost answer of",
            Effect::Fail => "a failure of",
        };
        write!(f, "{what} {} ({})", self.at, self.place)
    }
}
