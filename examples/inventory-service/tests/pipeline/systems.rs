use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use flamingock::aws_sdk_s3::Client;
use flamingock::s3::S3Changes;
use flamingock::sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const POSTGRES: &str = "FLAMINGOCK_TEST_POSTGRES_URL";
const KAFKA: &str = "FLAMINGOCK_TEST_KAFKA_URL";
/// Of the S3 servers the one that has lifecycle rules.
const S3: &str = "FLAMINGOCK_TEST_MOTO_URL";

pub(crate) fn available() -> Result<(), String> {
    let missing: Vec<_> =
        [POSTGRES, KAFKA, S3].into_iter().filter(|name| std::env::var(name).is_err()).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("{} not set", missing.join(", "))) }
}

/// The four systems, with a database, a bucket and a topic of a case's own.
pub(crate) struct Systems {
    pub(crate) name: String,
    database: String,
    s3: String,
    kafka: String,
    flags: Option<(Child, String)>,
}

impl Systems {
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("inventory-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let server = std::env::var(POSTGRES).unwrap();
        let database = name.replace('-', "_");
        execute(&server, format!("CREATE DATABASE {database}")).await;
        let (base, _) = server.rsplit_once('/').unwrap();
        let database = format!("{base}/{database}");
        execute(&database, include_str!("../../schema.sql").to_owned()).await;

        let kafka = std::env::var(KAFKA).unwrap();
        let kafka = kafka.trim_start_matches("kafka://").split(['?', '/']).next().unwrap().to_owned();
        let s3 = std::env::var(S3).unwrap();
        Self { name, database, s3, kafka, flags: Some(flag_service().await) }
    }

    /// Ends the flag service. What was its address is nobody's then.
    pub(crate) async fn stop_flags(&mut self) {
        let (child, _) = self.flags.as_mut().unwrap();
        child.kill().await.unwrap();
    }

    /// Starts the service, to its end.
    pub(crate) async fn start(&self, replicas: u32) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inventory-service"));
        command.env("DATABASE_URL", &self.database).env("KAFKA", &self.kafka);
        command.env("S3_URL", format!("s3://?region=eu-west-1&endpoint={}", self.s3));
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        command.env("FLAGS_URL", &self.flags.as_ref().unwrap().1);
        command.env("BUCKET", &self.name).env("TOPIC", &self.name).env("REPLICAS", replicas.to_string());
        let Output { status, stdout, stderr } = command.output().await.unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (status.success(), text)
    }

    /// Change and state of each entry of the audit.
    pub(crate) async fn audit(&self) -> Vec<(String, String)> {
        let mut connection = PgConnection::connect(&self.database).await.unwrap();
        let sql = "SELECT change_id, state FROM flamingock_entries WHERE state IS NOT NULL ORDER BY sequence";
        let rows = raw_sql(sql).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    pub(crate) async fn has_column(&self) -> bool {
        let mut connection = PgConnection::connect(&self.database).await.unwrap();
        let found = raw_sql("SELECT discount_code FROM orders").fetch_all(&mut connection).await.is_ok();
        connection.close().await.unwrap();
        found
    }

    /// The id of each rule of the bucket.
    pub(crate) async fn lifecycle(&self) -> Vec<String> {
        use flamingock::aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
        use flamingock::aws_sdk_s3::types::BucketLifecycleConfiguration;

        let config =
            Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::new("eu-west-1"));
        let config = config.credentials_provider(Credentials::new("testing", "testing", None, None, "tests"));
        let config = config.endpoint_url(&self.s3).force_path_style(true);
        let s3 = S3Changes::new(&Client::from_conf(config.build()));
        let found: Option<BucketLifecycleConfiguration> = s3.setting(&self.name).await.unwrap();
        found.iter().flat_map(|found| &found.rules).filter_map(|rule| rule.id.clone()).collect()
    }

    pub(crate) fn has_topic(&self) -> bool {
        use flamingock::rdkafka::ClientConfig;
        use flamingock::rdkafka::consumer::{BaseConsumer, Consumer as _};

        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.kafka).create().unwrap();
        let cluster = consumer.fetch_metadata(None, std::time::Duration::from_secs(10)).unwrap();
        cluster.topics().iter().any(|topic| topic.name() == self.name)
    }

    /// What the flag service says about `discounts`.
    pub(crate) async fn flag(&self) -> u16 {
        let url = format!("{}/flags/discounts", self.flags.as_ref().unwrap().1);
        reqwest::get(url).await.unwrap().status().as_u16()
    }
}

/// Started, and listening.
async fn flag_service() -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flag-service"));
    let mut child = command.arg("127.0.0.1:0").stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().expect("it listens before it ends");
    let url = line.trim_start_matches("listening on ").to_owned();
    (child, url)
}

async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
