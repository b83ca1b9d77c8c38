//! The table, and servers that are not there or do not let one in.

use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};
use flamingock_core::BackendErrorKind::{Denied, Schema, Unavailable};
use flamingock_core::audit::{AuditStore, Execution};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, History};
use flamingock_store_dynamodb::DynamoAuditStore;

use crate::server;

fn client() -> Client {
    server::client(&server::endpoint().unwrap())
}

async fn initialize(store: &DynamoAuditStore) -> Result<(), BackendError> {
    AuditStore::initialize(store).await
}

async fn head(store: &DynamoAuditStore) -> BackendError {
    store.head(&History::new("orders")).await.unwrap_err()
}

/// With `-delayTransientStatuses`, DynamoDB Local keeps a new table in CREATING for a while.
pub(crate) async fn the_table_is_created_and_awaited() {
    let (client, table) = (client(), server::table_name());
    let store = DynamoAuditStore::new(client.clone(), &table);
    initialize(&store).await.unwrap();
    let described = client.describe_table().table_name(&table).send().await.unwrap().table.unwrap();
    assert_eq!(described.table_status(), Some(&TableStatus::Active));
    let billing = described.billing_mode_summary().and_then(|summary| summary.billing_mode());
    assert_eq!(billing, Some(&BillingMode::PayPerRequest));
    // It can be used at once, also by who may not create it.
    let execution = Execution { id: "run-1".to_owned(), owner: "orders@host#1".to_owned() };
    let store = store.create_table(false);
    initialize(&store).await.unwrap();
    store.take_office(&History::new("orders"), FencingToken(1), &execution).await.unwrap();
    client.delete_table().table_name(table).send().await.unwrap();
}

pub(crate) async fn a_table_that_is_missing_and_may_not_be_created_is_told() {
    let table = server::table_name();
    let store = DynamoAuditStore::new(client(), &table).create_table(false);
    assert_eq!(store.head(&History::new("orders")).await.unwrap(), None);
    let error = initialize(&store).await.unwrap_err();
    assert_eq!(error.kind(), Schema);
    assert!(error.to_string().contains(&table) && error.to_string().contains("create it"), "{error}");
    let execution = Execution { id: "run-1".to_owned(), owner: "orders@host#1".to_owned() };
    let office = store.take_office(&History::new("orders"), FencingToken(1), &execution).await;
    assert_eq!(office.unwrap_err().kind(), Schema);
}

pub(crate) async fn a_table_with_other_keys_is_refused() {
    // Right names, wrong order; right order, wrong type; and one key too few.
    let text = ScalarAttributeType::S;
    let number = ScalarAttributeType::N;
    let shapes = [
        vec![("item", KeyType::Hash, text.clone()), ("history", KeyType::Range, text.clone())],
        vec![("history", KeyType::Hash, text.clone()), ("item", KeyType::Range, number)],
        vec![("history", KeyType::Hash, text)],
    ];
    for shape in shapes {
        let (client, table) = (client(), server::table_name());
        let mut create = client.create_table().table_name(&table).billing_mode(BillingMode::PayPerRequest);
        for (name, key, kind) in shape {
            let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
            let key = KeySchemaElement::builder().attribute_name(name).key_type(key);
            create =
                create.attribute_definitions(attribute.build().unwrap()).key_schema(key.build().unwrap());
        }
        create.send().await.unwrap();
        let store = DynamoAuditStore::new(client.clone(), &table);
        let error = initialize(&store).await.unwrap_err();
        assert_eq!(error.kind(), Schema, "{error}");
        assert!(error.to_string().contains("`history`"), "{error}");
        client.delete_table().table_name(table).send().await.unwrap();
    }
}

pub(crate) async fn an_endpoint_that_refuses_connections_is_one_clear_error() {
    let since = Instant::now();
    // Port 1 is nobody's.
    let error = head(&DynamoAuditStore::new(server::client("http://127.0.0.1:1"), "audit")).await;
    assert_eq!(error.kind(), Unavailable);
    assert!(error.to_string().contains("DynamoDB is not reached"), "{error}");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

pub(crate) async fn an_endpoint_that_never_answers_is_one_clear_error_in_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    // Without timeouts of its own: the store's hold, 20 s for an operation.
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("testing", server::SECRET, None, None, "tests"))
        .endpoint_url(endpoint);
    let store = DynamoAuditStore::new(Client::from_conf(config.build()), "audit");
    let since = Instant::now();
    let error = head(&store).await;
    assert_eq!(error.kind(), Unavailable);
    assert!(error.to_string().contains("did not answer in time"), "{error}");
    let waited = since.elapsed();
    assert!(Duration::from_secs(4) < waited && waited < Duration::from_secs(25), "{waited:?}");
}

