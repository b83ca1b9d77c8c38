use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose changes: a service and, in a system that serves several, a tenant. Part of every key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct History {
    /// Name of the service.
    pub service: String,
    /// Name of the tenant; empty where there is only one.
    pub tenant: String,
}

impl History {
    /// The history of a service without tenants.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), tenant: String::new() }
    }

    /// The same service's history for a tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.service)?;
        if self.tenant.is_empty() { Ok(()) } else { write!(f, "/{}", self.tenant) }
    }
}
