use std::fmt::Write as _;

use flamingock_core::change::TargetState;
use flamingock_core::operate::{Action, Examination, Preview, Validation, Verdict};

use super::{Table, line, time};
use crate::output::{Output, Tone};

pub(crate) fn plan(output: &Output, preview: &Preview) -> String {
    let count = |action| preview.with(action).count();
    let mut text = format!(
        "{} to apply, {} to record, {} issue(s), {} applied already{}\n",
        count(Action::Apply),
        count(Action::Record),
        count(Action::Issue) + preview.removed.len(),
        count(Action::Skip),
        match count(Action::Held) {
            0 => String::new(),
            held => format!(", {held} held"),
        },
    );
    let mut rows = Vec::new();
    for stage in &preview.stages {
        for change in stage.changes.iter().filter(|change| change.action != Action::Skip) {
            let blocked = stage.blocked && !matches!(change.action, Action::Issue | Action::Held);
            let (action, tone) = match change.action {
                _ if blocked => ("BLOCKED", Tone::Warn),
                Action::Issue => ("ISSUE", Tone::Bad),
                Action::Held => ("HELD", Tone::Plain),
                action => (action.as_str(), Tone::Good),
            };
            let why = change.reason.clone().or_else(|| match change.attempt {
                Some(attempt) if attempt > 1 => Some(format!("attempt {attempt}")),
                _ if blocked => Some("an issue blocks its stage".to_owned()),
                _ => change.description.clone(),
            });
            rows.push(vec![
                (action.to_owned(), tone),
                (line(&stage.name, 40), Tone::Plain),
                (line(&change.order, 20), Tone::Plain),
                (line(&change.id, 80), Tone::Plain),
                (line(&change.target_system, 40), Tone::Plain),
                (line(&why.unwrap_or_default(), 120), Tone::Plain),
            ]);
        }
    }
    for (id, reason) in &preview.removed {
        let cells = ["ISSUE", "", "", id.as_str(), "", reason.as_str()];
        let cell = |cell: &str| (line(cell, 120), if cell == "ISSUE" { Tone::Bad } else { Tone::Plain });
        rows.push(cells.into_iter().map(cell).collect());
    }
    if !rows.is_empty() {
        let mut table = Table::new(output, &["Action", "Stage", "Order", "Change", "Target", "Why"]);
        let _ = write!(text, "\n{}\n", table.page(rows));
    }
    drifts(output, &mut text, &preview.drifts);
    let from = &preview.made_from;
    let _ = write!(text, "\nAudit at entry {}, pipeline {}", from.sequence, from.digest);
    text
}

fn drifts(output: &Output, text: &mut String, drifts: &[flamingock_core::plan::Drift]) {
    if !drifts.is_empty() {
        text.push_str("\nDrift\n");
    }
    for drift in drifts {
        let _ = writeln!(text, "  {} {drift}", output.paint(Tone::Warn, drift.policy.as_str()));
    }
}

pub(crate) fn validation(output: &Output, found: &Validation) -> String {
    let good = output.paint(Tone::Good, "ok");
    let bad = output.paint(Tone::Bad, "FAILED");
    let mut text = format!("{good}      wiring of {} change(s)\n", found.changes);
    for target in &found.targets {
        let name = format!("target system `{}` ({}) at {}", target.id, target.kind, target.address);
        let _ = match &target.problem {
            None => writeln!(text, "{good}      {name}"),
            Some(problem) => writeln!(text, "{bad}  {name}\n        {problem}"),
        };
    }
    let _ = match &found.audit_store {
        None => writeln!(text, "{good}      audit store"),
        Some(problem) => writeln!(text, "{bad}  audit store\n        {problem}"),
    };
    drifts(output, &mut text, &found.drifts);
    text
}

pub(crate) fn examination(output: &Output, found: &Examination) -> String {
    let mut text = format!("Change    {}\n", found.change);
    let _ = match &found.entry {
        None => writeln!(text, "Audit     it was never tried"),
        Some(entry) => {
            let (state, tone) = super::entry::state(entry);
            let state = output.paint(tone, &state);
            writeln!(text, "Audit     {state} at {} (entry {})", time(entry.recorded_at), entry.sequence)
        }
    };
    let _ = match (&found.marker, found.transactional) {
        (Some(marker), _) => writeln!(
            text,
            "Marker    {} (of entry {}, run {})",
            marker.state, marker.sequence, marker.execution
        ),
        (None, true) => writeln!(text, "Marker    none"),
        (None, false) => writeln!(text, "Marker    the target keeps none"),
    };
    let verify = match &found.verify {
        None => "the change has none".to_owned(),
        Some(Verdict::State(TargetState::Applied)) => "the target has it".to_owned(),
        Some(Verdict::State(TargetState::NotApplied)) => "the target has nothing of it".to_owned(),
        Some(Verdict::State(TargetState::PartiallyApplied)) => "the target has a part of it".to_owned(),
        Some(Verdict::Failed(error)) => format!("failed: {}", line(error, 200)),
    };
    let _ = writeln!(text, "#[verify] {verify}");
    let next = match found.next {
        Action::Apply => "applies it",
        Action::Skip | Action::Held => "leaves it alone",
        Action::Record => "records what is known",
        Action::Issue => "stops: an operator must look",
    };
    let why = found.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let _ = write!(text, "\nThe next start {next}{why}");
    text
}
