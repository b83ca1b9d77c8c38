use clap::Parser;

/// Where the four systems are, and what things are called there. Each can be set in the environment.
#[derive(Debug, Clone, Parser)]
#[command(name = "inventory-service")]
pub(crate) struct Settings {
    /// `postgres://user:password@host:port/database`: the orders, and the audit
    #[arg(long, env, hide_env_values = true)]
    pub(crate) database_url: String,

    /// `s3://?region=REGION`, with `&endpoint=URL` for another server than Amazon's
    #[arg(long, env, default_value = "s3://?region=eu-west-1")]
    pub(crate) s3_url: String,

    /// `host:port` of a broker
    #[arg(long, env, default_value = "localhost:9092")]
    pub(crate) kafka: String,

    /// Where the flag service is
    #[arg(long, env, default_value = "http://localhost:8090")]
    pub(crate) flags_url: String,

    /// The bucket of receipts
    #[arg(long, env, default_value = "inventory-receipts")]
    pub(crate) bucket: String,

    /// The topic of orders
    #[arg(long, env, default_value = "order-events")]
    pub(crate) topic: String,

    /// How many brokers keep the topic
    #[arg(long, env, default_value_t = 3)]
    pub(crate) replicas: i32,
}
