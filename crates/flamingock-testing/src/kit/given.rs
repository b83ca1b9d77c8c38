use std::collections::BTreeSet;
use std::future::Future;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use flamingock_core::audit::{AuditEntry, EntryFilter};
use flamingock_core::change::CodeChange;
use flamingock_core::memory::MemoryStore;
use flamingock_core::report::Report;
use flamingock_core::{BackendError, Flamingock, FlamingockBuilder, RunError};

use super::entry::Entry;
use super::event::{ExpectedEvent, seen};
use super::existing;
use super::fault::{At, CrashAt, Effect, Fault, Process, Within};
use super::ran::{Happened, Ran};
use crate::conformance::BoxError;

/// Given an application, what its audit has already and what is to go wrong; when it runs, then ..
///
/// ```
/// use flamingock_core::Flamingock;
/// # use std::sync::Arc;
/// # use flamingock_core::change::{Body, Change, Method, Order, Source};
/// # use flamingock_core::memory::MemoryTarget;
/// use flamingock_testing::{FlamingockTest, Moment, after, entry_of};
/// # fn change(id: &str, order: &'static str) -> Change {
/// #     let apply = Method { params: Vec::new(), body: Body::Async(Arc::new(|_| Box::pin(async { Ok(()) }))) };
/// #     Change::new(id, Order::new(order), "orders-db", Source::new("src/changes.rs", 1), "v1:00", apply)
/// # }
/// # let orders_db = MemoryTarget::new("orders-db");
/// # let (create_orders, add_code) = (change("create-orders", "1"), change("add-code", "2"));
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let builder = Flamingock::builder()
///     .service("orders")
///     .change(create_orders)
///     .change(add_code)
///     .target(orders_db); // audit store and lock: in memory, unless one is given
///
/// FlamingockTest::given(builder)
///     .existing_audit([entry_of("create-orders").started(), entry_of("create-orders").applied()])
///     .crash_at(after(Moment::Commit.of_id("add-code")))
///     .when_run()
///     .await
///     .then_audit([entry_of("add-code").started()])
///     .when_run_again()
///     .await
///     .then_audit([entry_of("add-code").applied()]) // the target's marker told
///     .then_nothing_more();
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Every method that finds something unexpected panics, with the place of its caller.
#[derive(Debug)]
#[must_use = "call `.when_run().await`"]
pub struct FlamingockTest {
    pub(super) app: Flamingock,
    existing: Vec<Entry>,
    pub(super) faults: Vec<Fault>,
}

/// What is run.
#[derive(Debug)]
pub(super) enum Action {
    Run,
    Undo(Vec<String>),
}

impl FlamingockTest {
    /// An application as it is built for production, or with the audit in memory:
    /// `given(builder().audit_store(MemoryStore::new()))`. Without an audit store it gets one in memory.
    ///
    /// # Panics
    /// When it is wired wrong, with everything that is.
    #[track_caller]
    pub fn given(builder: FlamingockBuilder) -> Self {
        match builder.audit_store_or(MemoryStore::new()).build() {
            Ok(app) => Self::of(app),
            Err(error) => panic!("the application is wired wrong:\n{error}"),
        }
    }

    pub(super) fn of(app: Flamingock) -> Self {
        Self { app, existing: Vec::new(), faults: Vec::new() }
    }

    /// What is there before: entries as an earlier run of the same application would have written them,
    /// in this order, and the markers that transactional changes leave in their targets when they are
    /// applied or undone; rulings and attempts that died leave the one that was there.
    /// What the changes did to the targets is not there. A change that the application no longer has is
    /// named by its id, with its [`target`](Entry::target) where that matters.
    pub fn existing_audit(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.existing.extend(entries);
        self
    }

    /// Lets the process die there, once: the run's future is dropped with everything it has in hand, and
    /// its lease is over at once. The other moments of the run are as ever.
    ///
    /// ```
    /// # use flamingock_testing::{FlamingockTest, Moment, before};
    /// # fn example(test: FlamingockTest) -> FlamingockTest {
    /// test.crash_at(before(Moment::Commit.of_id("add-tracking-code")))
    /// # }
    /// ```
    #[track_caller]
    pub fn crash_at(mut self, crash: impl Into<CrashAt>) -> Self {
        self.faults.push(Fault::crash(crash.into(), Location::caller()));
        self
    }

    /// Lets it happen, once, and lets the run hear that the connection was lost.
    ///
    /// # Panics
    /// Where there is no answer: within a method.
    #[track_caller]
    pub fn lose_answer(self, at: At) -> Self {
        self.answer(at, Effect::LoseAnswer, Location::caller())
    }

    /// Lets it not happen, once, and lets the run hear that the connection was lost.
    ///
    /// # Panics
    /// Where there is no answer: within a method.
    #[track_caller]
    pub fn fail_at(self, at: At) -> Self {
        self.answer(at, Effect::Fail, Location::caller())
    }

