use anyhow::Result;
use nix::sys::signal::Signal;

use super::maven::{Artifact, Jars};
use super::server::{Home, Server};
use crate::interrupt::Interrupt;

const JARS: Jars = Jars {
    name: "dynamodb-local",
    artifacts: &[Artifact { group: "software.amazon.dynamodb", name: "DynamoDBLocal", version: "3.1.0" }],
};

/// Its class to start.
const MAIN: &str = "software.amazon.dynamodb.services.local.main.ServerRunner";

/// Amazon's own DynamoDB Local, from Maven Central.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let home = Home::new("dynamodb", "nobody")?;
    JARS.put(&home.path().join("lib"), interrupt)?;
    let port = home.port.to_string();
    let listens = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    let url = format!("http://127.0.0.1:{port}");
    let server = home.start(
        "java",
        |java| {
            // It finds SQLite, which it keeps its tables in, by a property.
            java.args(["-Xmx1g", "-XX:+UseSerialGC", "-Djava.library.path=lib", "-cp", "lib/*", MAIN]);
            // As the real one, it creates a table for a while before it can be used.
            java.args(["-inMemory", "-disableTelemetry", "-delayTransientStatuses", "-port", &port]);
        },
        Signal::SIGKILL,
        ("bash", |bash| {
            bash.args(["-c", &listens]);
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}
