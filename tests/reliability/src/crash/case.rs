use std::sync::Arc;
use std::time::Duration;

use flamingock_core::audit::AuditEntry;
use flamingock_core::operate::Undo;
use flamingock_core::report::Report;
use flamingock_core::{RunError, RunErrorKind};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::fault::Fault;
use super::process::Process;
use super::scenario::{Scenario, Task};
use super::world::World;
use crate::house::{Checker, LAST, Life, Machine, Op, app, holdable, release, undoable};

const LEASE: Duration = Duration::from_secs(2);

/// Longer than any lease lasts, an operator's too.
const BETWEEN: Duration = Duration::from_secs(61);

/// A fault, and at which effect of its process it happens.
pub(super) type At = (usize, Fault);

/// What came of a case.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// How many effects each process had.
    pub(super) effects: [usize; 2],
    /// A fault makes no sense where it was to happen: the case does not count.
    pub(super) refused: bool,
    /// Something was late for every process: a longer delay makes no difference.
    pub(super) outlived: bool,
    pub(super) runs: usize,
    pub(super) violations: Vec<String>,
    pub(super) trace: Vec<String>,
}

type Running = Life<Result<Done, RunError>>;

enum Ended {
    Finished(Box<Result<Done, RunError>>),
    Died,
    Paused(Running),
}

/// What a process has done.
enum Done {
    Ran(Box<Report>),
    Released(Vec<AuditEntry>),
}

/// Runs the scenario with at most one fault in each of two processes, then once undisturbed.
pub(super) fn run(scenario: &Scenario, faults: [Option<At>; 2], traced: bool) -> Outcome {
    // The clock stands still while anything is at work, and jumps when all wait.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let stale = faults.iter().flatten().any(|(_, fault)| fault.pauses());
    let mut case = Case {
        scenario,
        world: Arc::new(World::new(traced, scenario.flaw)),
        checker: Checker::new(&scenario.changes, stale),
        outcome: Outcome::default(),
    };
    runtime.expect("a runtime can be made").block_on(case.run(faults));
    let Case { world, checker, mut outcome, .. } = case;
    outcome.violations = checker.violations;
    outcome.trace = world.house.trace();
    outcome
}

struct Case<'a> {
    scenario: &'a Scenario,
    world: Arc<World>,
    checker: Checker<'a>,
    outcome: Outcome,
}

