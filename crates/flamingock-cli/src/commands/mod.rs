//! One file per command: what it takes, and what it does.

pub(crate) mod apply;
pub(crate) mod audit_baseline;
pub(crate) mod audit_export;
pub(crate) mod audit_fix;
pub(crate) mod audit_list;
pub(crate) mod audit_show;
pub(crate) mod audit_verify;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod issue_check;
pub(crate) mod issue_get;
pub(crate) mod issue_list;
pub(crate) mod lock_release;
pub(crate) mod lock_status;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod plan;
pub(crate) mod release;
pub(crate) mod status;
pub(crate) mod tag;
pub(crate) mod undo;
pub(crate) mod validate;

mod shared;

use clap::{Parser, Subcommand};

use crate::args::Global;
use crate::error::Result;
use crate::output::Done;
use crate::session::Session;

/// See, plan, apply, undo and rule on the changes of a service.
///
/// Works straight on the audit store. What needs the application's code (plan, apply, undo, validate,
/// issue check, audit baseline) starts the application: `--app PATH -- ARGS`.
#[derive(Debug, Parser)]
#[command(
    name = "flamingock",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 pending changes or open issues where asked to \
                  check, 4 locked by another run, 126 application not found.\n\n\
                  Example:\n  flamingock status --audit-store sqlite://audit.db --service orders"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::Args),
    /// Run the application's changes
    #[command(subcommand)]
    Execute(Execute),
    Plan(plan::Args),
    Validate(validate::Args),
    Undo(undo::Args),
    Release(release::Args),
    /// Changes that need an operator
    #[command(subcommand)]
    Issue(Issue),
    /// What was done, and rulings on it
    #[command(subcommand)]
    Audit(Audit),
    /// The lock on a history
    #[command(subcommand)]
    Lock(Lock),
    Tag(tag::Args),
    New(new::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Man(man::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Execute {
    Apply(apply::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Issue {
    #[command(visible_alias = "ls")]
    List(issue_list::Args),
    #[command(visible_alias = "describe")]
    Get(issue_get::Args),
    Check(issue_check::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    #[command(visible_alias = "ls")]
    List(audit_list::Args),
    Show(audit_show::Args),
    Fix(audit_fix::Args),
    Baseline(audit_baseline::Args),
    Verify(audit_verify::Args),
    Export(audit_export::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Lock {
    Status(lock_status::Args),
    Release(lock_release::Args),
}

/// As it is typed, and as the JSON answer calls it.
pub(crate) fn name(command: &Command) -> &'static str {
    match command {
        Command::Status(_) => "status",
        Command::Execute(Execute::Apply(_)) => "execute apply",
        Command::Plan(_) => "plan",
        Command::Validate(_) => "validate",
        Command::Undo(_) => "undo",
        Command::Release(_) => "release",
        Command::Issue(Issue::List(_)) => "issue list",
        Command::Issue(Issue::Get(_)) => "issue get",
        Command::Issue(Issue::Check(_)) => "issue check",
        Command::Audit(Audit::List(_)) => "audit list",
        Command::Audit(Audit::Show(_)) => "audit show",
        Command::Audit(Audit::Fix(_)) => "audit fix",
        Command::Audit(Audit::Baseline(_)) => "audit baseline",
        Command::Audit(Audit::Verify(_)) => "audit verify",
        Command::Audit(Audit::Export(_)) => "audit export",
        Command::Lock(Lock::Status(_)) => "lock status",
        Command::Lock(Lock::Release(_)) => "lock release",
        Command::Tag(_) => "tag",
        Command::New(_) => "new",
        Command::Doctor(_) => "doctor",
        Command::Completions(_) => "completions",
        Command::Man(_) => "man",
    }
}

pub(crate) async fn run(session: &Session, command: Command) -> Result<Done> {
    match command {
        Command::Status(args) => status::run(session, args).await,
        Command::Execute(Execute::Apply(args)) => apply::run(session, args).await,
        Command::Plan(args) => plan::run(session, args).await,
        Command::Validate(args) => validate::run(session, args).await,
        Command::Undo(args) => undo::run(session, args).await,
        Command::Release(args) => release::run(session, args).await,
        Command::Issue(Issue::List(args)) => issue_list::run(session, args).await,
        Command::Issue(Issue::Get(args)) => issue_get::run(session, args).await,
        Command::Issue(Issue::Check(args)) => issue_check::run(session, args).await,
        Command::Audit(Audit::List(args)) => audit_list::run(session, args).await,
        Command::Audit(Audit::Show(args)) => audit_show::run(session, args).await,
        Command::Audit(Audit::Fix(args)) => audit_fix::run(session, args).await,
        Command::Audit(Audit::Baseline(args)) => audit_baseline::run(session, args).await,
        Command::Audit(Audit::Verify(args)) => audit_verify::run(session, args).await,
        Command::Audit(Audit::Export(args)) => audit_export::run(session, args).await,
        Command::Lock(Lock::Status(args)) => lock_status::run(session, args).await,
        Command::Lock(Lock::Release(args)) => lock_release::run(session, args).await,
        Command::Tag(args) => tag::run(session, args).await,
        Command::New(args) => new::run(session, args).await,
        Command::Doctor(args) => doctor::run(session, args).await,
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
