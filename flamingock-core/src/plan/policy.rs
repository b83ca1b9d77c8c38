use std::fmt;

use crate::change::Source;
use crate::words::words;

words! {
    /// What to do about something that is unexpected but not uncertain.
    Policy {
        /// Nothing.
        Ignore = "ignore",
        /// Say so and go on.
        Warn = "warn",
        /// Stop before anything runs.
        Fail = "fail",
    }
}

/// What to do when code and audit have drifted apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policies {
    /// The code of an applied change was edited. Default: warn.
    pub changed_code: Policy,
    /// The text of an applied template was edited. Default: fail.
    pub changed_template: Policy,
    /// The code no longer has an applied change. Default: warn.
    pub missing: Policy,
    /// A new change stands before the last applied one. Default: apply it and warn.
    pub out_of_order: Policy,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            changed_code: Policy::Warn,
            changed_template: Policy::Fail,
            missing: Policy::Warn,
            out_of_order: Policy::Warn,
        }
    }
}

impl Policies {
    /// Sets [`changed_code`](Self#structfield.changed_code).
    ///
    /// ```
    /// # use flamingock_core::plan::{Policies, Policy};
    /// let strict = Policies::default().changed_code(Policy::Fail).missing(Policy::Fail);
    /// assert_eq!(strict.out_of_order, Policy::Warn);
    /// ```
    #[must_use]
    pub fn changed_code(mut self, policy: Policy) -> Self {
        self.changed_code = policy;
        self
    }

    /// Sets [`changed_template`](Self#structfield.changed_template).
    #[must_use]
    pub fn changed_template(mut self, policy: Policy) -> Self {
        self.changed_template = policy;
        self
    }

    /// Sets [`missing`](Self#structfield.missing).
    #[must_use]
    pub fn missing(mut self, policy: Policy) -> Self {
        self.missing = policy;
        self
    }

    /// Sets [`out_of_order`](Self#structfield.out_of_order).
    #[must_use]
    pub fn out_of_order(mut self, policy: Policy) -> Self {
        self.out_of_order = policy;
        self
    }
}

impl fmt::Display for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed_code, changed_template, missing, out_of_order } = self;
        write!(f, "changed_code={changed_code} changed_template={changed_template} ")?;
        write!(f, "missing={missing} out_of_order={out_of_order}")
    }
}

/// How code and audit have drifted apart.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Drift {
    /// The change.
    pub change: String,
    /// Where it is written, if the code still has it.
    pub source: Option<Source>,
    /// What drifted.
    pub kind: DriftKind,
    /// What the policy says about it: warn or fail.
    pub policy: Policy,
}

words! {
    /// What drifted.
    DriftKind {
        /// Its checksum is not the one with which it was applied.
        Changed = "CHANGED",
        /// It is applied, and the code no longer has it.
        Missing = "MISSING",
        /// It is pending, and a change after it is applied.
        OutOfOrder = "OUT_OF_ORDER",
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "change `{}`", self.change.escape_debug())?;
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        f.write_str(match self.kind {
            DriftKind::Changed => {
                " was edited after it was applied: put it back as it was and write a new change instead"
            }
            DriftKind::Missing => " is applied, but the code no longer has it: is this an older release?",
            DriftKind::OutOfOrder => " is pending, but a change after it is applied already",
        })
    }
}
