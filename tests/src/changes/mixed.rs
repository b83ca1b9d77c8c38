//! Changes of every kind, dealt to four stages by a seed: what rounds of [chaos](crate::chaos) disturb.
//!
//! Each has two parts, with pauses around them, and leaves a [`Trace`] of each part that tells which run
//! did it in which attempt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flamingock::change::{
    Body, BoxError, Change, ChangeContext, Invocation, Method, MethodError, MethodFuture, Order, ParamKind,
    RecoveryStrategy, Source, TargetState,
};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::{Effects, param};
use crate::place::Folder;

/// The stages, in order.
pub const STAGES: [&str; 4] = ["one", "two", "three", "four"];

/// How many changes each has.
const IN_A_STAGE: usize = 5;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two rows, in a transaction.
    Rows,
    /// The same with `CREATE TABLE` between them.
    Table,
    /// Two rows, without a transaction.
    PlainRows,
    /// Two lines in a file, without a transaction.
    Lines,
}

impl Kind {
    /// Whether it runs in a transaction.
    pub fn is_transactional(self) -> bool {
        matches!(self, Self::Rows | Self::Table)
    }
}

/// Who settles it after a crash, where the target does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// An operator.
    ByOperator,
    /// Its `verify`.
    ByVerify,
    /// Nobody: it is applied again.
    ByRetry,
}

/// A change.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its id; none is the beginning of another.
    pub id: String,
    /// Its stage.
    pub stage: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What a crash means.
    pub settled: Settled,
    /// Its first attempt fails half-way; where there is no transaction, it is compensated.
    pub fails_first: bool,
    /// Before, between and after its parts.
    pause: Duration,
    /// Its `apply` is a blocking one.
    blocking: bool,
}

/// What a change has left in its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Id of the change.
    pub change: String,
    /// What was done.
    pub mark: Mark,
    /// By which run.
    pub execution: String,
    /// In which attempt.
    pub attempt: u32,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The first part.
    First,
    /// The second part.
    Second,
    /// It was compensated.
    Undone,
    /// `verify` looked, and saw this.
    Saw(TargetState),
}

const MARKS: [(Mark, &str); 6] = [
    (Mark::First, "first"),
    (Mark::Second, "second"),
    (Mark::Undone, "undone"),
    (Mark::Saw(TargetState::Applied), "saw-all"),
    (Mark::Saw(TargetState::NotApplied), "saw-nothing"),
    (Mark::Saw(TargetState::PartiallyApplied), "saw-half"),
];

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, mark, execution, attempt } = self;
        let mark = MARKS.iter().find(|(known, _)| known == mark).map_or("", |(_, word)| word);
        write!(f, "{change} {mark} {execution} {attempt}")
    }
}

impl Trace {
    /// From a line or row.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let change = words.next()?.to_owned();
        let word = words.next()?;
        let (mark, _) = MARKS.into_iter().find(|(_, known)| *known == word)?;
        Some(Self { change, mark, execution: words.next()?.to_owned(), attempt: words.next()?.parse().ok()? })
    }
}

/// Each kind of change at least once, in an order of its own for each seed.
pub fn specs(seed: u64) -> Vec<Spec> {
    use Settled::{ByOperator, ByRetry, ByVerify};
    let mut random = fastrand::Rng::with_seed(seed);
    let settled = [ByOperator, ByVerify, ByRetry];
    let mut kinds = vec![(Kind::Rows, ByOperator, false), (Kind::Rows, ByOperator, true)];
    kinds.extend(settled.map(|settled| (Kind::Table, settled, false)));
    for kind in [Kind::PlainRows, Kind::Lines] {
        kinds.extend(settled.map(|settled| (kind, settled, false)));
        kinds.push((kind, ByOperator, true));
    }
    while kinds.len() < STAGES.len() * IN_A_STAGE {
        kinds.push(kinds[random.usize(..kinds.len())]);
    }
    random.shuffle(&mut kinds);
    let spec = |(number, (kind, settled, fails_first)): (usize, (Kind, Settled, bool))| Spec {
        id: format!("c{number:02}"),
        stage: STAGES[number / IN_A_STAGE],
        kind,
        settled,
        fails_first,
        pause: Duration::from_millis(random.u64(5..60)),
        blocking: random.bool(),
    };
    kinds.into_iter().enumerate().map(spec).collect()
}

