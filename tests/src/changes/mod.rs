//! The changes of the application under test, a module per scenario. Those in a database are written
//! once for every kind of connection.

pub mod broken;
pub mod concurrently;
mod effects;
pub mod fifty;
mod hold;
pub mod manual;
pub mod mixed;
pub mod retried;
pub mod transactional;
pub mod verified;

use std::any::{TypeId, type_name};

use flamingock::change::{Param, ParamKind};

pub use effects::Effects;
pub use hold::Hold;

/// A parameter of a change that is made by hand.
fn param<T: 'static>(kind: ParamKind) -> Param {
    Param {
        name: "it".to_owned(),
        kind,
        type_id: TypeId::of::<T>(),
        type_name: type_name::<T>(),
        line: line!(),
    }
}
