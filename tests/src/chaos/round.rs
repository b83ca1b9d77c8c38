use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use flamingock::History;
use tokio::runtime::Runtime;
use xtask::{Interrupt, Services};

use super::check::Check;
use super::crew::{Crew, Log};
use super::evidence::Evidence;
use super::schedule::{Fault, LEASE_MS, Schedule};
use super::way::Way;
use crate::changes::mixed;
use crate::kinds::Fresh;
use crate::place::Place;
use crate::proxy::{self, Proxy, Weather};

/// How long until nobody is at work any more after the last fault.
const REST: Duration = Duration::from_secs(60);

const TICK: Duration = Duration::from_millis(10);

/// One round: replicas, faults, rest, judgement.
pub(super) struct Round<'a> {
    pub(super) way: Way,
    pub(super) seed: u64,
    pub(super) program: &'a Path,
    pub(super) servers: &'a mut Services,
    pub(super) runtime: &'a Runtime,
    pub(super) interrupt: &'a Interrupt,
}

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What does not hold.
    pub(super) violations: Vec<String>,
    /// Everything that was seen.
    pub(super) story: String,
    /// Processes that were started.
    pub(super) processes: usize,
    pub(super) kills: usize,
    pub(super) freezes: usize,
    pub(super) network: usize,
    pub(super) crashes: usize,
    /// Changes that an operator had to rule on.
    pub(super) issues: usize,
    /// Entries in the audit.
    pub(super) entries: usize,
}

/// A server that is down.
struct Down {
    name: &'static str,
    until: Instant,
}

