use std::time::Duration;

use super::{Method, Order, Source, TargetState};
use crate::words::words;

words! {
    /// What a later run may do with a change whose outcome is uncertain.
    #[derive(Default)]
    RecoveryStrategy {
        /// Stop and ask an operator.
        #[default]
        ManualIntervention = "MANUAL_INTERVENTION",
        /// Apply it again: the change is idempotent.
        AlwaysRetry = "ALWAYS_RETRY",
    }
}

words! {
    /// What a change was made from.
    ChangeKind {
        /// Rust code under `#[change]`.
        Code = "CODE",
        /// A YAML or JSON file.
        Template = "TEMPLATE",
        /// A record of another tool.
        Imported = "IMPORTED",
    }
}

/// A type that carries `#[change]`; names the change in tests: `then_issue::<AddTrackingCode>()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a change",
    note = "a change is a type whose `impl` block carries `#[change(id = \"..\", target_system = \"..\")]`"
)]
pub trait CodeChange {
    /// The change's id.
    const ID: &'static str;
}

/// A change: data, and methods that run it.
///
/// `#[change]` makes one from code; templates build theirs with [`Change::new`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// Unique within the application; compared byte by byte.
    pub id: String,
    /// Place within the stage; [`None`] is refused by `build()`.
    pub order: Option<Order>,
    /// Id of the target system it changes.
    pub target_system: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it runs in a transaction of its target; [`None`]: if the target supports it.
    pub transactional: Option<bool>,
    /// What a later run may do when the outcome is uncertain.
    pub recovery: RecoveryStrategy,
    /// Stage it names; [`None`]: by module path.
    pub stage: Option<String>,
    /// Profiles it is for: any of them; `!x` means x is not active; empty: always.
    pub profiles: Vec<String>,
    /// How long each of its methods may take; [`None`]: as long as it likes.
    pub timeout: Option<Duration>,
    /// What it was made from.
    pub kind: ChangeKind,
    /// Where it is written.
    pub source: Source,
    /// Path of the module that holds it.
    pub module: String,
    /// `v1:` and the SHA-256 of its normalised text, in hexadecimal.
    pub checksum: String,
    /// Applies it.
    pub apply: Method,
    /// Undoes or compensates it.
    pub rollback: Option<Method>,
    /// Looks whether the target has it.
    pub verify: Option<Method<TargetState>>,
}

impl Change {
    /// A change with the given essentials and defaults for the rest; set the public fields as needed.
    pub fn new(
        id: impl Into<String>,
        order: Order,
        target_system: impl Into<String>,
        source: Source,
        checksum: impl Into<String>,
        apply: Method,
    ) -> Self {
        Self {
            id: id.into(),
            order: Some(order),
            target_system: target_system.into(),
            author: None,
            description: None,
            transactional: None,
            recovery: RecoveryStrategy::default(),
            stage: None,
            profiles: Vec::new(),
            timeout: None,
            kind: ChangeKind::Code,
            source,
            module: String::new(),
            checksum: checksum.into(),
            apply,
            rollback: None,
            verify: None,
        }
    }

    /// The order's text, or nothing where there is none.
    pub fn order_text(&self) -> &str {
        self.order.as_ref().map_or("", Order::as_str)
    }

    /// Whether it is for these active profiles. No active profile counts as `default`.
    pub fn is_for(&self, active: &[String]) -> bool {
        let on = |name: &str| {
            if active.is_empty() { name == "default" } else { active.iter().any(|profile| profile == name) }
        };
        self.profiles.is_empty()
            || self.profiles.iter().any(|profile| match profile.strip_prefix('!') {
                Some(name) => !on(name),
                None => on(profile),
            })
    }
}
