use flamingock_core::audit::{AuditEntry, EntryFilter};
use flamingock_core::operate::{Operator, Outcome, Request, Standing, Status, nearest};
use flamingock_core::report::Report;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use crate::error::{Problem, Result};
use crate::progress::Progress;
use crate::session::Session;

/// `2026-11-01`, `2026-11-01T10:30` (UTC), or a time with its zone.
pub(crate) fn time(text: &str) -> std::result::Result<Timestamp, String> {
    let utc = |time: civil::DateTime| time.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>()
        .or_else(|_| text.parse::<civil::DateTime>().and_then(utc))
        .map_err(|_| "not a date: write 2026-11-01, 2026-11-01T10:30 or 2026-11-01T10:30:00Z".to_owned())
}

/// The change was not found: says which ids are near.
pub(crate) fn unknown_change<'a>(id: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let near: Vec<String> = nearest(id, known).iter().map(|id| format!("`{}`", id.escape_debug())).collect();
    let hint = if near.is_empty() {
        "`flamingock audit list` shows those that it knows".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Problem::new("UNKNOWN_CHANGE", format!("the audit knows no change `{}`: {hint}", id.escape_debug()))
}

/// The newest entry of a change, and where it stands.
pub(crate) fn change<'s>(status: &'s Status, id: &str) -> Result<&'s (AuditEntry, Standing)> {
    let known = || status.changes.iter().map(|(entry, _)| entry.change.as_str());
    status.change(id).ok_or_else(|| unknown_change(id, known()))
}

/// The status; refuses ids that the audit does not know.
pub(crate) async fn known(operator: &Operator, ids: impl Iterator<Item = &str>) -> Result<Status> {
    let status = operator.status().await?;
    for id in ids {
        change(&status, id)?;
    }
    Ok(status)
}

/// All entries of a change, oldest first.
pub(crate) async fn life(operator: &Operator, change: &str) -> Result<Vec<AuditEntry>> {
    let mut filter = EntryFilter { change: Some(change.to_owned()), ..EntryFilter::default() };
    let mut life = Vec::new();
    loop {
        let page = operator.entries(&filter).await?;
        let Some(last) = page.last() else { return Ok(life) };
        filter.after = last.sequence;
        life.extend(page);
    }
}

/// What went wrong last in the attempt that left a change as it is.
pub(crate) fn last_error(life: &[AuditEntry]) -> Option<String> {
    let run = &life.last()?.execution;
    let error =
        life.iter().rev().filter(|entry| entry.execution == *run).find_map(|entry| entry.error.as_ref())?;
    Some(error.to_string())
}

/// Asks for something that runs, and shows it as it goes.
pub(crate) async fn run_shown(session: &Session, request: Request) -> Result<Report> {
    let mut progress = Progress::new(&session.output);
    match session.ask(request, move |notice| progress.show(&notice)).await? {
        Outcome::Report(report) => Ok(*report),
        _ => Err(unexpected()),
    }
}

/// Asks for something that is only looked at.
pub(crate) async fn look(session: &Session, request: Request) -> Result<Outcome> {
    session.ask(request, |_| {}).await
}

/// The application answered something else.
pub(crate) fn unexpected() -> Problem {
    let message = "the application answered something else than was asked: use the `flamingock` of the same \
                   release as the application's library";
    Problem::new("APP_ANSWER", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_utc_and_mistakes_are_explained() {
        assert_eq!(time("2026-11-01").expect("a date").to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(time("2026-11-01T10:30").expect("a time").to_string(), "2026-11-01T10:30:00Z");
        assert_eq!(time("2026-11-01T10:30:00+01:00").expect("a time").to_string(), "2026-11-01T09:30:00Z");
        assert!(time("yesterday").expect_err("is none").contains("2026-11-01"));
        assert!(time("2026-13-01").is_err());
    }

    #[test]
    fn a_typing_error_is_answered_with_the_nearest_ids() {
        let problem = unknown_change("add-traking", ["add-tracking", "drop-orders"].into_iter());
        assert!(problem.message.contains("`add-tracking`") && !problem.message.contains("drop-orders"));
    }
}
