use flamingock_core::audit::ChainHash;

use crate::error::Result;
use crate::output::{Done, Tone};
use crate::session::Session;

/// Check that nobody changed, deleted or rewrote the audit.
///
/// Whoever owns the database can rewrite the whole chain: --expect compares with a sequence and hash
/// that were noted elsewhere. Every report prints them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock audit verify --expect 42:v1:1b2c..")]
pub(crate) struct Args {
    /// Sequence and hash that were noted elsewhere; may be given several times
    #[arg(long, value_name = "SEQ:HASH", value_parser = point)]
    expect: Vec<(u64, ChainHash)>,
}

fn point(text: &str) -> std::result::Result<(u64, ChainHash), String> {
    let (sequence, hash) = text.split_once(':').ok_or("write SEQUENCE:HASH, as reports print it")?;
    let sequence = sequence.parse().map_err(|_| format!("`{}` is no sequence", sequence.escape_debug()))?;
    Ok((sequence, hash.parse()?))
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.operator().await?;
    let mut expected = args.expect.into_iter().map(Some).collect::<Vec<_>>();
    if expected.is_empty() {
        expected.push(None);
    }
    let mut report = None;
    for expect in expected {
        let found = operator.verify(expect).await?;
        let bad = found.finding.is_some();
        report = Some(found);
        if bad {
            break;
        }
    }
    let report = report.ok_or_else(|| crate::error::Problem::usage("nothing to verify"))?;
    let output = &session.output;
    let (text, exit) = match &report.finding {
        None => {
            let good = output.paint(Tone::Good, "The audit holds");
            (format!("{good}: {} entries\n{}:{}", report.entries, report.entries, report.hash), 0)
        }
        Some(finding) => {
            let bad = output.paint(Tone::Bad, "The audit does not hold");
            let text = format!(
                "{bad}: first at entry {}\n{}\nEntries 1 to {} hold.",
                finding.sequence, finding.message, report.entries
            );
            (text, 1)
        }
    };
    Ok(Done::new(report, text)?.exit(exit))
}
