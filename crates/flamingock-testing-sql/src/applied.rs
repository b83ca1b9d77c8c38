//! Databases in which changes are applied already.
#![cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]

use std::collections::BTreeSet;
#[cfg(feature = "postgres")]
use std::{env, fs, sync::LazyLock, time::SystemTime};

use flamingock_core::audit::AuditStore;
use flamingock_core::change::{BoxError, ChangeSet};
use flamingock_core::lock::LockStore;
use flamingock_core::target::TargetSystem;
use flamingock_core::{Flamingock, FlamingockBuilder};

use crate::Options;

/// Applies the changes to a database, which is the target system of all of them and keeps the audit.
pub(crate) async fn apply<T: TargetSystem>(
    options: &Options,
    changes: ChangeSet,
    store: impl AuditStore + LockStore,
    target: impl Fn(&str) -> T,
) -> Result<(), BoxError> {
    let builder = Flamingock::builder().service(service(options)).changes(changes).audit_store(store);
    let add = |builder: FlamingockBuilder, id: &String| builder.target(target(id));
    let app = ids(changes).iter().fold(builder, add).build();
    let app = app.map_err(|error| format!("`changes` need more than a database of their own:\n{error}"))?;
    app.run().await.map_err(|error| format!("`changes` could not be applied:\n{error}"))?;
    Ok(())
}

/// The target systems that they name.
fn ids(changes: ChangeSet) -> BTreeSet<String> {
    changes.changes().into_iter().map(|change| change.target_system).collect()
}

/// Differs when a database with these changes applied may differ.
///
/// That is in each build of a test: what a change runs is also in its helpers, constants and files, which
/// its checksum does not cover.
#[cfg(feature = "postgres")]
pub(crate) fn content(options: &Options, changes: ChangeSet) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    let mut all: Vec<_> = changes.changes().iter().map(|change| format!("{change:?}")).collect();
    all.sort_unstable();
    let mut hasher = DefaultHasher::new();
    (service(options), *BUILD, all).hash(&mut hasher);
    hasher.finish()
}

/// The build of this test, the same in all processes that run it: length and time of the program.
#[cfg(feature = "postgres")]
static BUILD: LazyLock<(u64, SystemTime)> = LazyLock::new(|| {
    let program = env::current_exe().and_then(fs::metadata);
    let built = program.and_then(|program| Ok((program.len(), program.modified()?)));
    // Where that is not known, each process makes templates of its own.
    built.unwrap_or_else(|_| (0, SystemTime::now()))
});

/// Whose changes they are.
fn service(options: &Options) -> &'static str {
    options.service.unwrap_or("test")
}
