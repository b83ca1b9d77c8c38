use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use flamingock_core::BackendError;
use flamingock_core::target::Session;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

use super::weather::{Blow, LEASE, Odds, Partition, STORM, Start};
use crate::house::{Answer, Effect, House, Op, Side, Wire, guard, lost};

/// How one process reaches the servers: over a network that a seed decides about.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) house: Arc<House>,
    pub(super) start: Start,
    pub(super) began: Instant,
    odds: Odds,
    partitions: Vec<Partition>,
    rng: Mutex<Rng>,
    effects: AtomicUsize,
    dead: AtomicBool,
    blow: Mutex<Option<Blow>>,
    pub(super) struck: Notify,
    pub(super) wakes: Notify,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    /// Nothing happens, and the caller hears so, or nothing.
    Refused,
    Lost,
    /// It happens, and the caller hears an error.
    AnswerLost,
    /// The request, or its answer, takes its time.
    SlowThere(Duration),
    SlowBack(Duration),
    /// The caller hears an error at once; it happens later.
    Late(Duration),
    /// It happens, and again later.
    Twice(Duration),
}

impl Line {
    pub(super) fn new(
        house: &Arc<House>,
        start: &Start,
        began: Instant,
        odds: Odds,
        partitions: &[Partition],
    ) -> Arc<Self> {
        let partitions = partitions.iter().filter(|cut| cut.runner == start.runner);
        Arc::new(Self {
            house: Arc::clone(house),
            start: start.clone(),
            began,
            odds,
            partitions: partitions.copied().collect(),
            rng: Mutex::new(Rng::with_seed(start.seed)),
            effects: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
            blow: Mutex::default(),
            struck: Notify::new(),
            wakes: Notify::new(),
        })
    }

    /// What has just struck the process.
    pub(super) fn blow(&self) -> Option<Blow> {
        guard(&self.blow).take()
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        note(&self.house, self.began, self.start.number, line);
    }

    fn up_to(&self, limit: Duration) -> Duration {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(guard(&self.rng).u64(..=limit))
    }

    /// Counts the effect, and decides what becomes of it.
    async fn depart(&self, op: Op, what: &str) -> (Fate, Option<Blow>) {
        let number = self.effects.fetch_add(1, Ordering::Relaxed);
        let blow = self.start.blows.iter().find(|(at, _)| *at == number).map(|(_, blow)| *blow);
        let fate = self.fate();
        self.note(|| {
            let fate = if fate == Fate::Arrives { String::new() } else { format!("  <- {fate:?}") };
            format!("{op:?} {what}{fate}")
        });
        if let Some(Blow::CrashBefore | Blow::PauseBefore(_)) = blow {
            self.strike(blow).await;
        }
        (fate, blow)
    }

    fn fate(&self) -> Fate {
        if self.began.elapsed() >= STORM {
            return Fate::Arrives;
        }
        let Odds { refused, request_lost, answer_lost, slow, late, twice } = self.odds;
        let mut lot = guard(&self.rng).u32(..1000);
        let mut drawn = |odd: u32| {
            let hit = lot < odd;
            lot = if hit { u32::MAX } else { lot - odd };
            hit
        };
        if drawn(refused) {
            Fate::Refused
        } else if drawn(request_lost) {
            Fate::Lost
        } else if drawn(answer_lost) {
            Fate::AnswerLost
        } else if drawn(slow / 2) {
            Fate::SlowThere(self.up_to(LEASE * 2))
        } else if drawn(slow / 2) {
            Fate::SlowBack(self.up_to(LEASE * 2))
        } else if drawn(late) {
            Fate::Late(self.up_to(LEASE * 2))
        } else if drawn(twice) {
            Fate::Twice(self.up_to(LEASE * 2))
        } else {
            Fate::Arrives
        }
    }

    fn is_cut(&self, side: Side) -> bool {
        let now = self.began.elapsed();
        self.partitions.iter().any(|cut| cut.side == side && (cut.from..cut.until).contains(&now))
    }

    /// The whole process dies or stands still; whoever drives it decides when this goes on.
    async fn strike(&self, blow: Option<Blow>) {
        *guard(&self.blow) = blow;
        if let Some(Blow::CrashBefore | Blow::CrashAfter) = blow {
            self.dead.store(true, Ordering::Relaxed);
        }
        self.struck.notify_one();
        self.wakes.notified().await;
    }

