use super::{Change, ChangeEntry};

/// The changes at or below a module, named by [`change_set!`](crate::change_set).
///
/// Naming the constant is what links the crate: a crate that is only listed in `Cargo.toml`
/// contributes no changes, silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeSet {
    module: &'static str,
}

impl ChangeSet {
    /// The set at or below a module path such as `orders_changes::events`.
    pub const fn new(module: &'static str) -> Self {
        Self { module }
    }

    /// The path of the module.
    pub fn module(&self) -> &'static str {
        self.module
    }

    /// The changes of the set, in no particular order.
    pub fn changes(&self) -> Vec<Change> {
        linked().filter(|entry| within(entry.module, self.module)).map(Change::from).collect()
    }

    /// Every change linked into this process, in no particular order.
    pub fn everything_linked() -> Vec<Change> {
        linked().map(Change::from).collect()
    }
}

/// The only reader of the link-time registry.
fn linked() -> impl Iterator<Item = &'static ChangeEntry> {
    inventory::iter::<ChangeEntry>.into_iter()
}

/// Whether `module` is `ancestor` or lies below it.
pub(crate) fn within(module: &str, ancestor: &str) -> bool {
    module.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Names all changes at or below the module in which it stands:
/// `flamingock::change_set!(pub CHANGES);`
#[macro_export]
macro_rules! change_set {
    ($(#[$meta:meta])* $visibility:vis $name:ident $(;)?) => {
        $(#[$meta])*
        #[doc = "The changes at or below this module."]
        $visibility const $name: $crate::change::ChangeSet = $crate::change::ChangeSet::new(::core::module_path!());
    };
}