    #[track_caller]
    fn answer(mut self, at: At, effect: Effect, place: &'static Location<'static>) -> Self {
        match Fault::answer(at, effect, place) {
            Ok(fault) => self.faults.push(fault),
            Err(message) => panic!("{message}"),
        }
        self
    }

    /// Runs it.
    ///
    /// # Panics
    /// When what is there before cannot be written, the audit cannot be read, or a crash, lost answer or
    /// failure was never come to. The message names the place of the call.
    #[track_caller]
    pub fn when_run(self) -> impl Future<Output = Ran> + Send {
        self.when(Action::Run, Location::caller())
    }

    /// Undoes this change, which is applied.
    ///
    /// # Panics
    /// As [`when_run`](Self::when_run).
    #[track_caller]
    pub fn when_undone<C: CodeChange>(self) -> impl Future<Output = Ran> + Send {
        self.when(Action::Undo(vec![C::ID.to_owned()]), Location::caller())
    }

    /// Undoes the changes with these ids, the one applied last first.
    ///
    /// # Panics
    /// As [`when_run`](Self::when_run).
    #[track_caller]
    pub fn when_undone_ids(
        self,
        ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> impl Future<Output = Ran> + Send {
        self.when(Action::Undo(ids.into_iter().map(Into::into).collect()), Location::caller())
    }

    pub(super) async fn when(mut self, action: Action, place: &'static Location<'static>) -> Ran {
        let existing = std::mem::take(&mut self.existing);
        if !existing.is_empty()
            && let Err(error) = existing::write(&self.app, &existing).await
        {
            panic!("{place}: the existing audit could not be written: {error}");
        }
        match self.perform(action).await {
            Ok(happened) => Ran::new(self.app, happened, place),
            Err(error) => panic!("{place}: {error}"),
        }
    }

    async fn perform(&mut self, action: Action) -> Result<Happened, BoxError> {
        let unreadable = |error| format!("the audit could not be read: {error}");
        let head = self.app.audit_store().head(self.app.history()).await.map_err(unreadable)?;

        let process = Process::new(std::mem::take(&mut self.faults));
        let events = Arc::<Mutex<Vec<ExpectedEvent>>>::default();
        let heard = Arc::clone(&events);
        let app = self.app.around(&Within(&process)).listened_to(move |event| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(seen(event));
        });
        let ended = {
            let mut run = Box::pin(act(&app, action));
            tokio::select! {
                biased;
                () = process.died() => None,
                ended = &mut run => Some(ended),
            }
        };
        process.expire().await.map_err(|error| format!("the lease could not be ended: {error}"))?;
        let unreached = process.unreached();
        if !unreached.is_empty() {
            let faults: String = unreached.iter().map(|fault| format!("\n  - {fault}")).collect();
            let strangers = strangers(&self.app, unreached.iter().map(Fault::change));
            let ended = how(ended.as_ref());
            return Err(format!("the run never came to:{faults}\n{strangers}{ended}").into());
        }
        let (entries, latest) = recorded(&self.app, head.map_or(0, |head| head.sequence))
            .await
            .map_err(|error| format!("{}\n{}", unreadable(error), how(ended.as_ref())))?;
        let events = std::mem::take(&mut *events.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Happened { ended, entries, latest, events })
    }
}

async fn act(app: &Flamingock, action: Action) -> Result<Report, RunError> {
    match action {
        Action::Run => app.run().await,
        Action::Undo(ids) => app.undo(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await,
    }
}

/// How it ended, for a message.
pub(super) fn how(ended: Option<&Result<Report, RunError>>) -> String {
    match ended {
        None => "The run crashed.".to_owned(),
        Some(Ok(report)) => format!("The run ended well: {}", report.summary()),
        Some(Err(error)) => format!("The run ended with {}: {error}", error.kind()),
    }
}

/// A line for each of these changes that is none of the application's.
pub(super) fn strangers<'a>(app: &Flamingock, ids: impl IntoIterator<Item = &'a str>) -> String {
    let known: BTreeSet<_> = app.pipeline().changes().map(|(_, change)| change.id.as_str()).collect();
    let ids: BTreeSet<_> = ids.into_iter().filter(|id| !id.is_empty() && !known.contains(id)).collect();
    ids.into_iter().map(|id| format!("`{id}` is no change of this application\n")).collect()
}

/// The entries that came after this sequence, and the newest one of each change.
async fn recorded(app: &Flamingock, after: u64) -> Result<(Vec<AuditEntry>, Vec<AuditEntry>), BackendError> {
    let (store, history) = (app.audit_store(), app.history());
    if store.head(history).await?.is_none() {
        // The run ended before it set up its store.
        return Ok(<_>::default());
    }
    let mut filter = EntryFilter { after, ..EntryFilter::default() };
    let mut entries = Vec::new();
    loop {
        let page = store.entries(history, &filter).await?;
        let Some(last) = page.last() else { return Ok((entries, store.latest(history).await?)) };
        filter.after = last.sequence;
        entries.extend(page);
    }
}
