use flamingock_core::audit::{FORMAT, Head, HeadChange, Verdict};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use redis::{Cmd, Value};

use crate::errors::Operation;
use crate::reply;

/// The fields of a head, in the order in which it is read.
const FIELDS: [&str; 8] =
    ["format", "token", "owner", "execution_id", "sequence", "hash", "digests", "verdict"];

/// The one command that reads a head.
pub(crate) fn read_command(key: &str) -> Cmd {
    let mut command = redis::cmd("HMGET");
    command.arg(key).arg(&FIELDS);
    command
}

/// The head in the values of [`FIELDS`]; [`None`] when there is none.
pub(crate) fn read(
    operation: &Operation<'_>,
    history: &History,
    value: Value,
) -> Result<Option<Head>, BackendError> {
    let corrupt = |problem| operation.corrupt(format_args!("the head of {history}"), problem);
    let values = reply::array(value).map_err(corrupt)?;
    if values.iter().all(|value| *value == Value::Nil) {
        return Ok(None);
    }
    // Before anything else: what follows may mean something else in another format.
    let format = values.first().ok_or_else(|| corrupt("it is empty".to_owned()))?;
    let format: u64 = reply::number(format).map_err(corrupt)?;
    check_format(operation, format)?;
    fields(&values, format).map(Some).map_err(corrupt)
}

/// Refuses what a newer release wrote.
pub(crate) fn check_format(operation: &Operation<'_>, format: u64) -> Result<(), BackendError> {
    if format <= u64::from(FORMAT) { Ok(()) } else { Err(newer_format(operation, format)) }
}

pub(crate) fn newer_format(operation: &Operation<'_>, format: u64) -> BackendError {
    let message = format!("the audit has format {format}, this release knows up to {FORMAT}");
    operation.fail(BackendErrorKind::NewerFormat, message)
}

fn fields(values: &[Value], format: u64) -> Result<Head, String> {
    let [_, token, owner, execution, sequence, hash, digests, verdict] = values else {
        return Err(format!("it has {} fields", values.len()));
    };
    let verdict = match reply::optional_text(verdict)? {
        None | Some("") => None,
        Some(text) => {
            Some(serde_json::from_str::<Verdict>(text).map_err(|error| format!("verdict: {error}"))?)
        }
    };
    Ok(Head {
        format: u32::try_from(format).map_err(|error| error.to_string())?,
        token: FencingToken(reply::number(token)?),
        owner: reply::text(owner)?.to_owned(),
        execution: reply::text(execution)?.to_owned(),
        sequence: reply::number(sequence)?,
        hash: reply::text(hash)?.parse()?,
        digests: serde_json::from_str(reply::text(digests)?).map_err(|error| format!("digests: {error}"))?,
        verdict,
    })
}

/// What an append sets: format, sequence, hash, digests and verdict.
pub(crate) fn assignments(operation: &Operation<'_>, head: &HeadChange) -> Result<[String; 5], BackendError> {
    let unwritable = |error: serde_json::Error| {
        operation.fail(BackendErrorKind::InvalidData, format!("the head cannot be written: {error}"))
    };
    let verdict = match &head.verdict {
        Some(verdict) => serde_json::to_string(verdict).map_err(unwritable)?,
        None => String::new(),
    };
    Ok([
        FORMAT.to_string(),
        crate::place::number(operation, head.sequence)?,
        head.hash.to_string(),
        serde_json::to_string(&head.digests).map_err(unwritable)?,
        verdict,
    ])
}
