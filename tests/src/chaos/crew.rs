use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use flamingock::audit::ChainHash;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::rules::Acknowledged;
use super::schedule::{LEASE_MS, REPLICAS, Victim};
use crate::place::Place;

/// How long one operation of a replica may take.
const OPERATION_MS: u64 = 3_000;

/// How long it is until a replica that ended badly is started again.
const RESTART: Duration = Duration::from_millis(150);

/// The replicas of a round. Dropped, they are killed.
#[derive(Debug)]
pub(super) struct Crew {
    command: Command,
    slots: [Slot; REPLICAS],
    log: Log,
    /// How many processes there were.
    pub(super) started: usize,
}

#[derive(Debug, Default)]
struct Slot {
    child: Option<Child>,
    thaws: Option<Instant>,
    starts: Option<Instant>,
    ended_well: bool,
}

/// What replicas say, and what is done to them, as it happens.
#[derive(Debug, Clone)]
pub(super) struct Log {
    began: Instant,
    inner: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    at_work: Option<usize>,
    acknowledged: Acknowledged,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), inner: Arc::default() }
    }

    pub(super) fn say(&self, who: &str, line: &str) {
        let line = format!("  {:>6} ms  {who:<10} {line}", self.began.elapsed().as_millis());
        self.with(|lines| lines.lines.push(line));
    }

    pub(super) fn text(&self) -> String {
        self.with(|lines| lines.lines.join("\n"))
    }

    pub(super) fn note_head(&self, head: (u64, ChainHash)) {
        self.with(|lines| lines.acknowledged.heads.push(head));
    }

    /// What was acknowledged up to now.
    pub(super) fn acknowledged(&self) -> Acknowledged {
        self.with(|lines| std::mem::take(&mut lines.acknowledged))
    }

    /// What a replica says.
    fn hear(&self, number: usize, name: &str, execution: &mut String, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["run", id] => id.clone_into(execution),
            ["started", change, attempt] => {
                if let Ok(attempt) = attempt.parse() {
                    let attempt = (execution.clone(), change.to_owned(), attempt);
                    self.with(|lines| lines.acknowledged.attempts.insert(attempt));
                }
                self.with(|lines| lines.at_work = Some(number));
            }
            _ => {}
        }
        self.say(name, line);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Lines) -> T) -> T {
        look(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Crew {
    pub(super) fn start(program: &Path, place: &Place, seed: u64, log: &Log) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(place.args());
        let number = |name: &str, number: u64| format!("--{name}={number}");
        command.arg(number("mixed", seed)).arg(number("lease", LEASE_MS));
        command
            .arg(number("operation-timeout", OPERATION_MS))
            .stdin(Stdio::null())
            .env("RUST_BACKTRACE", "0");
        let mut crew = Self { command, slots: Default::default(), log: log.clone(), started: 0 };
        (0..REPLICAS).try_for_each(|number| crew.spawn(number))?;
        Ok(crew)
    }

    fn spawn(&mut self, number: usize) -> Result<()> {
        let (out, into) = std::io::pipe()?;
        let child = self.command.stdout(into.try_clone()?).stderr(into).spawn()?;
        // Else the pipe never ends.
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.started += 1;
        let (log, name) = (self.log.clone(), format!("{number}/{}", child.id()));
        log.say(&name, "is started");
        std::thread::spawn(move || {
            let mut execution = String::new();
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                log.hear(number, &name, &mut execution, &line);
            }
        });
        self.slots[number] = Slot { child: Some(child), ..Slot::default() };
        Ok(())
    }

    /// What is due: wakes those that have slept enough, and notices who has ended. Those that ended badly
    /// are started again while `restarts`.
    pub(super) fn tick(&mut self, restarts: bool) -> Result<()> {
        let now = Instant::now();
        for number in 0..REPLICAS {
            let slot = &mut self.slots[number];
            if slot.thaws.is_some_and(|thaws| thaws <= now) {
                self.thaw(number)?;
            }
            let slot = &mut self.slots[number];
            if let Some(child) = &mut slot.child
                && let Some(status) = child.try_wait()?
            {
                let name = format!("{number}/{}", child.id());
                self.log.say(&name, &format!("has ended: {status}"));
                self.log.with(|lines| lines.at_work.take_if(|at| *at == number));
                *slot = Slot { ended_well: status.success(), starts: Some(now + RESTART), ..Slot::default() };
            }
            let slot = &self.slots[number];
            let due = slot.starts.is_some_and(|starts| starts <= now);
            if restarts && due && slot.child.is_none() && !slot.ended_well {
                self.spawn(number)?;
            }
        }
        Ok(())
    }

    pub(super) fn kill(&mut self, victim: Victim) -> Result<bool> {
        self.signal(victim, Signal::SIGKILL).map(|number| number.is_some())
    }

    pub(super) fn freeze(&mut self, victim: Victim, time: Duration) -> Result<bool> {
        let Some(number) = self.signal(victim, Signal::SIGSTOP)? else { return Ok(false) };
        self.slots[number].thaws = Some(Instant::now() + time);
        Ok(true)
    }

    /// Wakes all.
    pub(super) fn thaw_all(&mut self) -> Result<()> {
        (0..REPLICAS).try_for_each(|number| self.thaw(number))
    }

    fn thaw(&mut self, number: usize) -> Result<()> {
        if self.slots[number].thaws.take().is_some() {
            self.signal(Victim::Number(number), Signal::SIGCONT)?;
        }
        Ok(())
    }

    /// Whether somebody is at work.
    pub(super) fn is_at_work(&self) -> bool {
        self.slots.iter().any(|slot| slot.child.is_some())
    }

    /// Whether all have done everything.
    pub(super) fn is_done(&self) -> bool {
        self.slots.iter().all(|slot| slot.ended_well)
    }

    fn signal(&mut self, victim: Victim, signal: Signal) -> Result<Option<usize>> {
        let number = match victim {
            Victim::Number(number) => number,
            Victim::AtWork(number) => self.log.with(|lines| lines.at_work).unwrap_or(number),
        };
        let Some(child) = &self.slots[number].child else { return Ok(None) };
        let id = child.id();
        // One that has ended is a zombie until it is waited for: the signal finds it.
        kill(Pid::from_raw(i32::try_from(id)?), signal)?;
        self.log.say(&format!("{number}/{id}"), &format!("gets {signal}"));
        Ok(Some(number))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for slot in &mut self.slots {
            if let Some(mut child) = slot.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