impl Case<'_> {
    async fn run(&mut self, faults: [Option<At>; 2]) {
        self.world.house.forget_lock().await;
        for task in &self.scenario.before {
            self.undisturbed(0, *task).await;
        }

        let mut asleep: Vec<(Arc<Process>, Running)> = Vec::new();
        for (index, fault) in faults.into_iter().enumerate() {
            let process = Process::new(index + 1, &self.world, fault);
            let Some(run) = self.start(&process, self.scenario.faulty[index]).await else { continue };
            let ended = drive(&process, run).await;
            self.outcome.effects[index] = process.effects();
            self.outcome.refused |= process.refused();
            if self.outcome.refused {
                return;
            }
            self.ended(&process, fault.map(|(_, fault)| fault), ended, &mut asleep).await;
        }

        // Whoever sleeps is to find that somebody else was there.
        if let [(process, _)] = asleep.as_slice()
            && process.name == 2
        {
            let between = Process::new(3, &self.world, None);
            if let Some(run) = self.start(&between, Task::Apply).await {
                let ended = drive(&between, run).await;
                self.ended(&between, None, ended, &mut Vec::new()).await;
            }
        }
        for (process, run) in asleep {
            process.wakes.notify_one();
            let ended = drive(&process, run).await;
            self.ended(&process, None, ended, &mut Vec::new()).await;
        }

        self.world.settle().await;
        self.outcome.outlived = self.world.outlived();
        self.checker.always(&self.world.house, "after everything has arrived").await;
        let last = match self.undisturbed(LAST, Task::Apply).await {
            Some(Ok(Done::Ran(report))) => Ok(*report),
            Some(Err(error)) => Err(error),
            Some(Ok(Done::Released(_))) | None => return,
        };
        self.checker.last(&self.world.house, &last).await;
        if last.is_ok_and(|report| report.changes.held > 0) {
            self.undisturbed(LAST, Task::Release).await;
            self.undisturbed(LAST, Task::Apply).await;
            self.checker.released(&self.world.house, "after everything was released").await;
        }
    }

    /// A run without faults, after everything before it has come to rest.
    async fn undisturbed(&mut self, name: usize, task: Task) -> Option<Result<Done, RunError>> {
        let process = Process::new(name, &self.world, None);
        let run = self.start(&process, task).await?;
        let Ended::Finished(result) = drive(&process, run).await else { return None };
        self.finished(&process, None, &result).await;
        Some(*result)
    }

    async fn ended(
        &mut self,
        process: &Arc<Process>,
        fault: Option<Fault>,
        ended: Ended,
        asleep: &mut Vec<(Arc<Process>, Running)>,
    ) {
        let hit = process.hit();
        match ended {
            Ended::Finished(result) => self.finished(process, fault.zip(hit), &result).await,
            Ended::Died => {
                self.world.house.note(|| format!("      {} is dead", process.name));
                self.checker.always(&self.world.house, &format!("after process {} died", process.name)).await;
            }
            Ended::Paused(run) => {
                self.world.house.note(|| format!("      {} stands still", process.name));
                self.checker
                    .always(&self.world.house, &format!("while process {} sleeps", process.name))
                    .await;
                asleep.push((Arc::clone(process), run));
            }
        }
    }

    async fn finished(
        &mut self,
        process: &Process,
        fault: Option<(Fault, Op)>,
        result: &Result<Done, RunError>,
    ) {
        self.world.house.note(|| match result {
            Ok(Done::Ran(report)) => format!("      {} ended: {}", process.name, report.status),
            Ok(Done::Released(entries)) => format!("      {} released {}", process.name, entries.len()),
            Err(error) => {
                let message = error.to_string().replace('\n', " ");
                format!("      {} ended: {:?}: {message}", process.name, error.kind())
            }
        });
        let when = format!("after process {} ended", process.name);
        self.checker.always(&self.world.house, &when).await;
        let execution = match result {
            Ok(Done::Ran(report)) => {
                self.checker.reported(&self.world.house, report, &when);
                Some(report.execution.as_str())
            }
            Ok(Done::Released(entries)) => entries.first().map(|entry| entry.execution.as_str()),
            Err(error) => {
                self.checker.reported(&self.world.house, error.report(), &when);
                Some(error.report().execution.as_str())
            }
        };
        let ridden_out = [RunErrorKind::ChangeFailed, RunErrorKind::Issue];
        if let (Some((fault, op)), Err(error)) = (fault, result)
            && process.name == 1
            && fault.is_passing(op)
            && !ridden_out.contains(&error.kind())
        {
            self.checker.violated(&when, format!("one answer less, and it ended with {:?}", error.kind()));
        }
        let excused = fault.is_some_and(|(fault, op)| fault.may_leave_the_lock(op));
        let holder = self.world.house.lock_holder().await;
        // Another, dead by now, may have it until its lease expires.
        if !excused && holder.is_some_and(|holder| execution == Some(&holder.execution)) {
            self.checker.violated(&when, "the lock is not free");
        }
    }

    /// A new start of the application, or of an operator, after all leases before it have expired, or
    /// were forgotten.
    async fn start(&mut self, process: &Arc<Process>, task: Task) -> Option<Running> {
        if self.scenario.lock_forgets {
            // Nobody's lease has run out: whoever stood still believes in it.
            self.world.house.forget_lock().await;
        } else {
            tokio::time::advance(BETWEEN).await;
        }
        self.outcome.runs += 1;
        self.world.house.note(|| format!("process {}: {task:?}", process.name));
        let machine = Machine::new(self.outcome.runs, Instant::now(), SignedDuration::ZERO);
        let (house, changes) = (&self.world.house, &self.scenario.changes);
        let app = app(process, &machine, changes, |builder| builder.lease(LEASE));
        let ids = match task {
            Task::Apply | Task::Release => Vec::new(),
            Task::Undo => undoable(house, changes).await,
            Task::Hold => holdable(house, changes).await,
        };
        if matches!(task, Task::Undo | Task::Hold) && ids.is_empty() {
            return None;
        }
        let undo = Undo {
            changes: ids.into_iter().map(str::to_owned).collect(),
            hold: task == Task::Hold,
            ..Undo::default()
        };
        Some(machine.live(async move {
            match task {
                Task::Apply => ran(app.run().await),
                Task::Undo | Task::Hold => ran(app.undo_with(&undo).await),
                Task::Release => release(&app.operator()).await.map(Done::Released),
            }
        }))
    }
}

fn ran(result: Result<Report, RunError>) -> Result<Done, RunError> {
    result.map(|report| Done::Ran(Box::new(report)))
}

/// Lets a run go on until it ends, dies or stands still.
async fn drive(process: &Process, mut run: Running) -> Ended {
    tokio::select! {
        biased;
        result = &mut run => return Ended::Finished(Box::new(result)),
        () = process.died.notified() => return Ended::Died,
        () = process.paused.notified() => {}
    }
    Ended::Paused(run)
}