    /// Nobody answers: whoever has no patience of its own hears of it in the end.
    async fn silence<T>(&self) -> Answer<T> {
        sleep(LEASE * 3).await;
        Err(lost())
    }

    fn latency(&self) -> Duration {
        self.up_to(Duration::from_millis(3))
    }
}

pub(super) fn note(house: &House, began: Instant, number: usize, line: impl FnOnce() -> String) {
    house.note(|| format!("{:>9.3}  {number}  {}", began.elapsed().as_secs_f64(), line()));
}

impl Wire for Line {
    fn house(&self) -> &Arc<House> {
        &self.house
    }

    fn name(&self) -> usize {
        self.start.number
    }

    async fn effect<T: Send + 'static>(&self, op: Op, what: &str, perform: Effect<T>) -> Answer<T> {
        let (fate, blow) = self.depart(op, what).await;
        let (there, back) = (self.latency(), self.latency());
        let cut = self.is_cut(op.side());
        if fate == Fate::Refused {
            sleep(there + back).await;
            return Err(lost());
        }
        let (answers, answer) = oneshot::channel();
        if fate != Fate::Lost && !cut {
            let line = (Arc::clone(&self.house), self.began, self.start.number);
            let what = format!("{op:?} {what}");
            // Nobody takes back what is sent, not even by dying.
            drop(tokio::spawn(async move {
                let late = match fate {
                    Fate::SlowThere(late) | Fate::Late(late) => late,
                    _ => Duration::ZERO,
                };
                sleep(there + late).await;
                let landed = perform().await;
                note(&line.0, line.1, line.2, || format!("  {what}: {}", said(&landed)));
                let _ = answers.send(landed);
                let Fate::Twice(later) = fate else { return };
                sleep(later).await;
                let again = perform().await;
                note(&line.0, line.1, line.2, || format!("  {what}, again: {}", said(&again)));
            }));
        } else {
            drop(answers);
        }
        if let Some(Blow::CrashAfter) = blow {
            self.strike(blow).await;
        }
        let heard = match fate {
            Fate::Late(_) => Err(lost()),
            _ => match answer.await {
                Ok(heard) => heard,
                Err(_) => return self.silence().await,
            },
        };
        sleep(if let Fate::SlowBack(late) = fate { back + late } else { back }).await;
        if let Some(Blow::PauseAfter(_)) = blow {
            self.strike(blow).await;
        }
        // The way back may be cut by now.
        match fate {
            _ if self.is_cut(op.side()) => self.silence().await,
            Fate::AnswerLost => Err(lost()),
            _ => heard,
        }
    }

    async fn now<T: Send>(
        &self,
        op: Op,
        what: &str,
        perform: impl Future<Output = Answer<T>> + Send,
    ) -> Answer<T> {
        let (fate, blow) = self.depart(op, what).await;
        sleep(self.latency()).await;
        if self.is_cut(op.side()) {
            return self.silence().await;
        }
        match fate {
            Fate::Refused | Fate::Late(_) => return Err(lost()),
            Fate::Lost => return self.silence().await,
            Fate::SlowThere(late) => sleep(late).await,
            _ => {}
        }
        let answer = perform.await;
        // Nothing of it could outlive the process on its way: after it is after its answer.
        if let Some(Blow::CrashAfter | Blow::PauseAfter(_)) = blow {
            self.strike(blow).await;
        }
        sleep(if let Fate::SlowBack(late) = fate { late } else { self.latency() }).await;
        match (fate, answer) {
            (Fate::AnswerLost, Ok(_)) => Err(lost()),
            (_, answer) => answer,
        }
    }

    fn leaves(&self, session: Box<dyn Session>) {
        // The server hears of it at once, or finds out by itself.
        if self.dead.load(Ordering::Relaxed) || self.is_cut(Side::Target) {
            let notices = self.up_to(LEASE * 2);
            drop(tokio::spawn(async move {
                sleep(notices).await;
                drop(session);
            }));
        }
    }

    fn lease_factor(&self) -> f64 {
        self.start.lease_factor
    }
}

fn said<T>(answer: &Result<T, BackendError>) -> String {
    match answer {
        Ok(_) => "done".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}
