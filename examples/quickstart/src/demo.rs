use std::time::Duration;

/// What the command line asks of the changes: they take it as `&Demo`, like any dependency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demo {
    /// Fail half-way.
    pub(crate) breaks: bool,
    /// Leave time to kill the process half-way.
    pub(crate) slow: bool,
}

impl Demo {
    const PAUSE: Duration = Duration::from_secs(1);

    pub(crate) async fn pause(&self) {
        if self.slow {
            tokio::time::sleep(Self::PAUSE).await;
        }
    }

    pub(crate) fn pause_blocking(&self) {
        if self.slow {
            std::thread::sleep(5 * Self::PAUSE);
        }
    }
}