pub(crate) async fn credentials_that_are_missing_are_denied() {
    let endpoint = server::endpoint().unwrap();
    let config = || {
        let config = Config::builder().behavior_version(BehaviorVersion::latest());
        config.region(Region::new("eu-west-1")).endpoint_url(&endpoint)
    };
    // Nobody to ask, and nobody who knows.
    let missing = Without(|| CredentialsError::not_loaded("not signed in"));
    for config in [config(), config().credentials_provider(missing)] {
        let error = head(&DynamoAuditStore::new(Client::from_conf(config.build()), "audit")).await;
        assert_eq!(error.kind(), Denied, "{error}");
        assert!(error.to_string().contains("sign in"), "{error}");
    }
}

/// Who knows them is asked over a network, and may be slow for once.
pub(crate) async fn credentials_whose_source_does_not_answer_are_asked_for_again() {
    let late = Without(|| CredentialsError::provider_timed_out(Duration::from_secs(5)));
    let config = server::config(&server::endpoint().unwrap(), server::http()).credentials_provider(late);
    let error = head(&DynamoAuditStore::new(Client::from_conf(config.build()), "audit")).await;
    assert_eq!(error.kind(), Unavailable, "{error}");
    assert!(error.is_temporary() && error.to_string().contains("credentials"), "{error}");
}

/// Why there are no credentials.
#[derive(Debug)]
struct Without(fn() -> CredentialsError);

impl ProvideCredentials for Without {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

/// DynamoDB Local does not check them: this server answers as the real one does.
pub(crate) async fn credentials_that_expired_are_denied() {
    let endpoint = refusing(
        "{\"__type\":\"com.amazon.coral.service#ExpiredTokenException\",\
         \"message\":\"The security token included in the request is expired\"}",
    );
    let expired = Credentials::new("testing", server::SECRET, Some("hunter2token".into()), None, "tests");
    let config = server::config(&endpoint.await, server::http()).credentials_provider(expired);
    let store = DynamoAuditStore::new(Client::from_conf(config.build()), "audit");
    let error = head(&store).await;
    assert_eq!(error.kind(), Denied, "{error}");
    assert!(error.to_string().contains("sign in again"), "{error}");
    assert!(!format!("{error:#?}").contains("hunter2"), "{error:#?}");
}

/// DynamoDB Local checks no signature, but what a key may look like, and answers as the real one does.
pub(crate) async fn credentials_that_cannot_be_right_are_denied() {
    let wrong = Credentials::new("no key!", server::SECRET, None, None, "tests");
    let config = server::config(&server::endpoint().unwrap(), server::http()).credentials_provider(wrong);
    let store = DynamoAuditStore::new(Client::from_conf(config.build()), server::table_name());
    for error in [head(&store).await, initialize(&store).await.unwrap_err()] {
        assert_eq!(error.kind(), Denied, "{error}");
        assert!(!error.is_temporary() && error.to_string().contains("UnrecognizedClient"), "{error}");
        assert!(!format!("{error:#?}").contains(server::SECRET), "{error:#?}");
    }
}

/// DynamoDB Local knows no permissions: this server answers as the real one does.
pub(crate) async fn a_permission_that_is_missing_is_denied() {
    let endpoint = refusing(
        "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"Message\":\"User: \
         arn:aws:iam::123456789012:user/orders is not authorized to perform: dynamodb:GetItem on resource: \
         arn:aws:dynamodb:eu-west-1:123456789012:table/audit\"}",
    );
    let store = DynamoAuditStore::new(server::client(&endpoint.await), "audit");
    for error in [head(&store).await, initialize(&store).await.unwrap_err()] {
        assert_eq!(error.kind(), Denied, "{error}");
        assert!(error.to_string().contains("not authorized to perform: dynamodb:GetItem"), "{error}");
    }
}

/// A server that refuses each request so.
async fn refusing(body: &'static str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    endpoint
}
