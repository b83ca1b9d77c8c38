use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Body, Change, ChangeKind, Invocation, Method, MethodError, MethodFuture, Order, Param, ParamKind,
    RecoveryStrategy, Source, TargetState,
};

/// What `#[change]` registers at link time. Constant, so that registering costs nothing.
#[derive(Debug)]
pub struct ChangeEntry {
    /// See [`Change::id`].
    pub id: &'static str,
    /// As written in the attribute or read from the file name; [`None`]: taken from `file` later.
    pub order: Option<&'static str>,
    /// See [`Change::target_system`].
    pub target_system: &'static str,
    /// See [`Change::author`].
    pub author: Option<&'static str>,
    /// See [`Change::description`].
    pub description: Option<&'static str>,
    /// See [`Change::transactional`].
    pub transactional: Option<bool>,
    /// See [`Change::recovery`].
    pub recovery: RecoveryStrategy,
    /// See [`Change::stage`].
    pub stage: Option<&'static str>,
    /// See [`Change::profiles`].
    pub profiles: &'static [&'static str],
    /// See [`Change::timeout`].
    pub timeout: Option<Duration>,
    /// See [`Change::checksum`].
    pub checksum: &'static str,
    /// `file!()` or better.
    pub file: &'static str,
    /// `line!()` of the attribute.
    pub line: u32,
    /// `module_path!()`.
    pub module: &'static str,
    /// The method under `#[apply]`.
    pub apply: MethodEntry,
    /// The method under `#[rollback]`.
    pub rollback: Option<MethodEntry>,
    /// The method under `#[verify]`.
    pub verify: Option<MethodEntry<TargetState>>,
}

inventory::collect!(ChangeEntry);

/// A method of a change as the macro knows it.
#[derive(Debug)]
pub struct MethodEntry<T: 'static = ()> {
    /// Its parameters.
    pub params: &'static [ParamEntry],
    /// Its body.
    pub body: BodyEntry<T>,
}

/// The function that the macro writes around a method.
#[derive(Debug)]
pub enum BodyEntry<T: 'static> {
    /// Around an `async fn`.
    Async(for<'a> fn(Invocation<'a>) -> MethodFuture<'a, T>),
    /// Around a plain `fn`.
    Blocking(for<'a> fn(Invocation<'a>) -> Result<T, MethodError>),
}

/// A parameter as the macro knows it.
#[derive(Debug)]
pub struct ParamEntry {
    /// Name in the signature.
    pub name: &'static str,
    /// How it is taken.
    pub kind: ParamKind,
    /// `TypeId::of::<T>`.
    pub type_id: fn() -> TypeId,
    /// `std::any::type_name::<T>`.
    pub type_name: fn() -> &'static str,
    /// Line of the parameter.
    pub line: u32,
}

impl<T> From<&'static MethodEntry<T>> for Method<T> {
    fn from(entry: &'static MethodEntry<T>) -> Self {
        Self {
            params: entry.params.iter().map(Param::from).collect(),
            body: match entry.body {
                BodyEntry::Async(body) => Body::Async(Arc::new(body)),
                BodyEntry::Blocking(body) => Body::Blocking(Arc::new(body)),
            },
        }
    }
}

impl From<&'static ParamEntry> for Param {
    fn from(entry: &'static ParamEntry) -> Self {
        Self {
            name: entry.name.to_owned(),
            kind: entry.kind,
            type_id: (entry.type_id)(),
            type_name: (entry.type_name)(),
            line: entry.line,
        }
    }
}

impl From<&'static ChangeEntry> for Change {
    fn from(entry: &'static ChangeEntry) -> Self {
        let source = Source::new(entry.file, entry.line);
        let order =
            entry.order.map(Order::new).or_else(|| source.order().map(|order| Order::new(order.to_owned())));
        Self {
            id: entry.id.to_owned(),
            order,
            target_system: entry.target_system.to_owned(),
            author: entry.author.map(str::to_owned),
            description: entry.description.map(str::to_owned),
            transactional: entry.transactional,
            recovery: entry.recovery,
            stage: entry.stage.map(str::to_owned),
            profiles: entry.profiles.iter().map(|profile| (*profile).to_owned()).collect(),
            timeout: entry.timeout,
            kind: ChangeKind::Code,
            source,
            module: entry.module.to_owned(),
            checksum: entry.checksum.to_owned(),
            apply: Method::from(&entry.apply),
            rollback: entry.rollback.as_ref().map(Method::from),
            verify: entry.verify.as_ref().map(Method::from),
        }
    }
}
