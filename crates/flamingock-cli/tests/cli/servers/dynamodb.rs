use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use flamingock::aws_sdk_dynamodb;
use flamingock::aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use flamingock::aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};

use super::{Beside, DYNAMODB, SECRET, name, server, wait};
use crate::house::Ended;

fn table(table: &str) -> String {
    format!("dynamodb://?table={table}&region=eu-west-1&endpoint={}", server(DYNAMODB))
}

pub(super) fn on_dynamodb() {
    Beside::new(table(&name("life")), "").is_lived_in();
}

pub(super) fn wrong_dynamodb() {
    let (url, beside) = (table(&name("wrong")), Beside::new(table("none"), ""));
    beside.status(&url, "").exits(1).says("there is no audit in");
    let nobody = url.replace(&server(DYNAMODB), "http://127.0.0.1:1");
    beside.status(&nobody, "").exits(1).says("DynamoDB is not reached");
    beside.status(&url.replace("&region=eu-west-1", ""), "").exits(2).says("no region is known");
    beside.status("dynamodb://orders", "").exits(2).says("it should be dynamodb://?table=NAME");
    let with_keys = url.replace("http://", &format!("http://key:{SECRET}@"));
    beside.status(&with_keys, "").exits(2).says("credentials come from the environment");
    beside.status(&url, "table_prefix = 'ops_'").exits(2).says("leave `table_prefix` out");
    beside.status(&url, "schema = 'ops'").exits(2).says("leave `schema` out");

    std::fs::write(beside.house.path("flamingock.toml"), "").expect("is written");
    let as_whom = |key: Option<&str>| {
        let mut command = beside.with(beside.house.command(&["status", "--audit-store", &url]));
        match key {
            Some(key) => command.env("AWS_ACCESS_KEY_ID", key),
            None => command.env_remove("AWS_ACCESS_KEY_ID"),
        };
        Ended::of(command.output().expect("starts")).exits(1).hides(SECRET)
    };
    // It checks no signature, but what a key may look like.
    as_whom(Some("no key!")).says("UnrecognizedClientException");
    as_whom(None).says("there are no AWS credentials").hides("WARN");

    wait(table_with_other_keys(&name("wrong")));
    beside.status(&url, "").exits(1).says("schema");
}

async fn table_with_other_keys(name: &str) {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("testing", SECRET, None, None, "tests"))
        .endpoint_url(server(DYNAMODB))
        .http_client(http.build_https());
    let client = aws_sdk_dynamodb::Client::from_conf(config.build());
    let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(id.build().expect("is complete"));
    create.key_schema(key.build().expect("is complete")).send().await.expect("is created");
    client.describe_table().table_name(name).send().await.expect("is there");
}
