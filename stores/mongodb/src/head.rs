use flamingock_core::audit::{ChainHash, Execution, FORMAT, Head, HeadChange, Verdict, VerdictStatus};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use mongodb::bson::{Bson, Document, doc};

use crate::document::{id, newer_format, number, text};
use crate::error::Operation;

/// The head of a history before its first run, with this run in office.
pub(crate) fn first(
    operation: &Operation<'_>,
    history: &History,
    token: u64,
    execution: &Execution,
) -> Result<Document, BackendError> {
    Ok(doc! {
        "_id": id(history),
        "format": i64::from(FORMAT),
        "token": operation.number(token)?,
        "owner": &execution.owner,
        "execution_id": &execution.id,
        "sequence": 0_i64,
        "hash": ChainHash::GENESIS.to_string(),
        "digests": [],
        "verdict": Bson::Null,
        "outbox": [],
    })
}

/// What an append sets in the head, but for the outbox.
pub(crate) fn changes(operation: &Operation<'_>, head: &HeadChange) -> Result<Document, BackendError> {
    let verdict = head.verdict.as_ref().map(|verdict| {
        doc! {
            "execution_id": &verdict.execution,
            "digest": &verdict.digest,
            "status": verdict.status.as_str(),
            "message": &verdict.message,
        }
    });
    Ok(doc! {
        "format": i64::from(FORMAT),
        "sequence": operation.number(head.sequence)?,
        "hash": head.hash.to_string(),
        "digests": &head.digests,
        "verdict": verdict,
    })
}

/// The head in a document.
pub(crate) fn read(
    operation: &Operation<'_>,
    history: &History,
    document: &Document,
) -> Result<Head, BackendError> {
    check_format(operation, document)?;
    parse(document).map_err(|problem| operation.corrupt(format_args!("the head of {history}"), problem))
}

/// Before anything else is read: it may mean something else in another format.
pub(crate) fn check_format(operation: &Operation<'_>, document: &Document) -> Result<(), BackendError> {
    let format = number(document, "format").map_err(|problem| {
        let message = format!(
            "the collection of heads holds something else: {problem}; give Flamingock another database or \
             another collection prefix"
        );
        operation.fail(BackendErrorKind::Schema, message)
    })?;
    if format > u64::from(FORMAT) { Err(newer_format(operation, format)) } else { Ok(()) }
}

fn parse(document: &Document) -> Result<Head, String> {
    let digests = document.get_array("digests").map_err(|error| format!("digests: {error}"))?;
    let digests: Option<Vec<String>> =
        digests.iter().map(|digest| digest.as_str().map(str::to_owned)).collect();
    let verdict = match document.get("verdict") {
        None | Some(Bson::Null) => None,
        Some(Bson::Document(verdict)) => Some(parse_verdict(verdict)?),
        Some(_) => return Err("the verdict is no document".to_owned()),
    };
    Ok(Head {
        format: u32::try_from(number(document, "format")?).map_err(|error| error.to_string())?,
        token: FencingToken(number(document, "token")?),
        owner: text(document, "owner")?.to_owned(),
        execution: text(document, "execution_id")?.to_owned(),
        sequence: number(document, "sequence")?,
        hash: text(document, "hash")?.parse()?,
        digests: digests.ok_or("a digest is no text")?,
        verdict,
    })
}

fn parse_verdict(verdict: &Document) -> Result<Verdict, String> {
    let status = text(verdict, "status")?;
    Ok(Verdict {
        execution: text(verdict, "execution_id")?.to_owned(),
        digest: text(verdict, "digest")?.to_owned(),
        status: VerdictStatus::parse(status)
            .ok_or_else(|| format!("the verdict `{}` is not understood", status.escape_debug()))?,
        message: text(verdict, "message")?.to_owned(),
    })
}
