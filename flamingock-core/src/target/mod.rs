//! Target systems: what changes are applied to.

mod plain;
mod session;
mod system;

pub use plain::{NonTransactionalTarget, PlainSession};
pub use session::{Begun, Fence, Marker, MarkerState, MarkerUpdate, Session};
pub use system::{FenceRaised, Markers, Mode, SessionType, Survey, TargetSystem};
