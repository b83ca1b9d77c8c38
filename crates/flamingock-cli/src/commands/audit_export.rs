use std::io::Write as _;

use clap::ValueEnum;
use flamingock_core::audit::{AuditEntry, EntryFilter, Value};

use crate::error::Result;
use crate::output::Done;
use crate::session::Session;

/// Every entry, with every field.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock audit export --format csv > audit.csv")]
pub(crate) struct Args {
    /// A JSON document per line, or CSV
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Only entries after this sequence
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    after: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.operator().await?;
    let mut filter = EntryFilter { after: args.after, ..EntryFilter::default() };
    let mut csv = csv::Writer::from_writer(std::io::stdout());
    if args.format == Format::Csv {
        csv.write_record(AuditEntry::FIELDS.iter().map(|field| field.name))?;
    }
    loop {
        let page = operator.entries(&filter).await?;
        let Some(last) = page.last() else { break };
        filter.after = last.sequence;
        match args.format {
            Format::Csv => {
                for entry in &page {
                    csv.write_record(entry.to_record().into_iter().map(text))?;
                }
                csv.flush()?;
            }
            Format::Jsonl => {
                let mut out = std::io::BufWriter::new(std::io::stdout().lock());
                for entry in &page {
                    serde_json::to_writer(&mut out, entry)?;
                    out.write_all(b"\n")?;
                }
                out.flush()?;
            }
        }
    }
    csv.flush()?;
    Ok(Done::streamed())
}

fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
    }
}
