use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::target::NonTransactionalTarget;

/// A map of texts that clones share: stands for a system without transactions, such as a
/// feature-flag service.
///
/// ```
/// # use flamingock_core::memory::MemoryMap;
/// let flags = MemoryMap::new();
/// let target = flags.target("flags"); // its changes take `flags: &MemoryMap`
/// flags.put("new-checkout", "on");
/// assert_eq!(flags.get("new-checkout").as_deref(), Some("on"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryMap {
    entries: Arc<Mutex<BTreeMap<String, String>>>,
}

impl MemoryMap {
    /// Nothing in it yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A target system without transactions whose changes take this map as `&MemoryMap`.
    pub fn target(&self, id: impl Into<String>) -> NonTransactionalTarget {
        let id = id.into();
        let address = format!("memory:{id}");
        NonTransactionalTarget::new(id).kind("memory").at(address).with(self.clone())
    }

    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<String> {
        self.lock().get(key).cloned()
    }

    /// Puts a value, and returns what stood there.
    pub fn put(&self, key: impl Into<String>, value: impl Into<String>) -> Option<String> {
        self.lock().insert(key.into(), value.into())
    }

    /// Removes a value, and returns it.
    pub fn remove(&self, key: &str) -> Option<String> {
        self.lock().remove(key)
    }

    /// Everything in it.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
