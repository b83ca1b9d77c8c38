use std::fmt::Write as _;

use flamingock_core::audit::AuditEntry;
use flamingock_core::operate::{Operator, Standing, Status};
use serde_json::{Value, json};

use crate::error::Result;
use crate::output::{Done, Output, Tone};
use crate::render::{line, time};
use crate::session::Session;

/// Where every service stands: head, lock, running change, last failure, counts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock status --audit-store sqlite://audit.db")]
pub(crate) struct Args {
    /// Exit with 3 when something needs an operator
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let mut all = Vec::new();
    let mut text = String::new();
    let mut issues = false;
    for operator in session.operators().await? {
        let status = operator.status().await?;
        issues |= status.count(Standing::Issue) > 0 || status.is_blocked();
        text.push_str(&show(&session.output, &operator, &status));
        all.push(data(&operator, &status));
    }
    let exit = if args.check && issues { 3 } else { 0 };
    Ok(Done::new(json!({ "histories": all }), text)?.exit(exit))
}

const COUNTED: [Standing; 7] = [
    Standing::Applied,
    Standing::RolledBack,
    Standing::Held,
    Standing::Running,
    Standing::Failing,
    Standing::Uncertain,
    Standing::Issue,
];

fn data(operator: &Operator, status: &Status) -> Value {
    let counts: serde_json::Map<String, Value> = COUNTED
        .iter()
        .map(|standing| (standing.as_str().to_lowercase(), status.count(*standing).into()))
        .collect();
    json!({
        "service": operator.history().service,
        "tenant": operator.history().tenant,
        "head": status.head.as_ref().map(|head| json!({
            "sequence": head.sequence,
            "hash": head.hash,
            "complete": !head.digests.is_empty(),
            "verdict": head.verdict,
        })),
        "lock": status.holder,
        "running": running(status).map(|entry| &entry.change),
        "last_failure": last_failure(status),
        "held": held(status),
        "counts": counts,
    })
}

fn running(status: &Status) -> Option<&AuditEntry> {
    status.changes.iter().find(|(_, standing)| *standing == Standing::Running).map(|(entry, _)| entry)
}

fn held(status: &Status) -> Vec<&str> {
    let held = status.changes.iter().filter(|(_, standing)| *standing == Standing::Held);
    held.map(|(entry, _)| entry.change.as_str()).collect()
}

fn last_failure(status: &Status) -> Option<&AuditEntry> {
    let bad = [Standing::Failing, Standing::Uncertain, Standing::Issue];
    status.changes.iter().rev().find(|(_, standing)| bad.contains(standing)).map(|(entry, _)| entry)
}

fn show(output: &Output, operator: &Operator, status: &Status) -> String {
    let mut text = format!("{}\n", output.paint(Tone::Strong, &operator.history().to_string()));
    let Some(head) = &status.head else {
        return text + "  it never ran\n";
    };
    let up_to_date = if head.digests.is_empty() { "" } else { ", complete" };
    let _ = writeln!(text, "  Head     entry {}{up_to_date}, {}", head.sequence, head.hash);
    let lock = status.holder.as_ref().map_or("free".to_owned(), |holder| {
        let left = holder.remaining.map(|left| format!(", {} s left", left.as_secs())).unwrap_or_default();
        format!("{} since {} (run {}{left})", holder.owner, time(holder.since), holder.execution)
    });
    let _ = writeln!(text, "  Lock     {lock}");
    if let Some(entry) = running(status) {
        let _ = writeln!(text, "  Running  {} since {}", line(&entry.change, 80), time(entry.recorded_at));
    }
    if let Some(entry) = last_failure(status) {
        let state = entry.state.map_or("", flamingock_core::audit::AuditState::as_str);
        let change = line(&entry.change, 80);
        let _ = writeln!(text, "  Failed   {change}: {state} at {}", time(entry.recorded_at));
    }
    let held: Vec<String> = held(status).into_iter().map(|id| line(id, 80)).collect();
    if !held.is_empty() {
        let _ = writeln!(text, "  Held     {}", line(&held.join(", "), 300));
    }
    if let Some(verdict) = &head.verdict {
        let _ = writeln!(text, "  Last run {}: {}", verdict.status, line(&verdict.message, 300));
    }
    let counts: Vec<String> = COUNTED
        .iter()
        .map(|standing| (status.count(*standing), *standing))
        .filter(|(count, standing)| *count > 0 || *standing == Standing::Applied)
        .map(|(count, standing)| {
            let words = format!("{count} {}", standing.as_str().to_lowercase().replace('_', " "));
            output.paint(crate::render::tone(standing), &words)
        })
        .collect();
    let _ = writeln!(text, "  Changes  {}", counts.join(", "));
    text
}
