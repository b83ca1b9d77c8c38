use flamingock::event::Event;
use flamingock::report::ChangeReport;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows what happens: a bar on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout()))
    }

    pub(crate) fn show(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } => {
                let left = holder.remaining.map(|left| format!(" for {} s more", left.as_secs()));
                let left = left.unwrap_or_default();
                self.line(&format!("waiting     {} has the lock{left}, unless it extends it", holder.owner));
            }
            Event::ChangeStarted { change, target_system, attempt, .. } => {
                self.started(change, target_system, *attempt);
            }
            Event::ChangeProgress { change, done, total, message } => {
                self.progress(change, *done, *total, message);
            }
            Event::ChangeFinished { report } => self.finished(report),
            Event::PipelineFinished { .. } => self.0.finish_and_clear(),
            _ => {}
        }
    }

    fn started(&self, change: &str, target_system: &str, attempt: u32) {
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        if self.0.is_hidden() {
            println!("start       {change} on {target_system}{again}");
            return;
        }
        self.style("{spinner} {prefix}");
        self.0.set_prefix(format!("{change}{again}"));
        self.0.tick();
    }

    fn progress(&self, change: &str, done: u64, total: u64, message: &str) {
        if self.0.is_hidden() {
            println!("            {change}: {done} of {total} {message}");
            return;
        }
        self.style("{spinner} {prefix} {wide_bar} {pos} of {len} {msg}");
        self.0.set_length(total);
        self.0.set_position(done);
        self.0.set_message(message.to_owned());
    }

    fn finished(&self, change: &ChangeReport) {
        let note = change.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        self.line(&format!("{:<11} {}{note}", change.outcome.to_string().to_lowercase(), change.id));
    }

    fn style(&self, template: &str) {
        // One that does not parse would be a bar in another style, not a failed run.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
    }

    fn line(&self, text: &str) {
        if self.0.is_hidden() { println!("{text}") } else { self.0.println(text) }
    }
}
