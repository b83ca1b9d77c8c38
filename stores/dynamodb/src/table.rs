use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription,
    TableStatus,
};
use flamingock_core::audit::FORMAT;
use flamingock_core::{BackendError, BackendErrorKind};
use tokio::time::{Instant, sleep};

use crate::DynamoAuditStore;
use crate::error::{Verdict, failure};
use crate::expression::Expression;
use crate::item::{FORMAT_ITEM, HISTORY, ITEM, Item, TABLE, key, number};
use crate::operation::Operation;

/// How long a table may take to be created.
const PATIENCE: Duration = Duration::from_secs(25);

impl DynamoAuditStore {
    /// Creates the table and waits for it, or checks it, and its format.
    pub(crate) async fn set_up(&self) -> Result<(), BackendError> {
        let operation = self.operation("initialize");
        let until = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(50);
        let mut asked = false;
        loop {
            match self.describe(operation).await? {
                Some(table) if self.is_ready(operation, &table)? => break,
                None if !self.create_table => return Err(self.missing(operation)),
                None if !asked => {
                    self.create(operation).await?;
                    asked = true;
                }
                // Being created, by us or another; a table just asked for may not be known yet.
                Some(_) | None => {
                    if Instant::now() + pause > until {
                        let message = format!("table {} is still not ready", self.table);
                        return Err(operation.fail(BackendErrorKind::Unavailable, message));
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
        self.ensure_format(operation).await
    }

    async fn describe(&self, operation: Operation<'_>) -> Result<Option<TableDescription>, BackendError> {
        let described = self.client.describe_table().table_name(&self.table).send().await;
        match described.map_err(|error| failure(operation, &error)) {
            Ok(answer) => Ok(answer.table),
            Err(failure) if failure.verdict == Verdict::NoTable => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn create(&self, operation: Operation<'_>) -> Result<(), BackendError> {
        let build = |error| operation.build(&error);
        let mut request =
            self.client.create_table().table_name(&self.table).billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [(HISTORY, KeyType::Hash), (ITEM, KeyType::Range)] {
            let attribute =
                AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            request = request
                .attribute_definitions(attribute.build().map_err(build)?)
                .key_schema(key.build().map_err(build)?);
        }
        match request.send().await {
            Ok(_) => Ok(()),
            // Another instance was faster.
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => {
                Ok(())
            }
            Err(error) => Err(failure(operation, &error).into()),
        }
    }

    /// Whether it can be used. `false`: not yet.
    fn is_ready(&self, operation: Operation<'_>, table: &TableDescription) -> Result<bool, BackendError> {
        let refuse = |problem: &str| {
            let message = format!("table {} {problem}", self.table);
            Err(operation.fail(BackendErrorKind::Schema, message))
        };
        if !has_our_keys(table) {
            return refuse(
                "is another one's: its keys should be `history` (partition, text) and `item` (sort, text); \
                 name another table",
            );
        }
        match table.table_status() {
            Some(TableStatus::Creating) => Ok(false),
            Some(TableStatus::Deleting) => refuse("is being deleted"),
            Some(TableStatus::Archived | TableStatus::Archiving) => refuse("is archived: restore it"),
            Some(TableStatus::InaccessibleEncryptionCredentials) => {
                let message = format!("the encryption key of table {} cannot be used", self.table);
                Err(operation.fail(BackendErrorKind::Denied, message))
            }
            _ => {
                if !table.replicas().is_empty() {
                    tracing::warn!(
                        table = self.table,
                        "the audit is in a global table: let all instances use the same region, since its \
                         conditions hold in one region only"
                    );
                }
                Ok(true)
            }
        }
    }

    fn missing(&self, operation: Operation<'_>) -> BackendError {
        let message = format!(
            "there is no table {}: create it, with the keys `history` (partition, text) and `item` (sort, \
             text), or let the store create it",
            self.table
        );
        operation.fail(BackendErrorKind::Schema, message)
    }

    /// Reads the table's format, and writes it where there is none.
    async fn ensure_format(&self, operation: Operation<'_>) -> Result<(), BackendError> {
        let key = || key(TABLE, FORMAT_ITEM);
        let read = self.client.get_item().table_name(&self.table).set_key(Some(key())).consistent_read(true);
        let item = read.send().await.map_err(|error| failure(operation, &error))?.item;
        if let Some(item) = item {
            let format =
                Item(item).number(FORMAT_ITEM).map_err(|problem| operation.corrupt("the format", problem))?;
            return if format > u64::from(FORMAT) { Err(operation.newer_format(format)) } else { Ok(()) };
        }
        // Twice is no harm: who came in between was of this release, or wrote a newer format that stays.
        let write = Expression::new().set_if_absent(FORMAT_ITEM, number(FORMAT));
        let request = self.client.update_item().table_name(&self.table);
        let written = write.on(request, key()).send().await;
        written.map(drop).map_err(|error| failure(operation, &error).into())
    }
}

fn has_our_keys(table: &TableDescription) -> bool {
    let keys: Vec<_> = table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type())).collect();
    let is_text = |name| {
        table.attribute_definitions().iter().any(|attribute| {
            attribute.attribute_name() == name && *attribute.attribute_type() == ScalarAttributeType::S
        })
    };
    keys == [(HISTORY, &KeyType::Hash), (ITEM, &KeyType::Range)] && is_text(HISTORY) && is_text(ITEM)
}
