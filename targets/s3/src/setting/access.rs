use std::future::Future;

use aws_sdk_s3::Client;
use flamingock_core::change::TargetState;

use crate::error::{At, S3Error};

/// How a setting is read and written, and what it consists of.
pub(crate) trait Access: Sized + Send + Sync {
    /// What is told when reading fails.
    const READ: &'static str;
    /// What is told when writing fails.
    const WRITE: &'static str;
    /// What is told when removing fails.
    const ERASE: &'static str;

    /// What has a name of its own in it.
    type Part: Clone + PartialEq + Send + Sync;

    /// All parts.
    fn parts(&self) -> Vec<Self::Part>;

    /// The same with other parts.
    fn with_parts(&self, parts: Vec<Self::Part>) -> Self;

    /// Why the parts of this would mean something else in `found`, if they would.
    fn conflict(&self, _found: &Self) -> Option<String> {
        None
    }

    /// The name of a part, if it has one.
    fn name(part: &Self::Part) -> Option<String>;

    /// A part without its name, and without what servers write differently.
    fn content(part: &Self::Part) -> Self::Part;

    /// What is set, if anything is.
    fn read(client: &Client, at: At<'_>) -> impl Future<Output = Result<Option<Self>, S3Error>> + Send;

    /// Replaces what is set.
    fn write(&self, client: &Client, at: At<'_>) -> impl Future<Output = Result<(), S3Error>> + Send;

    /// Removes what is set.
    fn erase(client: &Client, at: At<'_>) -> impl Future<Output = Result<(), S3Error>> + Send;
}

/// Whether both are the same part: by name, or by content where `wanted` has no name.
fn is_meant<S: Access>(wanted: &S::Part, found: &S::Part) -> bool {
    match S::name(wanted) {
        Some(name) => S::name(found).as_ref() == Some(&name),
        None => S::content(wanted) == S::content(found),
    }
}

fn stands<S: Access>(wanted: &S::Part, found: &[S::Part]) -> bool {
    found.iter().any(|found| is_meant::<S>(wanted, found) && S::content(wanted) == S::content(found))
}

/// How much of `wanted` is in `found`.
pub(super) fn state<S: Access>(wanted: &S, found: &S) -> TargetState {
    let conflict = wanted.conflict(found).is_some();
    let (wanted, found) = (wanted.parts(), found.parts());
    if conflict {
        // They stand there, and mean something else.
        let there = |part: &S::Part| found.iter().any(|found| is_meant::<S>(part, found));
        let any = wanted.iter().any(there);
        return if any { TargetState::PartiallyApplied } else { TargetState::NotApplied };
    }
    match wanted.iter().filter(|part| stands::<S>(part, &found)).count() {
        all if all == wanted.len() => TargetState::Applied,
        0 => TargetState::NotApplied,
        _ => TargetState::PartiallyApplied,
    }
}

/// Whether nothing but `wanted` is in `found`.
pub(super) fn same<S: Access>(wanted: &S, found: &S) -> bool {
    wanted.parts().len() == found.parts().len() && state(wanted, found) == TargetState::Applied
}

/// What is in `found` apart from `wanted`.
pub(super) fn without<S: Access>(wanted: &S, found: &S) -> Vec<S::Part> {
    let wanted = wanted.parts();
    let mut found = found.parts();
    found.retain(|found| !wanted.iter().any(|wanted| is_meant::<S>(wanted, found)));
    found
}

/// What is in `found`, with `wanted` in its place.
pub(super) fn merged<S: Access>(wanted: &S, found: &S) -> Vec<S::Part> {
    let mut parts = without(wanted, found);
    parts.extend(wanted.parts());
    parts
}
