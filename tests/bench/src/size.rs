use std::time::Duration;

/// How much is measured.
pub(crate) struct Size {
    /// How many changes are applied already, for a start with nothing to do.
    pub(crate) applied: &'static [usize],
    /// How many changes a first start applies.
    pub(crate) fresh: usize,
    /// How often a first start is measured.
    pub(crate) fresh_rounds: usize,
    /// How many instances start together, on how many changes, how often.
    pub(crate) instances: usize,
    pub(crate) instance_changes: usize,
    pub(crate) instance_rounds: usize,
    /// How many changes are applied when a start's cost is counted.
    pub(crate) counted: usize,
}

impl Size {
    pub(crate) const FULL: Self = Self {
        applied: &[100, 1_000, 10_000, 100_000],
        fresh: 1_000,
        fresh_rounds: 3,
        instances: 50,
        instance_changes: 20,
        instance_rounds: 5,
        counted: 1_000,
    };

    pub(crate) const QUICK: Self = Self {
        applied: &[100, 1_000],
        fresh: 100,
        fresh_rounds: 2,
        instances: 10,
        instance_changes: 5,
        instance_rounds: 1,
        counted: 100,
    };

    /// A start with nothing to do is measured at most so often, ..
    pub(crate) const MOST_STARTS: usize = 20;
    /// .. and no more once so much time has gone into it.
    pub(crate) const BUDGET: Duration = Duration::from_secs(10);
    /// A start that takes longer is given up.
    pub(crate) const LIMIT: Duration = Duration::from_secs(120);
}
