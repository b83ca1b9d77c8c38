//! An operator's side: what stands where, rulings, tags, the lock, and whether the audit was tampered
//! with. None of it needs the application's changes: an [`Operator`] works on the audit store alone.
//!
//! What does need them is on [`Flamingock`](crate::Flamingock): [`plan`](crate::Flamingock::plan),
//! [`validate`](crate::Flamingock::validate), [`apply_only`](crate::Flamingock::apply_only),
//! [`examine`](crate::Flamingock::examine), [`rule`](crate::Flamingock::rule),
//! [`baseline`](crate::Flamingock::baseline) and [`undo`](crate::Flamingock::undo). A [`Request`] asks another process for one of these, and gets an
//! [`Answer`].

mod answer;
mod chain;
mod nearest;
mod operator;
mod preview;
pub(crate) mod proposed;
mod quoted;
mod remote;
mod ruling;
mod selection;
mod standing;

pub use answer::{Answer, Asked, Failure, Outcome, Request};
pub use chain::{ChainFinding, ChainReport};
pub use nearest::nearest;
pub use operator::{Operator, Status};
pub use preview::{
    Action, Examination, MarkerSeen, Preview, PreviewChange, PreviewStage, TargetCheck, Validation, Verdict,
};
pub use quoted::quoted;
pub use remote::{Line, Notice, PROTOCOL, REQUEST, RESULT, signalled};
pub use ruling::{Baseline, Resolution, Ruled, Ruling};
pub use selection::{Only, SavedPlan, Undo, UndoSelection};
pub use standing::{Standing, consent, standing};

pub(crate) use chain::ChainCheck;
pub(crate) use nearest::did_you_mean;
pub(crate) use preview::decision_for_people;
pub(crate) use remote::Remote;
