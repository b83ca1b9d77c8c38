use std::fmt::{self, Display};
use std::time::Duration;

use crate::audit::Verdict;
use crate::operate::{Resolution, proposed};
use crate::plan::{Issue, IssueReason};

use super::{ChangeOutcome, ChangeReport, Counters, Report, RunStatus, StageReport, StageState};

const RULE: &str = "========================================================================";

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenant = if self.tenant.is_empty() { String::new() } else { format!("/{}", self.tenant) };
        writeln!(f, "{RULE}\n Flamingock execution report — {}\n{RULE}", status(self.status))?;
        writeln!(f, " Service:   {}{tenant}", self.service)?;
        writeln!(f, " Execution: {}", self.execution)?;
        writeln!(f, " Started:   {}", self.started_at)?;
        writeln!(f, " Finished:  {}", self.finished_at)?;
        writeln!(f, " Duration:  {}", time(self.duration_ms))?;
        writeln!(f, " Stages:    {}", stages(self))?;
        writeln!(f, " Changes:   {}", changes(&self.changes))?;
        if let Some(head) = &self.head {
            writeln!(f, " Audit:     {}:{}", head.sequence, head.hash)?;
        }
        if !self.stages.is_empty() {
            writeln!(f, "\n Per-stage breakdown:")?;
        }
        self.stages.iter().try_for_each(|stage| stage.fmt(f))?;
        for (index, drift) in self.drifts.iter().enumerate() {
            writeln!(f, "{}   {drift}", if index == 0 { "\n Drift:\n" } else { "" })?;
        }
        f.write_str(RULE)
    }
}

impl Display for StageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = match self.state {
            StageState::Completed => "COMPLETED",
            StageState::UpToDate => "UP TO DATE",
            StageState::Failed => "FAILED",
            StageState::Blocked => "BLOCKED — manual intervention required",
            StageState::NotReached => "NOT REACHED",
        };
        writeln!(f, "   [{label}] {} ({})", self.name, time(self.duration_ms))?;
        writeln!(f, "     changes: {}", changes(&self.changes))?;
        self.details.iter().try_for_each(|change| change.fmt(f))
    }
}

impl Display for ChangeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = format!("[{}]", self.outcome);
        let (id, target) = (self.id.escape_debug(), &self.target_system);
        writeln!(f, "     {label:<13} {id}  ({target}, {})  {}", time(self.duration_ms), self.source)?;
        if let Some(error) = &self.error {
            indented(f, &format!("error: {error}"))?;
            for cause in error.causes.lines() {
                indented(f, &format!("caused by: {cause}"))?;
            }
        }
        self.note.iter().try_for_each(|note| indented(f, note))
    }
}

fn indented(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.lines().try_for_each(|line| writeln!(f, "         {line}"))
}

fn time(millis: u64) -> String {
    match millis {
        0 => "<1ms".to_owned(),
        _ => humantime::format_duration(Duration::from_millis(millis)).to_string(),
    }
}

fn status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Success => "SUCCESS",
        RunStatus::NoChanges => "NO CHANGES",
        RunStatus::Failed => "FAILED",
        RunStatus::Disabled => "DISABLED",
    }
}

fn in_state(report: &Report, state: StageState) -> usize {
    report.stages.iter().filter(|stage| stage.state == state).count()
}

fn stages(report: &Report) -> String {
    format!(
        "{} total — {} completed, {} failed, {} blocked, {} up to date, {} not reached",
        report.stages.len(),
        in_state(report, StageState::Completed),
        in_state(report, StageState::Failed),
        in_state(report, StageState::Blocked),
        in_state(report, StageState::UpToDate),
        in_state(report, StageState::NotReached),
    )
}

fn changes(counters: &Counters) -> String {
    let Counters { total, applied, already_applied, failed, not_reached, .. } = counters;
    let held = besides(counters);
    format!(
        "{total} total — {applied} newly applied, {already_applied} already applied{held}, {failed} failed, {not_reached} not reached"
    )
}

