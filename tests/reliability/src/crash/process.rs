use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use flamingock_core::BackendError;
use flamingock_core::target::Session;
use tokio::sync::Notify;

use super::fault::{Fault, Sessions};
use super::world::World;
use crate::house::{Answer, Effect, House, Op, Side, Wire, guard, lost};

/// One process: what it does passes here, one effect after the other, until its fault happens.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: usize,
    pub(super) world: Arc<World>,
    fault: Option<(usize, Fault)>,
    effects: AtomicUsize,
    hit: Mutex<Option<Op>>,
    refused: AtomicBool,
    dead: AtomicBool,
    /// How long the sessions of a dead process stay open; 0: they are rolled back at once.
    unnoticed: AtomicU64,
    cut: Mutex<Option<Side>>,
    pub(super) died: Notify,
    pub(super) paused: Notify,
    pub(super) wakes: Notify,
}

/// How an effect goes on.
enum Gate {
    Perform,
    PerformThen(Then),
    Answer(BackendError),
    Late(u64),
}

enum Then {
    Die,
    LoseAnswer,
    Cut,
    Pause(Sessions),
}

impl Process {
    pub(super) fn new(name: usize, world: &Arc<World>, fault: Option<(usize, Fault)>) -> Arc<Self> {
        Arc::new(Self {
            name,
            world: Arc::clone(world),
            fault,
            effects: AtomicUsize::new(0),
            hit: Mutex::default(),
            refused: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            unnoticed: AtomicU64::new(0),
            cut: Mutex::default(),
            died: Notify::new(),
            paused: Notify::new(),
            wakes: Notify::new(),
        })
    }

    /// How many effects it had.
    pub(super) fn effects(&self) -> usize {
        self.effects.load(Ordering::Relaxed)
    }

    /// The effect at which its fault happened, if it came so far.
    pub(super) fn hit(&self) -> Option<Op> {
        *guard(&self.hit)
    }

    /// Whether its fault makes no sense at the effect where it was to happen.
    pub(super) fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    async fn go<T>(&self, gate: Gate, perform: impl Future<Output = Answer<T>>) -> Answer<T> {
        match gate {
            Gate::Perform | Gate::Late(_) => perform.await,
            Gate::Answer(error) => Err(error),
            Gate::PerformThen(then) => {
                let answer = perform.await;
                match then {
                    Then::Die => self.die().await,
                    Then::LoseAnswer => answer.and_then(|_| Err(lost())),
                    Then::Cut => Err(lost()),
                    Then::Pause(sessions) => {
                        self.pause(sessions).await;
                        answer
                    }
                }
            }
        }
    }

    /// Counts the effect and decides what becomes of it.
    async fn gate(&self, op: Op, what: &str, can_be_late: bool) -> Gate {
        if self.is_dead() {
            return Gate::Answer(lost());
        }
        self.world.next_effect().await;
        let number = self.effects.fetch_add(1, Ordering::Relaxed);
        let fault = self.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        self.world.house.note(|| {
            let fault = fault.map_or_else(String::new, |fault| format!("  <- {fault:?}"));
            format!("  {}.{number:<3} {op:?} {what}{fault}", self.name)
        });
        if *guard(&self.cut) == Some(op.side()) {
            return Gate::Answer(lost());
        }
        let Some(fault) = fault else { return Gate::Perform };
        *guard(&self.hit) = Some(op);
        let senseless = fault.needs_an_effect() && !op.has_effect()
            || fault.needs_a_session() && !self.world.house.any_session()
            || fault.is_late() && !can_be_late;
        if senseless {
            self.refused.store(true, Ordering::Relaxed);
            return self.die().await;
        }
        match fault {
            Fault::KillBefore => self.die().await,
            Fault::KillUnnoticed(effects) => {
                self.unnoticed.store(effects, Ordering::Relaxed);
                self.die().await
            }
            Fault::KillAfter => Gate::PerformThen(Then::Die),
            Fault::Fail(kind) => Gate::Answer(BackendError::new(kind, "faulty", "as the test wants it")),
            Fault::LoseAnswer => Gate::PerformThen(Then::LoseAnswer),
            Fault::CutBefore => {
                *guard(&self.cut) = Some(op.side());
                Gate::Answer(lost())
            }
            Fault::CutAfter => {
                *guard(&self.cut) = Some(op.side());
                Gate::PerformThen(Then::Cut)
            }
            Fault::Late(delay) => Gate::Late(delay),
            Fault::KillLate(delay) => {
                self.dead.store(true, Ordering::Relaxed);
                Gate::Late(delay)
            }
            Fault::PauseBefore(sessions) => {
                self.pause(sessions).await;
                Gate::Perform
            }
            Fault::PauseAfter(sessions) => Gate::PerformThen(Then::Pause(sessions)),
        }
    }

    /// Nothing after this is reached: the run is dropped.
    async fn die<T>(&self) -> T {
        self.dead.store(true, Ordering::Relaxed);
        self.died.notify_one();
        std::future::pending().await
    }

    async fn pause(&self, sessions: Sessions) {
        if sessions == Sessions::End {
            self.world.house.end_sessions(None).await;
        }
        self.paused.notify_one();
        self.wakes.notified().await;
        self.world.house.note(|| format!("      {} wakes up", self.name));
    }
}

impl Wire for Process {
    fn house(&self) -> &Arc<House> {
        &self.world.house
    }

    fn name(&self) -> usize {
        self.name
    }

    async fn effect<T: Send + 'static>(&self, op: Op, what: &str, perform: Effect<T>) -> Answer<T> {
        match self.gate(op, what, true).await {
            Gate::Late(delay) => {
                let what = format!("{}: {op:?} {what}", self.name);
                self.world.send_late(delay, what, Box::pin(async move { drop(perform().await) }));
                if self.is_dead() { self.die().await } else { Err(lost()) }
            }
            gate => self.go(gate, async { perform().await }).await,
        }
    }

    async fn now<T: Send>(
        &self,
        op: Op,
        what: &str,
        perform: impl Future<Output = Answer<T>> + Send,
    ) -> Answer<T> {
        let gate = self.gate(op, what, false).await;
        self.go(gate, perform).await
    }

    fn leaves(&self, session: Box<dyn Session>) {
        let cut = *guard(&self.cut) == Some(Side::Target);
        // Nobody tells the server that the other end is gone.
        let lingers = if cut { 12 } else { self.unnoticed.load(Ordering::Relaxed) };
        if lingers > 0 {
            let what = format!("{}: the server ends a session left open", self.name);
            self.world.send_late(lingers, what, Box::pin(async move { drop(session) }));
        }
    }
}
