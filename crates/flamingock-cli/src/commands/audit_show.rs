use serde_json::json;

use super::shared;
use crate::error::Result;
use crate::output::{Done, Tone};
use crate::render;
use crate::session::Session;

/// A change's whole life.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock audit show add-tracking-code")]
pub(crate) struct Args {
    /// Id of the change
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    change: String,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.operator().await?;
    let status = operator.status().await?;
    let (latest, standing) = shared::change(&status, &args.change)?;
    let life = shared::life(&operator, &args.change).await?;
    let output = &session.output;
    let mut text =
        format!("{}  {standing}\n", output.paint(Tone::Strong, &render::line(&latest.change, 200)));
    for (name, fact) in [
        ("for", latest.description.as_deref()),
        ("author", latest.author.as_deref()),
        ("written", Some(latest.source.as_str())),
        ("stage", Some(latest.stage.as_str())),
        ("order", Some(latest.order.as_str())),
        ("checksum", Some(latest.checksum.as_str())),
    ] {
        if let Some(fact) = fact.filter(|fact| !fact.is_empty()) {
            text.push_str(&render::block(&format!("{name:<9} {fact}"), "        "));
        }
    }
    text.push('\n');
    text.push_str(&render::life(output, &life, false));
    Done::new(json!({ "change": args.change, "standing": standing, "entries": life }), text)
}
