use std::fmt::Write as _;

use flamingock_core::audit::{AuditEntry, AuditState, TxStrategy};
use flamingock_core::operate::{Resolution, Standing, consent, standing};

use super::{Table, block, duration, line, quoted, time, tone};
use crate::output::{Output, Tone};

/// The table of issues, and below it what is failing.
pub(crate) fn issues(
    output: &Output,
    title: &str,
    entries: &[(AuditEntry, Standing, Option<String>)],
) -> String {
    let mut table = Table::new(output, &["Change", "Standing", "State", "Target", "Time", "Error"]);
    let rows = entries.iter().map(|(entry, standing, error)| {
        vec![
            (line(&entry.change, 80), Tone::Plain),
            (standing.to_string(), tone(*standing)),
            super::entry::state(entry),
            (line(&entry.target_system, 40), Tone::Plain),
            (time(entry.recorded_at), Tone::Plain),
            (line(error.as_deref().unwrap_or_default(), 100), Tone::Plain),
        ]
    });
    format!("{}\n{}\n", output.paint(Tone::Strong, title), table.page(rows.collect()))
}

/// One issue in full.
pub(crate) struct Issue<'a> {
    pub(crate) output: &'a Output,
    /// Entries of the change, oldest first; the last is the newest. Never empty.
    pub(crate) life: &'a [AuditEntry],
    pub(crate) latest: &'a AuditEntry,
    pub(crate) standing: Standing,
    /// What to type before a command.
    pub(crate) program: &'a str,
    /// What to type after a command that needs the application.
    pub(crate) app: &'a str,
    /// Whether the application is asked wherever it can be, and so what the target says.
    pub(crate) asked: bool,
}

