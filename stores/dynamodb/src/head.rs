use aws_sdk_dynamodb::types::AttributeValue;
use flamingock_core::audit::{FORMAT, Head, HeadChange, Verdict};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, History};

use crate::DynamoAuditStore;
use crate::error::{Verdict as Outcome, failure};
use crate::expression::Expression;
use crate::item::{Attributes, HEAD, Item, key, number, partition, text};
use crate::operation::Operation;

/// A head as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) head: Head,
    /// The sequence before the last entries: `latest#` may not show those yet to who reads just now.
    pub(crate) previous: u64,
    /// Set while `latest#` lacks entries after this sequence, because their append was too large.
    pub(crate) fold_from: Option<u64>,
}

impl Stored {
    /// The sequence up to which `latest#` is complete for certain.
    pub(crate) fn folded(&self) -> u64 {
        self.fold_from.map_or(self.previous, |from| from.min(self.previous))
    }
}

impl DynamoAuditStore {
    /// An item, as of now.
    pub(crate) async fn get(
        &self,
        operation: Operation<'_>,
        partition: &str,
        item: &str,
    ) -> Result<Option<Item>, BackendError> {
        let request = self.client.get_item().table_name(&self.table);
        let read = request.set_key(Some(key(partition, item))).consistent_read(true).send().await;
        match read.map_err(|error| failure(operation, &error)) {
            Ok(answer) => Ok(answer.item.map(Item)),
            // Before the first run there is no table, and nothing in it.
            Err(failure) if failure.verdict == Outcome::NoTable => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The head, in one request.
    pub(crate) async fn stored_head(
        &self,
        operation: Operation<'_>,
        history: &History,
    ) -> Result<Option<Stored>, BackendError> {
        let item = self.get(operation, &partition(history), HEAD).await?;
        item.map(|item| read_head(operation, history, &item)).transpose()
    }
}

pub(crate) fn read_head(
    operation: Operation<'_>,
    history: &History,
    item: &Item,
) -> Result<Stored, BackendError> {
    let corrupt = |problem| operation.corrupt(format_args!("the head of {history}"), problem);
    // Before anything else: what follows may mean something else in another format.
    let format: u64 = item.number("format").map_err(corrupt)?;
    if format > u64::from(FORMAT) {
        return Err(operation.newer_format(format));
    }
    read(item).map_err(corrupt)
}

fn read(item: &Item) -> Result<Stored, String> {
    let verdict = item.optional_text("verdict")?.map(serde_json::from_str::<Verdict>).transpose();
    let head = Head {
        format: item.number("format")?,
        token: FencingToken(item.number("token")?),
        owner: item.text("owner")?.to_owned(),
        execution: item.text("execution_id")?.to_owned(),
        sequence: item.number("sequence")?,
        hash: item.text("hash")?.parse()?,
        digests: item.texts("digests")?,
        verdict: verdict.map_err(|error| format!("verdict: {error}"))?,
    };
    Ok(Stored {
        head,
        previous: item.optional_number("previous")?.unwrap_or_default(),
        fold_from: item.optional_number("fold_from")?,
    })
}

/// A head as a new item.
pub(crate) fn write_head(partition: &str, head: &Head) -> Attributes {
    let mut item = key(partition, HEAD);
    let fields = [
        ("format", number(head.format)),
        ("token", number(head.token)),
        ("owner", text(&head.owner)),
        ("execution_id", text(&head.execution)),
        ("sequence", number(head.sequence)),
        ("hash", text(&head.hash.to_string())),
        ("digests", digests(&head.digests)),
    ];
    item.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    item
}

/// What an append changes in it.
pub(crate) fn change_head(change: &HeadChange) -> Result<Expression, serde_json::Error> {
    let verdict = change.verdict.as_ref().map(serde_json::to_string).transpose()?;
    Ok(Expression::new()
        .set("sequence", number(change.sequence))
        .set("hash", text(&change.hash.to_string()))
        .set("digests", digests(&change.digests))
        .put("verdict", verdict.map(AttributeValue::S)))
}

fn digests(digests: &[String]) -> AttributeValue {
    AttributeValue::L(digests.iter().map(|digest| text(digest)).collect())
}
