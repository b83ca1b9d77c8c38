use std::io::Write as _;

use flamingock_core::audit::{AuditEntry, AuditState, EntryFilter};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::shared;
use crate::error::{Problem, Result};
use crate::output::{Done, SCHEMA, print};
use crate::render::EntryTable;
use crate::session::Session;

/// Entries per page: the first is on the screen at once.
const PAGE: usize = 250;

/// The newest entry of each change, or the whole history.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock audit list --history --since 2026-11-01")]
pub(crate) struct Args {
    /// Every entry, not only the newest of each change
    #[arg(long)]
    history: bool,
    /// Only since this date (UTC)
    #[arg(long, value_name = "DATE", value_parser = shared::time)]
    since: Option<Timestamp>,
    /// Only in this state, such as FAILED
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<AuditState>,
    /// Only of this change
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    change: Option<String>,
    /// More columns
    #[arg(short, long)]
    extended: bool,
}

fn state(text: &str) -> std::result::Result<AuditState, String> {
    AuditState::parse(&text.to_uppercase()).ok_or_else(|| {
        "a state is one of STARTED, APPLIED, FAILED, ROLLED_BACK, ROLLBACK_FAILED, MANUAL_MARKED_AS_APPLIED, \
         MANUAL_MARKED_AS_ROLLED_BACK"
            .to_owned()
    })
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.operator().await?;
    if !args.history {
        let latest = shared::known(&operator, args.change.as_deref().into_iter()).await?.changes;
        let fits = |entry: &AuditEntry| {
            args.since.is_none_or(|since| since <= entry.recorded_at)
                && args.state.is_none_or(|state| Some(state) == entry.state)
                && args.change.as_ref().is_none_or(|change| *change == entry.change)
        };
        let entries: Vec<AuditEntry> =
            latest.into_iter().map(|(entry, _)| entry).filter(|entry| fits(entry)).collect();
        let table = EntryTable::new(&session.output, args.extended, false).page(&entries);
        let text = format!("{table}\n\n{} change(s)", entries.len());
        return Done::new(json!({ "entries": entries }), text);
    }

    shared::known(&operator, args.change.as_deref().into_iter()).await?;
    let Args { since, state, change, .. } = args;
    let mut filter = EntryFilter { limit: PAGE, since, state, change, ..EntryFilter::default() };
    let mut table = EntryTable::new(&session.output, args.extended, true);
    let mut writer = Entries::new(session);
    let secrets = session.secrets();
    loop {
        let page = match operator.entries(&filter).await {
            Ok(page) => page,
            Err(error) => return writer.failed(Problem::from(error).redacted(&secrets)),
        };
        let Some(last) = page.last() else { break };
        filter.after = last.sequence;
        let text = if session.output.json { String::new() } else { table.page(&page) };
        let mut data = serde_json::to_value(&page)?;
        let text = secrets.redact_answer(&mut data, &text);
        if session.output.json {
            writer.json(&data)?;
        } else {
            print(&text)?;
        }
    }
    writer.end()
}

/// The JSON answer, written as it comes: nothing grows with the history.
struct Entries {
    json: bool,
    began: bool,
    any: bool,
    name: &'static str,
}

impl Entries {
    fn new(session: &Session) -> Self {
        Self { json: session.output.json, began: false, any: false, name: session.output.name }
    }

    fn begin(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.began, true) {
            let name = self.name;
            write!(
                std::io::stdout(),
                "{{\"schema\": {SCHEMA}, \"command\": \"{name}\", \"data\": {{\"entries\": ["
            )?;
        }
        Ok(())
    }

    fn json(&mut self, page: &Value) -> Result<()> {
        self.begin()?;
        let mut out = std::io::stdout().lock();
        for entry in page.as_array().into_iter().flatten() {
            out.write_all(if self.any { b",\n" } else { b"\n" })?;
            serde_json::to_writer(&mut out, entry)?;
            self.any = true;
        }
        Ok(out.flush()?)
    }

    fn end(mut self) -> Result<Done> {
        if self.json {
            self.begin()?;
            print("\n]}, \"ok\": true, \"exit\": 0, \"error\": null}")?;
        }
        Ok(Done::streamed())
    }

    /// The answer stays one JSON document.
    fn failed(self, problem: Problem) -> Result<Done> {
        if !self.began {
            return Err(problem);
        }
        let exit = problem.exit;
        let error = serde_json::to_string(&problem)?;
        print(&format!("\n]}}, \"ok\": false, \"exit\": {exit}, \"error\": {error}}}"))?;
        Ok(Done::streamed().exit(exit))
    }
}