impl Issue<'_> {
    pub(crate) fn overview(&self) -> String {
        let entry = self.latest;
        let mut text = self.section("OVERVIEW").trim_start().to_owned();
        let state = entry.state.map_or("", AuditState::as_str);
        self.fact(&mut text, "Change", &entry.change);
        self.fact(&mut text, "Standing", &format!("{}: {}", self.standing, self.meaning()));
        self.fact(&mut text, "State", &format!("{state} ({}, attempt {})", entry.operation, entry.attempt));
        self.fact(&mut text, "Time", &time(entry.recorded_at));
        self.fact(&mut text, "For", entry.description.as_deref().unwrap_or_default());
        self.fact(&mut text, "Author", entry.author.as_deref().unwrap_or_default());

        text += &self.section("EXECUTION");
        self.fact(&mut text, "Written", &entry.source);
        self.fact(&mut text, "Run", &entry.execution);
        self.fact(&mut text, "Host", &entry.hostname);
        self.fact(&mut text, "Release", entry.application.as_deref().unwrap_or_default());
        self.fact(&mut text, "Took", &entry.duration.map(duration).unwrap_or_default());
        let target = format!("{} ({}) at {}", entry.target_system, entry.target_kind, entry.target_address);
        self.fact(&mut text, "Target", &target);
        self.fact(&mut text, "Strategy", &format!("{}, {}", entry.tx_strategy, entry.recovery));
        self.fact(&mut text, "Operator", entry.operator.as_deref().unwrap_or_default());
        self.fact(&mut text, "Reason", entry.reason.as_deref().unwrap_or_default());

        text += &self.section("WHAT HAPPENED");
        // The attempt that left it so: its run's entries.
        for entry in self.life.iter().filter(|entry| entry.execution == self.latest.execution) {
            let state = entry.state.map_or("", AuditState::as_str);
            let _ = writeln!(
                text,
                "  {:>6}  {}  {} ({})",
                entry.sequence,
                time(entry.recorded_at),
                state,
                entry.operation
            );
            if let Some(error) = &entry.error {
                text += &block(&format!("error: {error}"), "            ");
                text += &block(&error.causes, "            caused by: ");
            }
        }
        text
    }

    fn meaning(&self) -> &'static str {
        match self.standing {
            Standing::Applied => "the target has it",
            Standing::RolledBack => "the target has it not, the next start applies it",
            Standing::Held => "it was undone and is held, no start applies it until it is released",
            Standing::Running => "a live run is at it",
            Standing::Failing => "it failed, the next start tries it again",
            Standing::Uncertain => {
                "nobody recorded how it ended, the next start asks the target's marker and may settle it"
            }
            Standing::Issue => "it needs an operator, and keeps its stage from running",
        }
    }

    /// What to do, with the commands to type.
    pub(crate) fn guidance(&self) -> String {
        let mut text = self.section("WHAT TO DO");
        let (program, app, id) = (self.program, self.app, quoted(&self.latest.change));
        let by_the_audit = standing(self.latest, None) == Standing::Issue;
        let mut say = |line: &str| {
            text.push_str(if line.is_empty() { "" } else { "  " });
            text.push_str(line);
            text.push('\n');
        };
        match self.standing {
            Standing::Applied | Standing::RolledBack => {
                say("Nothing: it is settled.");
                return text;
            }
            Standing::Held => {
                say("Nothing. To let the next start apply it:");
                say(&format!("    {program} release {id}"));
                return text;
            }
            Standing::Running => {
                say("Wait for the run. Who it is:");
                say(&format!("    {program} lock status"));
                return text;
            }
            Standing::Failing => {
                say("Correct what made it fail and start the application: it is tried again.");
                return text;
            }
            Standing::Uncertain => {
                say("Start the application: it asks the target's marker first. To ask now:");
                say(&format!("    {program} issue check -c {id}{app}"));
                say("Rule by hand only where that cannot be done.");
            }
            Standing::Issue if self.latest.state == Some(AuditState::ManualMarkedAsRolledBack) => {
                say("It was ruled rolled back, but the target's own marker says that it is applied:");
                say("either the ruling was wrong, or the target was changed by hand since.");
            }
            Standing::Issue if !by_the_audit => {
                say("The audit alone calls it uncertain, or retried. The last start asked, and could");
                say("not settle it: its message says why.");
            }
            Standing::Issue => {}
        }
        say("");
        say(&format!("1. Look at the target: does it have what {} is to do?", self.latest.source));
        say(&format!(
            "   {} ({}) at {}",
            self.latest.target_system, self.latest.target_kind, self.latest.target_address
        ));
        if by_the_audit && self.latest.tx_strategy == TxStrategy::TxWithMarker {
            say("   Something in its transaction committed by itself: it may have a part of it.");
        }
        say("   Where the change has a #[verify] or a marker, the application can be asked:");
        say(&format!("    {program} issue check -c {id}{app}"));
        say("");
        // What was recorded since is another issue, or none.
        let seen = self.latest.sequence;
        let asked = if self.asked { app } else { "" };
        let fix = |resolution| {
            let consent = match self.standing {
                // The target, which is asked, settles it.
                Standing::Uncertain if self.asked => "",
                _ => consent(self.latest, resolution),
            };
            format!(
                "    {program} audit fix -c {id} -r {resolution}{consent} --seen {seen} --reason 'what you saw'{asked}"
            )
        };
        say("2. Either the target has all of it (complete what is missing by hand first).");
        say("   APPLIED means: the target has the change. It will not run again:");
        say(&fix(Resolution::Applied));
        say("");
        say("   Or the target has nothing of it (remove what is there by hand first).");
        say("   ROLLED_BACK means: the target has it not, and it will run again at the next start:");
        say(&fix(Resolution::RolledBack));
        if self.latest.tx_strategy == TxStrategy::NonTx && !self.latest.operation.is_undo() {
            say("");
            say("   If the change has a #[rollback], it can remove what is there:");
            say(&format!("    {program} undo --change {id}{app}"));
        }
        say("");
        say("3. Start the application: it goes on from here.");
        text
    }

    fn section(&self, title: &str) -> String {
        format!("\n{}\n", self.output.paint(Tone::Strong, title))
    }

    fn fact(&self, text: &mut String, name: &str, fact: &str) {
        if fact.trim().is_empty() {
            return;
        }
        let name = self.output.paint(Tone::Dim, &format!("{name:<10}"));
        let mut lines = block(fact, "").lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
        let _ = writeln!(text, "  {name} {}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "             {line}");
        }
    }
}
