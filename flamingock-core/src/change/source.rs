use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a change is written: `file:line`, or a template file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Path as the compiler knows it, relative to the package or the workspace.
    pub file: String,
    /// Line, counted from 1; 0 where it is not known.
    pub line: u32,
}

impl Source {
    /// A place in a file.
    pub fn new(file: impl Into<String>, line: u32) -> Self {
        Self { file: file.into(), line }
    }

    /// The order in a file name of the form `_<ORDER>__<name>.rs`, if the file is named so.
    ///
    /// ```
    /// # use flamingock_core::change::Source;
    /// assert_eq!(Source::new("changes/_0003__add_code.rs", 1).order(), Some("0003"));
    /// assert_eq!(Source::new("changes/add_code.rs", 1).order(), None);
    /// ```
    pub fn order(&self) -> Option<&str> {
        let name = self.file.rsplit(['/', '\\']).next()?;
        let (order, rest) = name.strip_prefix('_')?.split_once("__")?;
        (!order.is_empty() && !rest.is_empty()).then_some(order)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}
