use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::packages;
use super::server::{Home, Server};
use crate::interrupt::Interrupt;
use crate::workspace;

const VERSION: &str = "3.1.0";

/// Its class to start.
const MAIN: &str = "software.amazon.dynamodb.services.local.main.ServerRunner";

/// Amazon's own DynamoDB Local, from Maven Central.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let fetched = jars(interrupt)?;
    let home = Home::new("dynamodb", "nobody")?;
    // Who runs it may not be allowed to look into the workspace.
    let libraries = home.path().join("lib");
    fs::create_dir(&libraries)?;
    for file in fs::read_dir(fetched)? {
        let file = file?;
        fs::copy(file.path(), libraries.join(file.file_name()))?;
    }
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

/// Fetches it and what it depends on, once: the next time it is there.
fn jars(interrupt: &Interrupt) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Ok(workspace::root()?.join("target")),
        |target| std::path::absolute(PathBuf::from(target)).map_err(anyhow::Error::from),
    )?;
    let folder = target.join("xtask").join(format!("dynamodb-local-{VERSION}"));
    let jars = folder.join("lib");
    if jars.is_dir() {
        return Ok(jars);
    }
    eprintln!("fetching DynamoDB Local {VERSION} with Maven (once)");
    fs::create_dir_all(&folder)?;
    let project = folder.join("pom.xml");
    fs::write(&project, pom())?;
    let new = folder.join("lib.new");
    let mut maven = Command::new(packages::program("mvn")?);
    maven.args([
        "--batch-mode",
        "--quiet",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "--file",
    ]);
    maven.arg(&project).arg(format!("-DoutputDirectory={}", new.display()));
    // What stands on our own stdout is for pipes.
    maven.arg("-Dstyle.color=never").stdout(std::io::stderr());
    let mut running = interrupt.spawn(&mut maven)?;
    let status = running.child.wait()?;
    drop(running);
    interrupt.check()?;
    if !status.success() {
        bail!("Maven could not fetch DynamoDB Local {VERSION}: {status}");
    }
    fs::rename(&new, &jars).context("DynamoDB Local was not fetched")?;
    Ok(jars)
}

fn pom() -> String {
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n\
         <modelVersion>4.0.0</modelVersion>\n\
         <groupId>flamingock</groupId><artifactId>test-servers</artifactId><version>1</version>\n\
         <dependencies><dependency>\n\
         <groupId>software.amazon.dynamodb</groupId><artifactId>DynamoDBLocal</artifactId>\n\
         <version>{VERSION}</version>\n\
         </dependency></dependencies>\n\
         </project>\n"
    )
}
