use std::path::PathBuf;

use flamingock_core::operate::{Only, Request};

use super::{plan, shared};
use crate::error::Result;
use crate::output::Done;
use crate::session::Session;

/// Apply what is pending (needs the application).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock execute apply --app ./orders -- --profile prod")]
pub(crate) struct Args {
    /// Only this stage; may be given several times
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    stage: Vec<String>,
    /// Only up to this change, and with it
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    until: Option<String>,
    /// Only what this saved plan says; refused when anything has moved on
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Who does it; your user name unless told
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let plan = args.plan.as_deref().map(plan::saved).transpose()?;
    let operator = Some(session.operator_name(args.operator.as_deref()));
    let only = Only { stages: args.stage, until: args.until, plan, operator };
    let report = shared::run_shown(session, Request::Apply(only)).await?;
    let text = if session.output.quiet { report.summary() } else { report.to_string() };
    Done::new(report, text)
}
