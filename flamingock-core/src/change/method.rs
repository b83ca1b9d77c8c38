use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BoxError, MethodError, Resources};
use crate::target::Session;

/// What `#[verify]` says about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetState {
    /// The target has the whole change.
    Applied,
    /// The target has nothing of the change.
    NotApplied,
    /// The target has a part of the change.
    PartiallyApplied,
}

/// What a method of a change returns, boxed.
pub type MethodFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, MethodError>> + Send + 'a>>;

type AsyncBody<T> = dyn for<'a> Fn(Invocation<'a>) -> MethodFuture<'a, T> + Send + Sync;
type BlockingBody<T> = dyn for<'a> Fn(Invocation<'a>) -> Result<T, MethodError> + Send + Sync;

/// How a method is run.
#[derive(Clone)]
pub enum Body<T> {
    /// Awaited on the caller's runtime; timeout and cancellation drop it.
    Async(Arc<AsyncBody<T>>),
    /// Run on the blocking pool, where nothing can stop it.
    Blocking(Arc<BlockingBody<T>>),
}

impl<T> fmt::Debug for Body<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "Async",
            Self::Blocking(_) => "Blocking",
        })
    }
}

/// A method of a change: what it needs and what it does.
#[derive(Debug, Clone)]
pub struct Method<T = ()> {
    /// The parameters it takes.
    pub params: Vec<Param>,
    /// What it does.
    pub body: Body<T>,
}

impl<T> Method<T> {
    /// The exclusive parameter (`&mut T`), which is the session of the change's target.
    pub fn session(&self) -> Option<&Param> {
        self.params.iter().find(|param| param.kind == ParamKind::Exclusive)
    }
}

/// How a parameter is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// `&T`: must be there.
    Shared,
    /// `Option<&T>`: may be missing.
    OptionalShared,
    /// `&mut T`: the session of the change's target.
    Exclusive,
}

/// A parameter of a method, known before anything runs.
#[derive(Debug, Clone)]
pub struct Param {
    /// Name in the signature.
    pub name: String,
    /// How it is taken.
    pub kind: ParamKind,
    /// The type that is looked up.
    pub type_id: TypeId,
    /// Its name, for messages.
    pub type_name: &'static str,
    /// Line of the parameter in the change's source file.
    pub line: u32,
}

/// What a method is called with.
pub struct Invocation<'a> {
    /// The session of the change's target, where the method takes one.
    pub session: Option<&'a mut dyn Session>,
    /// Shared dependencies, in the order in which they are searched.
    pub resources: [&'a Resources; 3],
}

impl<'a> Invocation<'a> {
    /// Separates the exclusive session from the shared dependencies, so that both can be borrowed.
    pub fn split(self) -> (SessionHandle<'a>, Dependencies<'a>) {
        (SessionHandle { session: self.session }, Dependencies { resources: self.resources })
    }
}

impl fmt::Debug for Invocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("resources", &self.resources).finish_non_exhaustive()
    }
}

/// The session of the change's target.
pub struct SessionHandle<'a> {
    session: Option<&'a mut dyn Session>,
}

impl<'a> SessionHandle<'a> {
    /// The handle of type `T` that a `&mut T` parameter asks for.
    ///
    /// # Errors
    /// When the session has no such handle; `build()` finds this before anything runs.
    pub fn exclusive<T: Any + Send>(self, param: &str) -> Result<&'a mut T, MethodError> {
        self.session
            .and_then(|session| session.handle(TypeId::of::<T>()))
            .and_then(|handle| handle.downcast_mut::<T>())
            .ok_or_else(|| missing::<T>("the target's session has no handle", param))
    }
}

impl fmt::Debug for SessionHandle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").finish_non_exhaustive()
    }
}

/// The shared dependencies of a method.
#[derive(Debug, Clone, Copy)]
pub struct Dependencies<'a> {
    resources: [&'a Resources; 3],
}

impl<'a> Dependencies<'a> {
    /// The dependency that a `&T` parameter asks for.
    ///
    /// # Errors
    /// When there is none; `build()` finds this before anything runs.
    pub fn shared<T: ?Sized + Send + Sync + 'static>(self, param: &str) -> Result<&'a T, MethodError> {
        self.optional::<T>().ok_or_else(|| missing::<T>("there is no dependency", param))
    }

    /// The dependency that an `Option<&T>` parameter asks for.
    pub fn optional<T: ?Sized + Send + Sync + 'static>(self) -> Option<&'a T> {
        self.resources.iter().find_map(|resources| resources.get::<T>())
    }
}

fn missing<T: ?Sized>(what: &str, param: &str) -> MethodError {
    MethodError::new(format!("{what} of type `{}` for parameter `{param}`", std::any::type_name::<T>()))
}

/// What a method may return: any `Result<(), E>` (or `Result<TargetState, E>` for `#[verify]`)
/// whose error converts into a boxed error.
#[diagnostic::on_unimplemented(
    message = "a method of a change cannot return `{Self}`",
    label = "expected `Result<{T}, E>`",
    note = "#[apply] and #[rollback] return `Result<(), E>`, #[verify] returns `Result<TargetState, E>`; `E` is any error, `String` or `anyhow::Error`"
)]
pub trait MethodOutput<T> {
    /// As the runner wants it, with the name of the error's type.
    ///
    /// # Errors
    /// The method's own.
    fn into_result(self) -> Result<T, MethodError>;
}

impl<T, E: Into<BoxError>> MethodOutput<T> for Result<T, E> {
    fn into_result(self) -> Result<T, MethodError> {
        self.map_err(MethodError::new)
    }
}

/// Turns what a method returned into what the runner wants. Used by generated code.
///
/// # Errors
/// The method's own.
pub fn finish<T>(output: impl MethodOutput<T>) -> Result<T, MethodError> {
    output.into_result()
}
