//! What a run tells while it runs: events to listeners, and spans to `tracing`.
//!
//! | span | fields |
//! |---|---|
//! | `flamingock.run` | `service`, `tenant`, `execution.id`, `status` |
//! | `flamingock.stage` | `stage` |
//! | `flamingock.change` | `change.id`, `change.order`, `change.attempt`, `stage`, `target_system`, `outcome` |
//!
//! What the methods of a change log is inside its span.

use std::fmt;
use std::sync::Arc;

use crate::lock::Holder;
use crate::plan::Drift;
use crate::report::{ChangeReport, Report, StageReport};

/// Something that happened in a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run begins.
    PipelineStarted {
        /// Id of the run.
        execution: &'a str,
    },
    /// Another instance holds the lock; told once for each holder.
    Waiting {
        /// Who.
        holder: &'a Holder,
    },
    /// Code and audit have drifted apart.
    Drifted {
        /// Where and how.
        drift: &'a Drift,
    },
    /// A stage with something to do begins.
    StageStarted {
        /// Its name.
        stage: &'a str,
        /// How many of its changes are pending.
        pending: usize,
    },
    /// A change begins.
    ChangeStarted {
        /// Id of the change.
        change: &'a str,
        /// Its stage.
        stage: &'a str,
        /// Its target system.
        target_system: &'a str,
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// A change says how far it is.
    ChangeProgress {
        /// Id of the change.
        change: &'a str,
        /// How much is done.
        done: u64,
        /// Of how much.
        total: u64,
        /// In its own words.
        message: &'a str,
    },
    /// A change has ended.
    ChangeFinished {
        /// How.
        report: &'a ChangeReport,
    },
    /// A stage has ended.
    StageFinished {
        /// How.
        report: &'a StageReport,
    },
    /// The run has ended; the lock is free.
    PipelineFinished {
        /// How.
        report: &'a Report,
    },
}

/// The listeners of a builder. One that panics is left out for that event, and the run goes on.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Vec<Arc<Listener>>);

type Listener = dyn Fn(&Event<'_>) + Send + Sync;

impl Listeners {
    pub(crate) fn add(&mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        self.0.push(Arc::new(listener));
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        for listener in &self.0 {
            let call = std::panic::AssertUnwindSafe(|| listener(event));
            if std::panic::catch_unwind(call).is_err() {
                tracing::error!("an event listener panicked");
            }
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} listeners", self.0.len())
    }
}

impl crate::change::ProgressSink for Listeners {
    fn progress(&self, change: &str, done: u64, total: u64, message: &str) {
        self.tell(&Event::ChangeProgress { change, done, total, message });
    }
}
