use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Shared dependencies by type: what a method's `&T` parameters find.
///
/// `T` may be unsized: a `&dyn Clock` parameter finds what was inserted as `Arc<dyn Clock>`.
///
/// ```
/// # use flamingock_core::change::Resources;
/// # use std::sync::Arc;
/// trait Clock: Send + Sync { fn hour(&self) -> u8; }
/// struct Noon;
/// impl Clock for Noon { fn hour(&self) -> u8 { 12 } }
///
/// let mut resources = Resources::new();
/// resources.insert(42_u32);
/// resources.insert_arc::<dyn Clock>(Arc::new(Noon));
/// assert_eq!(resources.get::<u32>(), Some(&42));
/// assert_eq!(resources.get::<dyn Clock>().map(Clock::hour), Some(12));
/// ```
#[derive(Clone, Default)]
pub struct Resources {
    // The box holds an `Arc<T>`; the name is for messages only.
    by_type: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
}

impl Resources {
    /// Nothing in it yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, found as `&T`. A value of the same type is replaced.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.insert_arc(Arc::new(value));
    }

    /// Adds a shared value, found as `&T`; `T` may be a trait object or `str`.
    pub fn insert_arc<T: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.by_type.insert(TypeId::of::<T>(), (std::any::type_name::<T>(), Arc::new(value)));
    }

    /// The value of type `T`, if there is one.
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<&T> {
        let (_, value) = self.by_type.get(&TypeId::of::<T>())?;
        value.downcast_ref::<Arc<T>>().map(AsRef::as_ref)
    }

    /// Whether there is a value of this type.
    pub fn contains(&self, type_id: TypeId) -> bool {
        self.by_type.contains_key(&type_id)
    }

    /// The names of the types in it, for messages.
    pub fn type_names(&self) -> impl Iterator<Item = &'static str> {
        self.by_type.values().map(|(name, _)| *name)
    }
}

impl fmt::Debug for Resources {
    /// Types only: values may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.type_names()).finish()
    }
}
