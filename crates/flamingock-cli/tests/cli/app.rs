//! The application: `app SCENARIO DIR`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use flamingock::change::{ChangeContext, TargetState};
use flamingock::prelude::*;
use flamingock::sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use flamingock::sqlx::{self, SqliteConnection};
use flamingock::target::NonTransactionalTarget;

/// A folder as a target without transactions.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

struct CreateOrders;

/// Orders have a table.
#[change(id = "create-orders", order = 1, target_system = "db", author = "shipping")]
impl CreateOrders {
    #[apply]
    async fn apply(db: &mut SqliteConnection) -> ChangeResult {
        sqlx::query("CREATE TABLE orders (id INTEGER)").execute(db).await?;
        Ok(())
    }
}

struct AddTracking;

/// Orders need a tracking code.
#[change(id = "add-tracking", order = 2, target_system = "db", author = "shipping")]
impl AddTracking {
    #[apply]
    async fn apply(db: &mut SqliteConnection, scenario: &Scenario) -> ChangeResult {
        sqlx::query("ALTER TABLE orders ADD COLUMN tracking TEXT").execute(db).await?;
        if scenario.0 == "dies-in-transaction" {
            die().await?;
        }
        Ok(())
    }

    #[rollback]
    async fn rollback(db: &mut SqliteConnection) -> ChangeResult {
        sqlx::query("ALTER TABLE orders DROP COLUMN tracking").execute(db).await?;
        Ok(())
    }
}

struct WriteFlag;

/// A flag for shipping.
#[change(id = "write-flag", order = 3, target_system = "flags", author = "shipping")]
impl WriteFlag {
    #[apply]
    async fn apply(folder: &Folder, scenario: &Scenario, context: &ChangeContext) -> ChangeResult {
        std::fs::write(folder.0.join("started"), "")?;
        match scenario.0.as_str() {
            "broken" => return Err("the flag server answered 503".into()),
            "leaks" => return Err("the flag server refused s3cr3t-pw".into()),
            "dies" => die().await?,
            "slow" => {
                for done in 0..100 {
                    context.progress(done, 100, "flags");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if context.cancelled() {
                        break;
                    }
                }
            }
            _ => context.progress(1, 2, "flags"),
        }
        Ok(std::fs::write(folder.0.join("flag"), "on")?)
    }

    #[verify]
    async fn verify(folder: &Folder, scenario: &Scenario) -> Result<TargetState, BoxError> {
        if scenario.0 != "verified" {
            return Err("nobody knows".into());
        }
        Ok(if folder.0.join("flag").exists() { TargetState::Applied } else { TargetState::NotApplied })
    }
}

/// As an out-of-memory killer does it.
async fn die() -> ChangeResult {
    std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status()?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    Ok(())
}

flamingock::change_set!(CHANGES);

#[derive(Debug)]
struct Scenario(String);

pub(crate) fn main(args: &[String]) -> ExitCode {
    let [scenario, dir, rest @ ..] = args else { return ExitCode::from(64) };
    println!("starting, {scenario}");
    match scenario.as_str() {
        "exits" => {
            eprintln!("cannot reach the secret vault");
            return ExitCode::from(7);
        }
        "silent" => std::thread::sleep(Duration::from_secs(60)),
        "deaf" => {
            let file = std::env::var("FLAMINGOCK_CLI_RESULT").expect("is set");
            std::fs::write(file, "{\"hello\":1}\n").expect("is written");
            std::fs::write(Path::new(dir).join("started"), "").expect("is written");
            std::thread::sleep(Duration::from_secs(60));
        }
        "babbles" => {
            let file = std::env::var("FLAMINGOCK_CLI_RESULT").expect("is set");
            std::fs::write(file, "this is\nno answer\n").expect("is written");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let builder = wire(scenario, Path::new(dir)).await.expect("is wired");
        if scenario == "embedded" {
            let typed = std::iter::once("orders".to_owned()).chain(rest.iter().cloned());
            return flamingock::cli::main_with(builder, typed.map(Into::into)).await;
        }
        match builder.build().expect("is wired").run().await {
            Ok(report) => {
                println!("{report}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    })
}

async fn wire(scenario: &str, dir: &Path) -> anyhow::Result<FlamingockBuilder> {
    let options = SqliteConnectOptions::new().filename(dir.join("target.db")).create_if_missing(true);
    let folder = Folder(dir.to_owned());
    if let (Ok(url), Ok(prefix)) = (std::env::var("CLI_TEST_URL"), std::env::var("CLI_TEST_PREFIX")) {
        let (builder, pool) = (Flamingock::builder(), SqlitePool::connect_with(options).await?);
        let lock_prefix = format!("{prefix}lock:");
        let builder = match url.split(':').next() {
            Some("mysql") => builder.audit_store(MySqlAuditStore::connect(&url).await?.table_prefix(prefix)),
            Some("redis") => builder.audit_store(RedisAuditStore::connect(&url).await?.key_prefix(prefix)),
            Some("mongodb") => {
                builder.audit_store(MongoAuditStore::connect(&url).await?.collection_prefix(prefix))
            }
            Some("dynamodb") => builder.audit_store(DynamoAuditStore::connect(&url).await?),
            _ => builder.audit_store(PostgresAuditStore::connect(&url).await?.table_prefix(prefix)),
        };
        let builder = match std::env::var("CLI_TEST_LOCK") {
            Ok(url) => builder.lock_store(RedisLockStore::connect(&url).await?.key_prefix(lock_prefix)),
            Err(_) => builder,
        };
        return Ok(on_targets(builder, scenario, folder, pool));
    }
    let audit = format!("sqlite://{}", dir.join("audit.db").display());
    let builder = Flamingock::builder().audit_store(SqliteAuditStore::connect(&audit).await?);
    Ok(on_targets(builder, scenario, folder, SqlitePool::connect_with(options).await?))
}

fn on_targets(
    builder: FlamingockBuilder,
    scenario: &str,
    folder: Folder,
    pool: SqlitePool,
) -> FlamingockBuilder {
    builder
        .service("orders")
        .changes(CHANGES)
        .lease(Duration::from_secs(2))
        .target(SqliteTarget::new("db", pool))
        .target(NonTransactionalTarget::new("flags").kind("folder").at("the flag server").with(folder))
        .dependency(Scenario(scenario.to_owned()))
}
