use std::sync::Arc;

/// What the tools are given: the same SQL for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) count: usize,
    pub(crate) body: Body,
}

/// What one change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Next to nothing, so that what is measured is the tool.
    Select,
    /// A table, so that a change that runs twice fails.
    Table,
}

impl Changes {
    pub(crate) fn selects(count: usize) -> Self {
        Self { count, body: Body::Select }
    }

    pub(crate) fn tables(count: usize) -> Self {
        Self { count, body: Body::Table }
    }

    /// The numbers of the changes.
    pub(crate) fn numbers(self) -> std::ops::RangeInclusive<usize> {
        1..=self.count
    }

    pub(crate) fn sql(self, number: usize) -> Arc<str> {
        match self.body {
            Body::Select => format!("SELECT {number}"),
            Body::Table => format!("CREATE TABLE bench_{number} (id INTEGER PRIMARY KEY)"),
        }
        .into()
    }
}

/// The name of a change, for those tools that have names.
pub(crate) fn name(number: usize) -> String {
    format!("m{number:06}_change")
}
