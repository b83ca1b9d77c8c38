//! The pipeline: which changes, in which stages, in which order; checked before anything runs.

mod digest;
mod problem;
mod stage;
mod validate;
mod wiring;

pub use problem::{BuildError, Problem};
pub use stage::{Pipeline, PipelineChange, PipelineStage, Stage};

pub(crate) use validate::{Assembly, assemble, bad_name};
pub(crate) use wiring::Targets;