impl Round<'_> {
    pub(super) fn run(mut self) -> Result<Outcome> {
        let servers = self.way.servers();
        let url = |services: &mut Services, name: Option<&&str>| -> Result<Option<String>> {
            name.map(|name| Ok(services.server(name)?.url().to_owned())).transpose()
        };
        let data = url(self.servers, servers.first())?;
        let entrance = url(self.servers, servers.last())?;
        let fresh = self.runtime.block_on(self.way.kind().fresh_on(data.clone()))?;
        let (place, proxy) = self.entrance(&fresh, entrance.as_deref())?;

        let log = Log::new();
        let mut outcome = Outcome::default();
        let mut crew = Crew::start(self.program, &place, self.seed, &log)?;
        self.disturb(&mut crew, &fresh.place, proxy.as_ref(), &log, &mut outcome)?;
        let rested = self.rest(&mut crew)?;
        outcome.processes = crew.started;
        drop(crew);

        let specs = mixed::specs(self.seed);
        let acknowledged = log.acknowledged();
        let mut check = Check {
            place: &fresh.place,
            seed: self.seed,
            specs: &specs,
            ddl_commits: self.way.ddl_commits(),
            acknowledged: &acknowledged,
            violations: Vec::new(),
            issues: 0,
        };
        if !rested {
            check.violated("after the faults", format!("a replica is still at work after {REST:?}"));
        }
        if let Err(error) = self.runtime.block_on(check.run()) {
            check.violated("at the end", format!("{error:#}"));
        }
        (outcome.issues, outcome.violations) = (check.issues, check.violations);
        match self.runtime.block_on(Evidence::gather(&fresh.place, &specs)) {
            Ok(evidence) => {
                outcome.entries = evidence.entries.len();
                outcome.story = evidence.text();
            }
            Err(error) => outcome.violations.push(format!("at the end: {error:#}")),
        }
        outcome.story = self.story(&outcome, &log);
        if let Some(server) = data {
            self.runtime.block_on(self.way.kind().remove(&server, &fresh))?;
        }
        Ok(outcome)
    }

    /// The place as replicas get there.
    fn entrance(&self, fresh: &Fresh, entrance: Option<&str>) -> Result<(Place, Option<Proxy>)> {
        let mut place = Place { patience: Some(LEASE_MS * 3 / 2), ..fresh.place.clone() };
        let Some(entrance) = entrance else { return Ok((place, None)) };
        let (before, host, _) = proxy::parts(entrance)?;
        let (_, _, database) = proxy::parts(&fresh.place.database)?;
        let mut url = format!("{before}{host}{database}");
        let mut proxy = None;
        if self.way.is_proxied() {
            let line = self.runtime.block_on(Proxy::in_front_of(host.to_owned()))?;
            url = line.url(&url)?;
            proxy = Some(line);
        }
        (place.audit, place.database) = (url.clone(), url);
        Ok((place, proxy))
    }

    /// The faults, one after the other.
    fn disturb(
        &mut self,
        crew: &mut Crew,
        direct: &Place,
        proxy: Option<&Proxy>,
        log: &Log,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let began = Instant::now();
        let mut clears: Option<Instant> = None;
        let mut down: Option<Down> = None;
        let mut faults = Schedule::new(self.way, self.seed).0.into_iter().peekable();
        while faults.peek().is_some() && !crew.is_done() {
            self.interrupt.check()?;
            std::thread::sleep(TICK);
            crew.tick(true)?;
            if let Some(proxy) = proxy
                && clears.take_if(|clears| *clears <= Instant::now()).is_some()
            {
                proxy.set(Weather::Fair);
                log.say("network", "is well again");
            }
            if let Some(Down { name, .. }) = down.take_if(|down| down.until <= Instant::now()) {
                self.up(name, log)?;
            }
            let Some((_, fault)) = faults.next_if(|(at, _)| *at <= began.elapsed()) else { continue };
            if down.is_none() {
                self.note_head(direct, log);
            }
            match fault {
                Fault::Kill(victim) => outcome.kills += usize::from(crew.kill(victim)?),
                Fault::Freeze(victim, time) => outcome.freezes += usize::from(crew.freeze(victim, time)?),
                Fault::Cut => {
                    log.say("network", &fault.to_string());
                    proxy.into_iter().for_each(Proxy::cut);
                    outcome.network += 1;
                }
                Fault::LoseCommit => {
                    log.say("network", &fault.to_string());
                    proxy.into_iter().for_each(Proxy::lose_a_commit);
                    outcome.network += 1;
                }
                Fault::Weather(weather, time) => {
                    log.say("network", &fault.to_string());
                    proxy.into_iter().for_each(|proxy| proxy.set(weather));
                    clears = Some(Instant::now() + time);
                    outcome.network += 1;
                }
                Fault::Crash(name, time) if down.is_none() => {
                    log.say(name, "crashes");
                    self.servers.server(name)?.crash()?;
                    down = Some(Down { name, until: Instant::now() + time });
                    outcome.crashes += 1;
                }
                Fault::Crash(..) => {}
            }
        }
        log.say("-", "the faults are over");
        if let Some(Down { name, .. }) = down {
            self.up(name, log)?;
        }
        proxy.into_iter().for_each(|proxy| proxy.set(Weather::Fair));
        crew.thaw_all()
    }

    fn up(&mut self, name: &str, log: &Log) -> Result<()> {
        self.servers.server(name)?.start_again(self.interrupt)?;
        log.say(name, "answers again");
        Ok(())
    }

    /// What is read once must stand there at the end. A server that does not answer is no matter.
    fn note_head(&self, place: &Place, log: &Log) {
        let read = async { anyhow::Ok(place.store().await?.head(&History::new("replica")).await?) };
        let read = async { tokio::time::timeout(Duration::from_millis(500), read).await };
        if let Ok(Ok(Some(head))) = self.runtime.block_on(read) {
            log.note_head((head.sequence, head.hash));
        }
    }

    /// Waits until nobody is at work. `false`: somebody still is.
    fn rest(&self, crew: &mut Crew) -> Result<bool> {
        let began = Instant::now();
        while crew.is_at_work() && began.elapsed() < REST {
            self.interrupt.check()?;
            std::thread::sleep(TICK);
            crew.tick(false)?;
        }
        Ok(!crew.is_at_work())
    }

    fn story(&self, outcome: &Outcome, log: &Log) -> String {
        let (way, seed) = (self.way, self.seed);
        format!(
            "{}\nthe schedule of seed {seed} on {way}:\n{}what happened:\n{}\n{}\nagain: cargo xtask chaos --place {way} \
             --seed {seed} --rounds 1",
            outcome.violations.join("\n"),
            Schedule::new(way, seed),
            log.text(),
            outcome.story,
        )
    }
}
