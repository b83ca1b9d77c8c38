//! The conformance suites of audit stores and locks, each case in a table of its own.

#[path = "../server/mod.rs"]
mod server;

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use flamingock_core::History;
use flamingock_store_dynamodb::DynamoAuditStore;
use flamingock_testing::conformance::{
    BoxError, Damage, Proxy, StoreCapabilities, StoreFixture, StoreHandle, StorePlace, audit_store_suite,
    lock_suite, run,
};

#[derive(Debug)]
struct Dynamo;

#[derive(Debug)]
struct Place {
    table: String,
    proxy: Proxy,
    /// Around the proxy, for the fixture itself.
    client: Client,
}

#[async_trait]
impl StoreFixture for Dynamo {
    fn name(&self) -> String {
        "dynamodb".to_owned()
    }

    fn available(&self) -> Result<(), String> {
        server::endpoint().map(drop)
    }

    fn capabilities(&self) -> StoreCapabilities {
        // Not `ReadOnly`: DynamoDB Local knows no permissions.
        use Damage::{NewerFormat, OtherShape, Unreachable, UnreadableEntry};
        StoreCapabilities::default()
            .lock_without_clock()
            .damages([UnreadableEntry, NewerFormat, OtherShape, Unreachable])
            .secret(server::SECRET)
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        let endpoint = server::endpoint()?;
        let proxy = server::proxy(&endpoint).await?;
        let client = server::client(&endpoint);
        Ok(Arc::new(Place { table: server::table_name(), proxy, client }))
    }
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        let client = server::client(&server::through(&self.proxy));
        Ok(StoreHandle::both(DynamoAuditStore::new(client, &self.table)))
    }

    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        match damage {
            Damage::UnreadableEntry => self.damage_entry(history, sequence).await,
            Damage::NewerFormat => {
                self.set_format("flamingock", "format").await?;
                self.set_format(&partition(history), "head").await
            }
            Damage::OtherShape => self.create_other().await,
            Damage::Unreachable => {
                self.proxy.unplug();
                Ok(())
            }
            other => Err(format!("the fixture cannot do {other:?}").into()),
        }
    }

    async fn remove(&self) -> Result<(), BoxError> {
        // Those that were never initialized have none.
        let _ = self.client.delete_table().table_name(&self.table).send().await;
        Ok(())
    }
}

fn partition(history: &History) -> String {
    format!("{}/{}", history.service, history.tenant)
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

impl Place {
    async fn set_format(&self, partition: &str, item: &str) -> Result<(), BoxError> {
        let update = self.client.update_item().table_name(&self.table);
        let update = update.key("history", text(partition)).key("item", text(item));
        let update = update.update_expression("SET #format = :format");
        let update = update.expression_attribute_names("#format", "format");
        let update = update.expression_attribute_values(":format", AttributeValue::N("99".to_owned()));
        update.send().await?;
        Ok(())
    }

    /// Gives the entry an unknown state, wherever it stands.
    async fn damage_entry(&self, history: &History, sequence: u64) -> Result<(), BoxError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("history = :history");
        let query = query.expression_attribute_values(":history", text(&partition(history)));
        for mut item in query.send().await?.items.unwrap_or_default() {
            let name = if item.contains_key("entries") { "entries" } else { "entry" };
            let entries: Vec<_> = match item.get_mut(name) {
                Some(AttributeValue::L(entries)) => entries.iter_mut().collect(),
                Some(entry) => vec![entry],
                None => continue,
            };
            let mut damaged = false;
            for entry in entries {
                let AttributeValue::S(entry) = entry else { continue };
                if entry.contains(&format!("\"sequence\":{sequence},")) {
                    *entry = entry.replace("\"state\":\"", "\"state\":\"PERHAPS_");
                    damaged = true;
                }
            }
            if damaged {
                self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
            }
        }
        Ok(())
    }

    async fn create_other(&self) -> Result<(), BoxError> {
        let attribute =
            AttributeDefinition::builder().attribute_name("tracks").attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("tracks").key_type(KeyType::Hash);
        let create = self.client.create_table().table_name(&self.table);
        let create = create.billing_mode(BillingMode::PayPerRequest);
        create.attribute_definitions(attribute.build()?).key_schema(key.build()?).send().await?;
        Ok(())
    }
}

fn main() -> ExitCode {
    let fixture = Arc::new(Dynamo);
    run([audit_store_suite(Arc::<Dynamo>::clone(&fixture)), lock_suite(fixture)])
}
