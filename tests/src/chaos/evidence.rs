use anyhow::{Context as _, Result};
use flamingock::History;
use flamingock::audit::{AuditEntry, EntryFilter, Head};

use crate::changes::mixed::{Spec, Trace};
use crate::place::Place;

/// What the checker judges by: the audit, and what the targets contain.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) entries: Vec<AuditEntry>,
    pub(super) head: Option<Head>,
    /// What changes left.
    pub(super) traces: Vec<Trace>,
    /// What `verify` saw.
    pub(super) looks: Vec<Trace>,
}

impl Evidence {
    pub(super) async fn gather(place: &Place, specs: &[Spec]) -> Result<Self> {
        let (store, history) = (place.store().await?, History::new("replica"));
        let mut entries: Vec<AuditEntry> = Vec::new();
        loop {
            let after = entries.last().map_or(0, |entry| entry.sequence);
            let page = store.entries(&history, &EntryFilter { after, ..EntryFilter::default() }).await?;
            if page.is_empty() {
                break;
            }
            entries.extend(page);
        }
        let head = store.head(&history).await?;
        let folder = place.folder()?;
        let mut lines = place.rows().await?;
        specs.iter().for_each(|spec| lines.extend(folder.read_lines(&spec.id)));
        let parse = |lines: Vec<String>| -> Result<Vec<Trace>> {
            lines
                .iter()
                .map(|line| Trace::parse(line).with_context(|| format!("`{line}` is no trace")))
                .collect()
        };
        Ok(Self { entries, head, traces: parse(lines)?, looks: parse(folder.read_lines("looks"))? })
    }

    /// The entries of a change.
    pub(super) fn of<'a>(&'a self, id: &'a str) -> impl DoubleEndedIterator<Item = &'a AuditEntry> {
        self.entries.iter().filter(move |entry| entry.change == id)
    }

    /// Everything, for a person.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("the audit:\n");
        for entry in &self.entries {
            let state = entry.state.map_or("-", |state| state.as_str());
            let error = entry.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
            text += &format!(
                "  {:>3} token {:<3} {} {:<8} {:<12} attempt {} run {} {} {error}\n",
                entry.sequence,
                entry.token,
                entry.change,
                entry.operation,
                state,
                entry.attempt,
                entry.execution,
                entry.evidence,
            );
        }
        text += "the targets:\n";
        self.traces.iter().chain(&self.looks).for_each(|trace| text += &format!("  {trace}\n"));
        text
    }
}
