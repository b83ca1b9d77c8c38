use std::fmt::Write as _;

use flamingock_core::audit::{AuditEntry, AuditState, Evidence, Operation};

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
        // So many columns need a wide terminal; else each entry gets some lines.
        let as_lines = extended && width() < if paged { 230 } else { 180 };
        let mut columns = vec![("Seq", 6), ("Change", 0), ("State", if width() < 110 { 14 } else { 28 })];
        columns.push(("Operation", 9));
        match extended {
            true => columns.extend([
                ("Time", 20),
                ("Took", 8),
                ("By", 12),
                ("Target", 22),
                ("Run", 36),
                ("Host", 12),
                ("Source", 32),
            ]),
            false if Self::is_narrow() => columns.push(("Time", 20)),
            false => columns.extend([("By", 14), ("Time", 20)]),
        }
        let (header, widths): (Vec<&'static str>, Vec<u16>) = columns.into_iter().unzip();
        let table = Table::new(output, &header);
        let table = if paged { table.widths(&widths) } else { table };
        Self { output, table, extended, as_lines }
    }

    /// Who did it is then left to `audit show`.
    fn is_narrow() -> bool {
        width() < 100
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
    // A change is its author's; what an operator did with it is the operator's.
    let author = entry.author.as_deref();
    let by = match entry.operation {
        Operation::Apply | Operation::Rollback => author,
        _ => entry.operator.as_deref().or(author),
    };
    let by = plain(line(by.unwrap_or_default(), 40));
    if extended {
        row.push(plain(time(entry.recorded_at)));
        row.push(plain(entry.duration.map(duration).unwrap_or_default()));
        row.push(by);
        row.push(plain(line(&format!("{} {}", entry.target_system, entry.target_address), 80)));
        row.push(plain(entry.execution.clone()));
        row.push(plain(line(&entry.hostname, 40)));
        row.push(plain(line(&entry.source, 80)));
    } else {
        if !EntryTable::is_narrow() {
            row.push(by);
        }
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
            text.push_str(&block(&format!("error     {error}"), "        "));
            text.push_str(&block(&error.causes, "                  caused by: "));
        }
    }
    text
}
