use std::collections::BTreeMap;

use flamingock_core::{BackendError, History};
use mongodb::bson::{Bson, Document, doc};

use crate::MongoAuditStore;
use crate::document::{id, sequence};
use crate::error::{Operation, is_duplicate_key};
use crate::head::check_format;

/// Where a history stands, with the entries of the last append.
pub(crate) struct Standing {
    /// The last sequence.
    pub(crate) sequence: u64,
    /// Entries that may not be in their collection yet, by sequence.
    pub(crate) outbox: BTreeMap<u64, Document>,
}

impl MongoAuditStore {
    /// Where a history stands; [`None`] before its first run.
    ///
    /// Who reads entries reads this first: all of them up to this sequence are in the outbox that was read
    /// with it, or were in their collection already, and those after it are not there yet.
    pub(crate) async fn standing(
        &self,
        operation: &Operation<'_>,
        history: &History,
    ) -> Result<Option<Standing>, BackendError> {
        let head = self
            .heads()
            .find_one(doc! { "_id": id(history) })
            .projection(doc! { "format": 1, "sequence": 1, "outbox": 1 })
            .await
            .map_err(|error| operation.error(error))?;
        let Some(head) = head else { return Ok(None) };
        check_format(operation, &head)?;
        read(&head).map(Some).map_err(|problem| {
            operation.corrupt(format_args!("the outbox in the head of {history}"), problem)
        })
    }

    /// Copies entries to their collection. Those that are there stay as they are.
    pub(crate) async fn deliver(
        &self,
        operation: &Operation<'_>,
        entries: impl IntoIterator<Item = &Document>,
    ) -> Result<(), BackendError> {
        let entries: Vec<&Document> = entries.into_iter().collect();
        if entries.is_empty() {
            return Ok(());
        }
        match self.entries().clone_with_type::<&Document>().insert_many(entries).ordered(false).await {
            Ok(_) => Ok(()),
            Err(error) if is_duplicate_key(&error) => Ok(()),
            Err(error) => Err(operation.error(error)),
        }
    }
}

/// The part of a head that readers of entries need.
pub(crate) fn read(head: &Document) -> Result<Standing, String> {
    let entry = |entry: &Bson| match entry {
        Bson::Document(entry) => Ok((sequence(entry)?, entry.clone())),
        _ => Err("an entry is no document".to_owned()),
    };
    let outbox = head.get_array("outbox").map_err(|error| format!("outbox: {error}"))?;
    Ok(Standing { sequence: sequence(head)?, outbox: outbox.iter().map(entry).collect::<Result<_, _>>()? })
}
