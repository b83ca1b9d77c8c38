use std::fmt::Write as _;

use flamingock_core::audit::{AuditEntry, AuditState, Evidence};

use super::{Table, block, duration, line, time};
use crate::output::{Output, Tone, width};

/// Entries as rows.
pub(crate) struct EntryTable<'a> {
    output: &'a Output,
    table: Table<'a>,
    extended: bool,
    as_lines: bool,
}

impl<'a> EntryTable<'a> {
    /// `paged`: it comes in pages, whose columns must stand below each other.
    pub(crate) fn new(output: &'a Output, extended: bool, paged: bool) -> Self {
        let header: &[&'static str] = if extended {
            &[
                "Seq",
                "Change",
                "State",
                "Operation",
                "Time",
                "Took",
                "Author",
                "Target",
                "Run",
                "Host",
                "Source",
            ]
        } else {
            &["Seq", "Change", "State", "Operation", "Author", "Time"]
        };
        let state = if width() < 110 { 14 } else { 27 };
        let widths: &[u16] = match extended {
            true => &[6, 0, state, 9, 20, 6, 10, 22, 36, 10, 24],
            false => &[6, 0, state, 9, 10, 20],
        };
        let table = Table::new(output, header);
        let table = if paged { table.widths(widths) } else { table };
        // So many columns need a wide terminal; else each entry gets some lines.
        Self { output, table, extended, as_lines: extended && width() < 180 }
    }

    pub(crate) fn page(&mut self, entries: &[AuditEntry]) -> String {
        if self.as_lines {
            return life(self.output, entries, true).trim_end().to_owned();
        }
        let rows = entries.iter().map(|entry| row(entry, self.extended)).collect();
        self.table.page(rows)
    }
}

fn row(entry: &AuditEntry, extended: bool) -> Vec<(String, Tone)> {
    let plain = |text: String| (text, Tone::Plain);
    let name = if entry.change.is_empty() {
        line(entry.description.as_deref().unwrap_or_default(), 60)
    } else {
        line(&entry.change, 80)
    };
    let mut row = vec![
        (entry.sequence.to_string(), Tone::Dim),
        plain(name),
        state(entry),
        plain(entry.operation.to_string()),
    ];
    let author = entry.operator.as_deref().or(entry.author.as_deref()).unwrap_or_default();
    let author = plain(line(author, 40));
    if extended {
        row.push(plain(time(entry.recorded_at)));
        row.push(plain(entry.duration.map(duration).unwrap_or_default()));
        row.push(author);
        row.push(plain(line(&format!("{} {}", entry.target_system, entry.target_address), 80)));
        row.push(plain(entry.execution.clone()));
        row.push(plain(line(&entry.hostname, 40)));
        row.push(plain(line(&entry.source, 80)));
    } else {
        row.push(author);
        row.push(plain(time(entry.recorded_at)));
    }
    row
}

pub(crate) fn state(entry: &AuditEntry) -> (String, Tone) {
    let Some(state) = entry.state else { return (String::new(), Tone::Dim) };
    let tone = match state {
        AuditState::Applied | AuditState::ManualMarkedAsApplied => Tone::Good,
        AuditState::RolledBack | AuditState::ManualMarkedAsRolledBack => Tone::Plain,
        AuditState::Started => Tone::Warn,
        AuditState::Failed | AuditState::RollbackFailed => Tone::Bad,
    };
    (state.to_string(), tone)
}

/// Entry by entry, a few lines each; with the names of the changes where they are of several.
pub(crate) fn life(output: &Output, entries: &[AuditEntry], named: bool) -> String {
    let mut text = String::new();
    for entry in entries {
        let (name, tone) = state(entry);
        let head = format!("{:>6}  {}", entry.sequence, time(entry.recorded_at));
        if named {
            let _ = writeln!(text, "{}", output.paint(Tone::Strong, &line(&entry.change, 200)));
        }
        let _ = write!(text, "{head}  {}", output.paint(tone, &name));
        let _ = write!(text, "  {}, attempt {}", entry.operation, entry.attempt);
        if let Some(took) = entry.duration {
            let _ = write!(text, ", took {}", duration(took));
        }
        text.push('\n');
        let on = format!("{} ({}, {})", entry.target_system, entry.target_kind, entry.target_address);
        let mut facts = vec![("on", on), ("run", format!("{} on {}", entry.execution, entry.hostname))];
        if entry.evidence != Evidence::None {
            facts.push(("evidence", entry.evidence.to_string()));
        }
        facts.extend(entry.refers_to.map(|sequence| ("answers", format!("entry {sequence}"))));
        facts.extend(entry.operator.clone().map(|operator| ("operator", operator)));
        facts.extend(entry.reason.clone().map(|reason| ("reason", reason)));
        facts.extend(entry.step.clone().map(|step| ("step", step)));
        for (name, fact) in facts {
            text.push_str(&block(&format!("{name:<9} {fact}"), "        "));
        }
        if let Some(error) = &entry.error {
            text.push_str(&block(&format!("error     {}: {}", error.type_name, error.message), "        "));
            text.push_str(&block(&error.causes, "                  caused by: "));
        }
    }
    text
}
