//! The planner: pipeline, audit and evidence in, plan out. No I/O and no clock.

mod decision;
mod planner;
mod policy;

#[cfg(test)]
mod tests;

pub use decision::{Attempt, Decision, IssueReason, Observation, Question, Verified};
pub use planner::{Issue, Plan, StagePlan, Step, plan};
pub use policy::{Drift, DriftKind, Policies, Policy};

pub(crate) use decision::{attempt_after, decide, is_uncertain, question, stays};
pub(crate) use planner::{Latest, is_applied};
