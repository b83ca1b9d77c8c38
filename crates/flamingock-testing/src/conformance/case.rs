use futures_util::future::BoxFuture;

/// One case of a suite: a sentence, what it needs, and the check itself.
pub(super) struct Case<Context, Capabilities> {
    /// The sentence, with underscores.
    pub(super) name: &'static str,
    /// Whether an implementation that declares this has to pass it.
    pub(super) applies: fn(&Capabilities) -> bool,
    /// Panics when it does not hold.
    pub(super) run: fn(Context) -> BoxFuture<'static, ()>,
}

/// A list of cases: each is a function, with what it needs of the implementation.
macro_rules! cases {
    ($($name:ident $(if $need:expr)?),* $(,)?) => {
        vec![$(crate::conformance::case::Case {
            name: stringify!($name),
            applies: crate::conformance::case::cases!(@applies $($need)?),
            run: |context| Box::pin($name(context)),
        }),*]
    };
    (@applies) => { |_| true };
    (@applies $need:expr) => { $need };
}

pub(super) use cases;
