//! How answers look on a terminal.

mod entry;
mod issue;
mod plan;
mod table;

use std::time::Duration;

use flamingock_core::operate::Standing;
pub(crate) use flamingock_core::operate::quoted;
use jiff::Timestamp;

pub(crate) use entry::{EntryTable, life};
pub(crate) use issue::{Issue, issues};
pub(crate) use plan::{examination, plan, validation};
pub(crate) use table::Table;

use crate::output::Tone;

/// In UTC, to the second.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

pub(crate) fn duration(micros: u64) -> String {
    if micros < 1000 {
        return format!("{micros}us");
    }
    humantime::format_duration(Duration::from_millis(micros / 1000)).to_string()
}

/// One line of it, without control characters: what is stored may hold anything.
pub(crate) fn line(text: &str, limit: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    let clean: String = first.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= limit && first.len() == text.trim_end().len() {
        return clean;
    }
    clean.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// All lines of it, without control characters that could move the cursor.
pub(crate) fn block(text: &str, indent: &str) -> String {
    let clean = |line: &str| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    text.lines().map(|line| format!("{indent}{}\n", clean(line))).collect()
}

pub(crate) fn tone(standing: Standing) -> Tone {
    match standing {
        Standing::Applied => Tone::Good,
        Standing::RolledBack | Standing::Held => Tone::Plain,
        Standing::Running => Tone::Strong,
        Standing::Failing | Standing::Uncertain => Tone::Warn,
        Standing::Issue => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_cannot_move_the_cursor() {
        assert_eq!(line("a\u{1b}[2Jb", 20), "a [2Jb");
        assert_eq!(line("first\nsecond", 20), "first…");
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(block("a\u{7}\nb", "  "), "  a \n  b\n");
    }
}
