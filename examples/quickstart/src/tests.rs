//! The changes, on a database and a folder of each test's own. The audit is in memory.

use flamingock::RunErrorKind;
use flamingock::audit::Evidence;
use flamingock::prelude::*;
use flamingock::sqlx::{self, SqlitePool};
use flamingock::testing::{FlamingockTest, Moment, Stairway, after, before, entry};
use tempfile::{TempDir, tempdir};

use crate::demo::Demo;
use crate::folder::Folder;
use crate::site::countries::PublishCountries;
use crate::site::index::PublishIndex;

const DEMO: Demo = Demo { breaks: false, slow: false };

/// The application as `main` wires it, and the folder of its site.
fn app(airports: &SqlitePool, demo: Demo) -> (FlamingockBuilder, TempDir) {
    let folder = tempdir().expect("a temporary folder");
    (crate::wired(airports.clone(), Folder::new(folder.path().to_owned()), demo), folder)
}

#[flamingock::test]
async fn a_second_start_has_nothing_to_do(airports: SqlitePool) -> Result<(), BoxError> {
    let (app, site) = app(&airports, DEMO);
    FlamingockTest::given(app)
        .when_run()
        .await
        .then_report(|report| assert_eq!(report.changes.applied, 6))
        .when_run_again()
        .await
        .then_nothing_more();

    let highest: i64 =
        sqlx::query_scalar("SELECT highest_m FROM countries WHERE code = 'NP'").fetch_one(&airports).await?;
    assert_eq!(highest, 3658);
    assert!(std::fs::read_to_string(site.path().join("index.html"))?.contains("countries/NP.csv"));
    Ok(())
}

#[flamingock::test]
async fn a_failed_publication_leaves_no_files(airports: SqlitePool) {
    let (app, site) = app(&airports, Demo { breaks: true, ..DEMO });
    FlamingockTest::given(app)
        .when_run()
        .await
        .then_error_kind(RunErrorKind::ChangeFailed)
        .then_audit_includes([
            entry::<PublishCountries>().started(),
            entry::<PublishCountries>().failed().error_contains("the disk is full"),
            entry::<PublishCountries>().rolled_back(),
        ]);
    assert!(!site.path().join("countries").exists());
}

#[flamingock::test]
async fn a_crash_among_the_countries_is_made_up_for(airports: SqlitePool) {
    let (app, _site) = app(&airports, DEMO);
    FlamingockTest::given(app)
        .crash_at(before(Moment::ApplyStep(3).of::<PublishCountries>()))
        .when_run()
        .await
        .then_crashed()
        .when_run_again()
        .await
        .then_audit([
            entry::<PublishCountries>().started().attempt(2),
            entry::<PublishCountries>().applied(),
            entry::<PublishIndex>().started(),
            entry::<PublishIndex>().applied(),
        ]);
}

#[flamingock::test]
async fn the_page_tells_whether_it_was_published(airports: SqlitePool) {
    let (app, _site) = app(&airports, DEMO);
    FlamingockTest::given(app)
        .crash_at(after(Moment::Apply.of::<PublishIndex>()))
        .when_run()
        .await
        .then_crashed()
        .when_run_again()
        .await
        .then_audit([entry::<PublishIndex>().applied().evidence(Evidence::Verify)]);
}

#[flamingock::test]
async fn what_is_undone_can_be_applied_again(airports: SqlitePool) {
    let (app, _site) = app(&airports, DEMO);
    Stairway::of(app).looking_at(move || columns(airports.clone())).climb().await;
}

/// Each column of each table, in a line.
async fn columns(airports: SqlitePool) -> Result<String, BoxError> {
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' ', tables.name, columns.name, columns.type)
         FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'flamingock%' ORDER BY 1",
    )
    .fetch_all(&airports)
    .await?;
    Ok(columns.join("\n"))
}
