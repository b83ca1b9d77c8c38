//! The changes of the application under test, a module per scenario. Those in a database are written
//! once for every kind of connection.

pub mod broken;
pub mod concurrently;
mod effects;
pub mod fifty;
mod hold;
pub mod manual;
pub mod retried;
pub mod transactional;
pub mod verified;

pub use effects::Effects;
pub use hold::Hold;
