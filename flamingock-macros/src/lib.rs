//! The macros of Flamingock. Use them through the facade, which their output names: the `flamingock`
//! crate has all of them in its prelude.
//!
//! Everything wrong with a change is reported at once, each mistake in one sentence where it stands.

mod change;
mod checksum;
mod helper;
mod include;
mod mistakes;
mod pairs;
mod place;
mod test;
mod value;

use proc_macro::TokenStream;

/// Makes a type a change: code that is applied to a target system once, in order, and recorded.
///
/// It goes on an `impl` block, so that the methods stay callable in a plain test. One method is under
/// [`#[apply]`](macro@apply); [`#[rollback]`](macro@rollback) and [`#[verify]`](macro@verify) are
/// optional.
///
/// ```
/// use flamingock::prelude::*;
/// # pub struct Db;
/// # impl Db { async fn execute(&mut self, _: &str) -> Result<(), std::io::Error> { Ok(()) } }
///
/// pub struct AddTrackingCode;
///
/// /// Orders need a tracking code before shipping goes live.
/// #[change(id = "add-tracking-code", order = "0003", target_system = "orders-db", author = "shipping")]
/// impl AddTrackingCode {
///     #[apply]
///     async fn apply(db: &mut Db) -> ChangeResult {
///         db.execute("ALTER TABLE orders ADD COLUMN tracking_code TEXT").await?;
///         Ok(())
///     }
///
///     #[rollback]
///     async fn rollback(db: &mut Db) -> ChangeResult {
///         db.execute("ALTER TABLE orders DROP COLUMN tracking_code").await?;
///         Ok(())
///     }
/// }
/// ```
///
/// # Keys
///
/// | Key | Value | Without it |
/// | --- | --- | --- |
/// | `id` | string, at most 255 bytes, unique in the application | required |
/// | `target_system` | id of the target system that is changed | required |
/// | `order` | string or integer; its numbers count as numbers, so 9 comes before 10 | read from a source file named `_<ORDER>__<name>.rs` |
/// | `author` | string | none |
/// | `description` | string | the doc comment on the `impl` block |
/// | `transactional` | `true` or `false` | `true` where the target system has transactions |
/// | `recovery` | `manual_intervention` or `always_retry` | `manual_intervention` |
/// | `stage` | name of a stage | the stage of the module |
/// | `profiles` | `["prod", "!test"]`: for any of them; `!` means that it is not active | always |
/// | `timeout` | how long each method may take: `"30s"`, `"1h 30m"` | no limit |
/// | `crate` | path of the facade, where it is not called `flamingock` | `::flamingock` |
///
/// ```
/// # pub struct Topic;
/// # use flamingock::prelude::*;
/// # pub struct CreateTopic;
/// #[change(
///     id = "create-topic",
///     order = 4,
///     target_system = "events",
///     transactional = false,
///     recovery = always_retry,
///     stage = "messaging",
///     profiles = ["prod", "staging"],
///     timeout = "30s"
/// )]
/// impl CreateTopic {
///     #[apply]
///     async fn apply(topic: &Topic) -> ChangeResult {
/// #       let _ = topic;
///         Ok(())
///     }
/// }
/// ```
///
/// # Parameters
///
/// Parameters are found by their types, and `build()` says which are missing before anything runs.
///
/// - `&mut T` is the session of the change's target system: the open transaction when the change is
///   transactional, a plain connection when it is not. A method takes at most one.
/// - `&T` is a shared dependency; `T` may be a trait object or `str`.
/// - `Option<&T>` is a dependency that may be missing.
///
/// ```
/// use flamingock::prelude::*;
/// # pub struct Transaction<'c, DB>(std::marker::PhantomData<&'c DB>);
/// # pub struct Postgres;
/// # pub trait Clock: Send + Sync {}
/// # pub struct Mailer;
/// # pub struct CloseOldOrders;
/// #[change(id = "close-old-orders", order = 5, target_system = "orders-db")]
/// impl CloseOldOrders {
///     #[apply]
///     async fn apply(
///         tx: &mut Transaction<'_, Postgres>,
///         clock: &dyn Clock,
///         mailer: Option<&Mailer>,
///         context: &ChangeContext,
///     ) -> Result<(), std::io::Error> {
/// #       let _ = (tx, clock, mailer);
///         context.progress(1, 2, "orders closed");
///         Ok(())
///     }
/// }
/// ```
///
/// # Methods
///
/// A method is `async` or not. One that is not runs on a pool of blocking threads; a timeout or the
/// loss of the lease cannot stop it. Either returns `Result<(), E>`, with any error that converts
/// into a boxed one; `#[verify]` returns `Result<TargetState, E>`.
///
/// A method may be under `#[cfg(..)]`. A type carries one `#[change]`.
#[proc_macro_attribute]
pub fn change(arguments: TokenStream, item: TokenStream) -> TokenStream {
    change::expand(arguments.into(), item.into(), &place::Place::of_call()).into()
}

