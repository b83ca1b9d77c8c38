//! The changes of the database: every `_<ORDER>__<name>.rs` in the folder `changes`.

flamingock::include_changes!("changes");