/// The change, for a database with this kind of connection.
pub fn change<C: Effects>(spec: &Spec) -> Change {
    let target = if spec.kind == Kind::Lines { "folder" } else { "db" };
    let source = Source::new(file!(), line!());
    let order = Order::new(spec.id.trim_start_matches('c').to_owned());
    let apply = method::<C>(spec, Task::Apply);
    let mut change = Change::new(&spec.id, order, target, source, format!("v1:{}", spec.id), apply);
    change.stage = Some(spec.stage.to_owned());
    change.transactional = Some(spec.kind.is_transactional());
    if spec.settled == Settled::ByRetry {
        change.recovery = RecoveryStrategy::AlwaysRetry;
    }
    if spec.fails_first && !spec.kind.is_transactional() {
        change.rollback = Some(method::<C>(spec, Task::Compensate));
    }
    if spec.settled == Settled::ByVerify {
        let spec = Arc::new(spec.clone());
        change.verify = Some(Method {
            params: Work::<C>::params(&spec),
            body: Body::Async(Arc::new(move |invocation| {
                let spec = Arc::clone(&spec);
                Box::pin(
                    async move { Work::<C>::of(spec, invocation)?.verify().await.map_err(MethodError::new) },
                )
            })),
        });
    }
    change
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Apply,
    Compensate,
}

fn method<C: Effects>(spec: &Spec, task: Task) -> Method {
    let params = Work::<C>::params(spec);
    let blocking = spec.blocking;
    let spec = Arc::new(spec.clone());
    let body = if blocking {
        Body::Blocking(Arc::new(move |invocation| {
            Handle::current().block_on(work::<C>(&spec, task, invocation))
        }))
    } else {
        Body::Async(Arc::new(move |invocation| work::<C>(&spec, task, invocation)))
    };
    Method { params, body }
}

fn work<'a, C: Effects>(spec: &Arc<Spec>, task: Task, invocation: Invocation<'a>) -> MethodFuture<'a, ()> {
    let spec = Arc::clone(spec);
    Box::pin(async move {
        let mut work = Work::<C>::of(spec, invocation)?;
        let done = match task {
            Task::Apply => work.apply().await,
            Task::Compensate => work.leave(Mark::Undone).await,
        };
        done.map_err(MethodError::new)
    })
}

/// Everything that a method knows while it runs.
struct Work<'a, C> {
    spec: Arc<Spec>,
    session: Option<&'a mut C>,
    folder: &'a Folder,
    context: &'a ChangeContext,
}

impl<'a, C: Effects> Work<'a, C> {
    fn params(spec: &Spec) -> Vec<flamingock::change::Param> {
        let mut params = vec![param::<Folder>(ParamKind::Shared), param::<ChangeContext>(ParamKind::Shared)];
        if spec.kind != Kind::Lines {
            params.push(param::<C>(ParamKind::Exclusive));
        }
        params
    }

    fn of(spec: Arc<Spec>, invocation: Invocation<'a>) -> Result<Self, MethodError> {
        let (session, dependencies) = invocation.split();
        let session = if spec.kind == Kind::Lines { None } else { Some(session.exclusive::<C>("it")?) };
        Ok(Self {
            spec,
            session,
            folder: dependencies.shared::<Folder>("it")?,
            context: dependencies.shared::<ChangeContext>("it")?,
        })
    }

    async fn apply(&mut self) -> Result<(), BoxError> {
        let Spec { kind, pause, fails_first, .. } = *self.spec;
        sleep(pause).await;
        self.leave(Mark::First).await?;
        sleep(pause).await;
        if fails_first && self.context.attempt() == 1 {
            return Err("the first attempt fails".into());
        }
        if let (Kind::Table, Some(session)) = (kind, &mut self.session) {
            session.create_table(&table(&self.spec)).await?;
            sleep(pause).await;
        }
        self.leave(Mark::Second).await?;
        sleep(pause).await;
        Ok(())
    }

    async fn verify(&mut self) -> Result<TargetState, BoxError> {
        let lines = match &mut self.session {
            Some(session) => session.effects(&format!("{} ", self.spec.id)).await?,
            None => self.folder.read_lines(&self.spec.id),
        };
        let traces: Vec<Trace> = lines.iter().filter_map(|line| Trace::parse(line)).collect();
        let state = content(&traces, &self.spec.id);
        // Beside the transaction, which is rolled back after a look.
        self.folder.write_line("looks", &self.trace(Mark::Saw(state)).to_string())?;
        Ok(state)
    }

    async fn leave(&mut self, mark: Mark) -> Result<(), BoxError> {
        let trace = self.trace(mark).to_string();
        match &mut self.session {
            Some(session) => session.effect(&trace).await?,
            None => self.folder.write_line(&self.spec.id, &trace)?,
        }
        Ok(())
    }

    fn trace(&self, mark: Mark) -> Trace {
        Trace {
            change: self.spec.id.clone(),
            mark,
            execution: self.context.execution_id().to_owned(),
            attempt: self.context.attempt(),
        }
    }
}

/// How much of a change the target has.
pub fn content(traces: &[Trace], id: &str) -> TargetState {
    let has = |mark| traces.iter().any(|trace| trace.change == id && trace.mark == mark);
    match (has(Mark::First), has(Mark::Second)) {
        (true, true) => TargetState::Applied,
        (false, false) => TargetState::NotApplied,
        _ => TargetState::PartiallyApplied,
    }
}

/// The table that it creates.
pub fn table(spec: &Spec) -> String {
    format!("made_by_{}", spec.id)
}