/// Marks the method that makes the change, inside an `impl` block under [`#[change]`](macro@change).
/// Exactly one method has it.
///
/// ```
/// use flamingock::prelude::*;
///
/// pub struct CreateBucket;
///
/// #[change(id = "create-bucket", order = 1, target_system = "files")]
/// impl CreateBucket {
///     #[apply]
///     fn apply(root: &std::path::PathBuf) -> std::io::Result<()> {
///         std::fs::create_dir(root.join("bucket"))
///     }
/// }
///
/// // It is still a plain function.
/// assert!(CreateBucket::apply(&"/no such folder".into()).is_err());
/// ```
#[proc_macro_attribute]
pub fn apply(arguments: TokenStream, item: TokenStream) -> TokenStream {
    helper::expand("apply", &arguments.into(), item.into()).into()
}

/// Marks the method that takes the change back, inside an `impl` block under
/// [`#[change]`](macro@change). At most one method has it.
///
/// It runs on undo; where the change is not transactional, also after its `#[apply]` failed.
///
/// ```
/// # use flamingock::prelude::*;
/// # pub struct CreateBucket;
/// #[change(id = "create-bucket", order = 1, target_system = "files")]
/// impl CreateBucket {
///     #[apply]
///     fn apply(root: &std::path::PathBuf) -> std::io::Result<()> {
///         std::fs::create_dir(root.join("bucket"))
///     }
///
///     #[rollback]
///     fn rollback(root: &std::path::PathBuf) -> std::io::Result<()> {
///         std::fs::remove_dir(root.join("bucket"))
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn rollback(arguments: TokenStream, item: TokenStream) -> TokenStream {
    helper::expand("rollback", &arguments.into(), item.into()).into()
}

/// Marks the method that looks whether the target system has the change, inside an `impl` block under
/// [`#[change]`](macro@change). At most one method has it.
///
/// It changes nothing. It settles what became of a change whose outcome is unknown, where the target
/// system has no transactions.
///
/// ```
/// # use flamingock::prelude::*;
/// # pub struct CreateBucket;
/// #[change(id = "create-bucket", order = 1, target_system = "files")]
/// impl CreateBucket {
///     #[apply]
///     fn apply(root: &std::path::PathBuf) -> std::io::Result<()> {
///         std::fs::create_dir(root.join("bucket"))
///     }
///
///     #[verify]
///     fn verify(root: &std::path::PathBuf) -> std::io::Result<TargetState> {
///         Ok(if root.join("bucket").try_exists()? { TargetState::Applied } else { TargetState::NotApplied })
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn verify(arguments: TokenStream, item: TokenStream) -> TokenStream {
    helper::expand("verify", &arguments.into(), item.into()).into()
}

/// Declares every `_<ORDER>__<name>.rs` of a folder as a module: `include_changes!("changes");`
///
/// The path is relative to the package's `Cargo.toml`. Each file is a module like any other, named
/// after the file and private, or as visible as it says before the path:
/// `include_changes!(pub "changes");`. Its changes need no `order`. Folders in the folder and files
/// that are not Rust are left alone; changes in YAML are not supported yet.
/// (Declared by hand, a module of such a name needs `#[expect(non_snake_case, reason = "..")]`.)
///
/// ```
/// mod changes {
///     flamingock::include_changes!(pub "tests/changes");
///     flamingock::change_set!(pub CHANGES);
/// }
///
/// assert_eq!(changes::CHANGES.changes().len(), 2);
/// ```
///
/// Cargo sees changes to these files by itself, but not that there is a new one. One line in the `main`
/// of a build script, `build.rs` beside `Cargo.toml`, tells it:
///
/// ```
/// println!("cargo::rerun-if-changed=changes");
/// ```
///
/// `cargo fmt` does not find these files; name them to rustfmt: `rustfmt --edition 2024 changes/*.rs`.
#[proc_macro]
pub fn include_changes(input: TokenStream) -> TokenStream {
    include::expand(input.into()).into()
}

/// Makes an `async fn` a test that gets databases of its own, by the types of its parameters.
///
/// ```text
/// #[flamingock::test]
/// async fn an_order_has_a_code(pool: PgPool) {
///     // an empty database, which nobody else sees
/// }
/// ```
///
/// | Parameter | The database |
/// | --- | --- |
/// | `PgPool` | on PostgreSQL (`FLAMINGOCK_TEST_POSTGRES_URL`, else `DATABASE_URL`) |
/// | `MySqlPool` | on MySQL or MariaDB (`FLAMINGOCK_TEST_MYSQL_URL`, else `DATABASE_URL`) |
/// | `SqlitePool` | a file in the temporary folder |
///
/// A test takes any number of them, also none. It runs on a runtime of its own with several threads, and
/// returns nothing or `Result<(), E>`. When it passed, its databases are dropped; when it failed they stay,
/// and the failure says where. Without its server it fails, and says how to name one. What a killed test
/// left is removed by a later test, after a day.
///
/// # Keys
///
/// | Key | Value | Without it |
/// | --- | --- | --- |
/// | `changes` | a change set, applied when the test begins, with the database as target system and audit store | an empty database |
/// | `service` | whose changes these are, as in `.service(..)` | `test` |
/// | `env` | name of the variable that has the server's URL | as above |
/// | `url` | the server's URL | as above |
/// | `harness` | `false`: a plain function, for a test harness of your own | `#[test]` |
/// | `crate` | path of the facade, where it is not called `flamingock` | `::flamingock` |
///
/// With `changes`, PostgreSQL applies them once for each build of the test program, to a template that every
/// test with the same changes gets a copy of.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(arguments.into(), item.into()).into()
}
