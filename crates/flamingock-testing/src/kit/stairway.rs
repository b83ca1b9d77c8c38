use std::fmt::{self, Debug};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use flamingock_core::change::CodeChange;
use flamingock_core::memory::MemoryStore;
use flamingock_core::operate::Only;
use flamingock_core::{Flamingock, FlamingockBuilder};

use crate::conformance::BoxError;

type Look = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync>;

/// Up, down and up again: whether `#[rollback]` takes back what `#[apply]` does, so that it can be applied
/// again.
///
/// ```
/// # use std::sync::Arc;
/// # use flamingock_core::Flamingock;
/// # use flamingock_core::change::{Body, Change, Method, Order, Source};
/// # use flamingock_core::memory::{MemoryTarget, MemoryTransaction};
/// use flamingock_testing::Stairway;
/// # let method = |value: Option<&'static str>| Method {
/// #     params: Vec::new(),
/// #     body: Body::Async(Arc::new(move |_| Box::pin(async move { let _ = value; Ok(()) }))),
/// # };
/// # let mut change =
/// #     Change::new("add-code", Order::new("1"), "orders-db", Source::new("a.rs", 1), "v1:00", method(Some("x")));
/// # change.rollback = Some(method(None));
/// # let orders_db = MemoryTarget::new("orders-db");
/// # let look = orders_db.clone();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let builder = Flamingock::builder().service("orders").change(change).target(orders_db);
///
/// Stairway::of(builder)
///     .looking_at(move || {
///         let code = look.get("code"); // the schema, say
///         async move { Ok(format!("{code:?}")) }
///     })
///     .climb()
///     .await;
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "call `.climb().await`"]
pub struct Stairway {
    app: Flamingock,
    look: Option<Look>,
}

impl Debug for Stairway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stairway").field("app", &self.app).finish_non_exhaustive()
    }
}

/// Applies everything up to this change, undoes the change, and applies it again, against the builder's
/// targets. Without an audit store the audit is in memory.
///
/// # Panics
/// When a step fails, with the step and the error; when the change is none of the application's or has
/// no `#[rollback]`.
#[track_caller]
pub fn apply_rollback_apply<C: CodeChange>(builder: FlamingockBuilder) -> impl Future<Output = ()> + Send {
    Stairway::of(builder).climb_to::<C>()
}

impl Stairway {
    /// Of this application, against its targets. Without an audit store the audit is in memory.
    ///
    /// # Panics
    /// When it is wired wrong, with everything that is.
    #[track_caller]
    pub fn of(builder: FlamingockBuilder) -> Self {
        match builder.audit_store_or(MemoryStore::new()).build() {
            Ok(app) => Self { app, look: None },
            Err(error) => panic!("the application is wired wrong:\n{error}"),
        }
    }

    /// Compares what this sees, such as the schema as text, before a change, after it and after its undo:
    /// the undo must leave what was there before, and the second apply what the first one left.
    pub fn looking_at<F>(mut self, look: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        self.look = Some(Arc::new(move || Box::pin(look())));
        self
    }

    /// Each change of the pipeline in order: applies it, undoes it, applies it again. One without a
    /// `#[rollback]` is applied only.
    ///
    /// # Panics
    /// When a step fails, with the step and the error; when no change has a `#[rollback]`.
    #[track_caller]
    pub fn climb(self) -> impl Future<Output = ()> + Send {
        let place = Location::caller();
        let steps: Vec<_> = self.changes().collect();
        async move {
            if !steps.iter().any(|(_, can_be_undone)| *can_be_undone) {
                panic!("{place}: no change has a #[rollback]: there is nothing to try");
            }
            for (change, can_be_undone) in steps {
                let tried = if can_be_undone {
                    self.up_down_up(&change).await
                } else {
                    self.apply(&change, "apply").await
                };
                if let Err(failed) = tried {
                    panic!("{place}: {failed}");
                }
            }
        }
    }

    /// The change of this type only, after those before it.
    ///
    /// # Panics
    /// When a step fails, with the step and the error; when the change is none of the application's or has
    /// no `#[rollback]`.
    #[track_caller]
    pub fn climb_to<C: CodeChange>(self) -> impl Future<Output = ()> + Send {
        let place = Location::caller();
        async move {
            if let Err(failed) = self.to(C::ID).await {
                panic!("{place}: {failed}");
            }
        }
    }

    async fn to(&self, change: &str) -> Result<(), String> {
        let changes: Vec<_> = self.changes().collect();
        let Some(position) = changes.iter().position(|(id, _)| id == change) else {
            return Err(format!("`{change}` is no change of this application"));
        };
        if !changes[position].1 {
            return Err(format!("change `{change}` has no #[rollback]: it cannot be undone"));
        }
        if position > 0 {
            self.apply(&changes[position - 1].0, "apply what comes before").await?;
        }
        self.up_down_up(change).await
    }

    fn changes(&self) -> impl Iterator<Item = (String, bool)> {
        self.app.pipeline().changes().map(|(_, change)| (change.id.clone(), change.rollback.is_some()))
    }

    async fn up_down_up(&self, change: &str) -> Result<(), String> {
        let before = self.look(change).await?;
        self.apply(change, "apply").await?;
        let applied = self.look(change).await?;
        let undone = self.app.undo(&[change]).await;
        undone.map_err(|error| step(change, "undo", "2 of 3", &error))?;
        self.compare(change, "the undo did not restore what was there before", &before).await?;
        self.apply(change, "apply again").await?;
        self.compare(change, "the second apply left something else than the first", &applied).await
    }

    async fn apply(&self, change: &str, what: &str) -> Result<(), String> {
        let only = Only { until: Some(change.to_owned()), ..Only::default() };
        let number = if what == "apply again" { "3 of 3" } else { "1 of 3" };
        self.app.apply_only(&only).await.map(drop).map_err(|error| step(change, what, number, &error))
    }

    async fn look(&self, change: &str) -> Result<Option<String>, String> {
        let Some(look) = &self.look else { return Ok(None) };
        look().await.map(Some).map_err(|error| format!("change `{change}`: the look failed: {error}"))
    }

    async fn compare(&self, change: &str, what: &str, expected: &Option<String>) -> Result<(), String> {
        let found = self.look(change).await?;
        match (expected, &found) {
            (Some(expected), Some(found)) if expected != found => {
                let diff = similar::TextDiff::from_lines(expected, found).unified_diff().to_string();
                Err(format!("change `{change}`: {what}:\n{diff}"))
            }
            _ => Ok(()),
        }
    }
}

fn step(change: &str, what: &str, number: &str, error: &dyn fmt::Display) -> String {
    format!("change `{change}`, step {number} ({what}) failed:\n{error}")
}
