//! Replicas of an application as processes: started, held, stopped and killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::changes::Hold;
use crate::place::Place;

/// Starts replicas of one application at one place.
#[derive(Debug, Clone)]
pub struct Replicas<'a> {
    /// The built program.
    pub program: &'static str,
    /// Its changes.
    pub scenario: &'static str,
    /// Where it is.
    pub place: &'a Place,
}

/// Replicas that run.
#[derive(Debug)]
pub struct Running(Vec<Child>);

impl Running {
    /// Whether one still runs.
    ///
    /// # Errors
    /// When one cannot be asked.
    pub fn is_running(&mut self) -> Result<bool> {
        for child in &mut self.0 {
            if child.try_wait()?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for all: what each printed, or how it failed.
    pub fn end(self) -> Vec<Result<String>> {
        self.0.into_iter().map(|child| well(child.wait_with_output()?)).collect()
    }
}

/// A replica that stands still at its point.
#[derive(Debug)]
pub struct Held {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Replicas<'_> {
    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.arg(self.scenario).args(self.place.args());
        command.args(["--lease", &self.place.lease.to_string()]).args(more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts so many together and waits for all.
    ///
    /// # Errors
    /// When one cannot be started, or fails.
    pub fn run_together(&self, count: usize) -> Result<()> {
        self.start_together(count)?.end().into_iter().try_for_each(|ended| ended.map(drop))
    }

    /// Starts so many together.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_together(&self, count: usize) -> Result<Running> {
        let started = (0..count).map(|_| self.command(&[]).spawn()).collect::<Result<_, _>>();
        Ok(Running(started.context("start")?))
    }

    /// Runs one, which must end well; returns what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self) -> Result<String> {
        well(self.command(&[]).output()?)
    }

    /// Runs one, which must fail; returns what it said.
    ///
    /// # Errors
    /// When it does not.
    pub fn fail(&self) -> Result<String> {
        let output = self.command(&[]).output()?;
        if output.status.success() {
            bail!("it ended well: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Starts one and waits until it stands still at `point`.
    ///
    /// # Errors
    /// When it never comes there.
    pub fn hold(&self, point: &str) -> Result<Held> {
        let mut child = self.command(&["--hold", point]).spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("is piped")?);
        let mut line = String::new();
        while out.read_line(&mut line)? > 0 {
            if line.trim_end() == Hold::LINE {
                return Ok(Held { child, out });
            }
            line.clear();
        }
        let output = child.wait_with_output()?;
        bail!("it never came to {point}: {}", String::from_utf8_lossy(&output.stderr))
    }

    /// Starts one and kills it at `point`.
    ///
    /// # Errors
    /// When it never comes there.
    pub fn kill_at(&self, point: &str) -> Result<()> {
        self.hold(point)?.kill()
    }
}

impl Held {
    /// SIGKILL.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGSTOP: the process and all its threads stand still, as when its machine is frozen.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn freeze(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// SIGCONT, and lets it go on from its point; returns how it ended and what it said.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn thaw(mut self) -> Result<(bool, String)> {
        self.signal("-CONT")?;
        // What it waits for at its point is the end of its input.
        drop(self.child.stdin.take());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.out, &mut said)?;
        let output = self.child.wait_with_output()?;
        Ok((output.status.success(), said + &String::from_utf8_lossy(&output.stderr)))
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status()?;
        if sent.success() { Ok(()) } else { bail!("kill {signal} failed") }
    }
}

fn well(output: Output) -> Result<String> {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(out.into_owned()) } else { bail!("{}\n{out}\n{err}", output.status) }
}
