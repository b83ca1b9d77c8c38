use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use flamingock_core::lock::Holder;
use flamingock_core::operate::Notice;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{Output, Tone};
use crate::render::line;

/// Shows a run as it goes: a bar on a terminal, plain lines elsewhere. On standard error, so that the
/// answer is alone on standard output.
#[derive(Debug)]
pub(crate) struct Progress {
    output: Output,
    /// [`None`]: nothing, or plain lines.
    bar: Option<ProgressBar>,
    silent: bool,
}

impl Progress {
    pub(crate) fn new(output: &Output) -> Self {
        let silent = output.quiet || output.json;
        let bar = (!silent && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar.set_style(style("{spinner} waiting for the application"));
            bar
        });
        Self { output: output.clone(), bar, silent }
    }

    pub(crate) fn show(&mut self, notice: &Notice) {
        match notice {
            // Told where another one was named.
            Notice::AuditStore { .. } => {}
            Notice::Waiting { holder } => self.line(&waiting(holder)),
            Notice::StageStarted { stage, pending } => {
                self.line(&format!("stage {stage}: {pending} pending"));
                if let Some(bar) = &self.bar {
                    bar.set_length(bar.length().unwrap_or(0) + *pending as u64);
                    bar.set_style(style("{spinner} {bar:20} {pos} of {len} [{elapsed}] {wide_msg}"));
                }
            }
            Notice::ChangeStarted { change, target_system, attempt, .. } => {
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                match &self.bar {
                    Some(bar) => {
                        // To undo, nobody has said how many there are.
                        if bar.length() == Some(0) {
                            bar.set_style(style("{spinner} [{elapsed}] {wide_msg}"));
                        }
                        bar.set_message(format!("{change}{again}"));
                        bar.reset_elapsed();
                    }
                    None => self.line(&format!("  start        {change} on {target_system}{again}")),
                }
            }
            Notice::ChangeProgress { change, done, total, message } => match &self.bar {
                Some(bar) => bar.set_message(format!("{change}: {done} of {total} {}", line(message, 60))),
                None => {
                    self.line(&format!("               {change}: {done} of {total} {}", line(message, 200)))
                }
            },
            Notice::ChangeFinished { report } => {
                use flamingock_core::report::ChangeOutcome::{Applied, Held, Recovered, Undone};
                let good = matches!(report.outcome, Applied | Held | Recovered | Undone);
                let tone = if good { Tone::Good } else { Tone::Bad };
                let outcome = self.output.on_error(tone, &format!("{:<12}", report.outcome.as_str()));
                let took = humantime::format_duration(Duration::from_millis(report.duration_ms));
                self.line(&format!("  {outcome} {} ({took})", report.id));
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.silent => {}
            None => {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // One that does not parse would be a bar in another style, not a failed run.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

pub(crate) fn waiting(holder: &Holder) -> String {
    let left = holder.remaining.map(|left| format!(", for {} s more unless it extends it", left.as_secs()));
    format!("waiting: {} has the lock{}", holder.owner, left.unwrap_or_default())
}