/// What most runs have none of.
fn besides(counters: &Counters) -> String {
    let some = |count: usize, what: &str| (count > 0).then(|| format!(", {count} {what}"));
    [some(counters.undone, "undone"), some(counters.held, "held")].into_iter().flatten().collect()
}

pub(super) fn summary(report: &Report) -> String {
    let Counters { applied, already_applied, failed, not_reached, .. } = report.changes;
    let (took, held) = (time(report.duration_ms), besides(&report.changes));
    match report.status {
        RunStatus::Disabled => "Flamingock is disabled: nothing was looked at".to_owned(),
        RunStatus::NoChanges => {
            format!("Flamingock: up to date, {already_applied} change(s) applied before{held}; took {took}")
        }
        RunStatus::Success => {
            format!(
                "Flamingock: {applied} change(s) newly applied, {already_applied} before{held}; took {took}"
            )
        }
        RunStatus::Failed => {
            let ids = |wanted: fn(ChangeOutcome) -> bool| {
                let ids: Vec<_> =
                    report.failing().filter(|c| wanted(c.outcome)).map(|c| c.id.as_str()).collect();
                ids.join(", ")
            };
            let issues = ids(|outcome| outcome == ChangeOutcome::Issue);
            let failing = ids(|outcome| outcome != ChangeOutcome::Issue);
            let mut line = format!(
                "Flamingock: {applied} change(s) newly applied, {already_applied} before{held}, {failed} failed, {not_reached} not reached; took {took}"
            );
            if !failing.is_empty() {
                line.push_str(&format!("; failed: {failing}"));
            }
            if !issues.is_empty() {
                line.push_str(&format!("; {}{issues}", Verdict::NEEDS_OPERATOR));
            }
            line
        }
    }
}

impl Issue {
    /// What to do next. The commands are those that are accepted, whether or not the target is asked.
    pub(crate) fn remedy(&self) -> String {
        let id = proposed::change_of(&self.entry.history(), &self.change);
        let applied = proposed::ruling(&self.entry, Resolution::Applied, true);
        let rolled_back = proposed::ruling(&self.entry, Resolution::RolledBack, true);
        let (again, instead) = match self.reason {
            IssueReason::Uncertain { .. } | IssueReason::PartiallyApplied => (
                " and is to run again",
                "; or give the change a #[verify], or `recovery = always_retry` if it may be applied twice",
            ),
            IssueReason::UndoUncertain => (" and is to run again", "; or give the change a #[verify]"),
            IssueReason::StillRunning(_) => (
                " and is to run again",
                "; but make sure first that its session is gone: the next start tries to end it, and cannot where \
                 its server has been replaced",
            ),
            IssueReason::RulingDisagrees => (" and is to run again", ""),
            IssueReason::Removed => {
                ("", "; or put it back into the code as it was: its target is then asked")
            }
            IssueReason::Moved => {
                (" and is to run again", "; or give it back what it had: its target is then asked")
            }
        };
        format!(
            "look at the target (`flamingock issue get -c {id}` says how), then rule: {applied} if the target has \
             the change, {rolled_back} if it has not{again}{instead}"
        )
    }
}

pub(super) fn explanation(report: &Report) -> String {
    let lines = report.failing().map(|change| {
        let (source, id, target) = (&change.source, change.id.escape_debug(), &change.target_system);
        let error = change.error.as_ref().map(|error| format!(": {error}"));
        let note = change.note.as_ref().map(|note| format!("; {note}"));
        let next = change.remedy.as_ref().map(|remedy| format!("; {remedy}"));
        let (error, note, next) =
            (error.unwrap_or_default(), note.unwrap_or_default(), next.unwrap_or_default());
        format!("\n  - {source}: change `{id}` on `{target}`: {}{error}{note}{next}", change.outcome)
    });
    summary(report) + &lines.collect::<String>()
}
