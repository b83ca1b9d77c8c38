use super::{Bounds, names};

/// A piece of the protocol that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The target keeps no markers.
    NoMarker,
    /// The target keeps no fence: nothing is compared, and a look waits for nobody.
    NoFence,
    /// Nobody takes office: the lock's token is the one in appends and fences.
    NoOffice,
    /// An append does not compare the sequence, and writes where it thinks the log ends.
    NoSequenceCheck,
    /// An append does not compare token and owner.
    NoTokenCheck,
    /// After a commit without an answer the marker is read without waiting for the fence.
    PlainLook,
    /// An undo deletes the marker.
    UndoDeletesMarker,
    /// An append without an answer is sent again without looking whether it landed.
    BlindRetry,
    /// A start does not look whether what is rolled back is held.
    HoldIgnored,
    /// A hold that was cut off is settled as an undo.
    HoldSettledAsUndo,
    /// The digest does not tell that something is held.
    DigestWithoutHolds,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoMarker,
        Self::NoFence,
        Self::NoOffice,
        Self::NoSequenceCheck,
        Self::NoTokenCheck,
        Self::PlainLook,
        Self::UndoDeletesMarker,
        Self::BlindRetry,
        Self::HoldIgnored,
        Self::HoldSettledAsUndo,
        Self::DigestWithoutHolds,
    ];

    /// The bounds in which what is left out matters.
    pub fn within(self, bounds: Bounds) -> Bounds {
        match self {
            Self::HoldIgnored | Self::HoldSettledAsUndo | Self::DigestWithoutHolds => bounds.with_hold(),
            _ => bounds,
        }
    }

    /// What the piece is there for.
    pub fn breaks(self) -> &'static str {
        match self {
            Self::NoMarker => names::TWICE,
            Self::NoOffice | Self::NoTokenCheck => names::STALE,
            Self::NoSequenceCheck => names::LOST,
            Self::NoFence | Self::PlainLook | Self::UndoDeletesMarker | Self::BlindRetry => names::AGREE,
            Self::HoldIgnored | Self::HoldSettledAsUndo => names::HELD,
            Self::DigestWithoutHolds => names::DIGEST,
        }
    }
}
