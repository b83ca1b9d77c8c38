use anyhow::bail;
use flamingock::prelude::*;
use flamingock::sqlx::{self, SqlitePool};

use crate::demo::Demo;
use crate::folder::Folder;

pub(crate) struct PublishCountries;

/// A file per country, with its airports from the highest down.
// Half of the files may be there after a crash. Writing a file again does no harm, so the next start
// may simply do it: without `recovery` it would stop and ask.
#[change(
    id = "publish-countries",
    order = "0005",
    target_system = "site",
    author = "quickstart",
    recovery = always_retry
)]
impl PublishCountries {
    // `&Folder` is the target's own dependency, the pool and `&Demo` are the builder's.
    #[apply]
    async fn apply(
        site: &Folder,
        airports: &SqlitePool,
        demo: &Demo,
        context: &ChangeContext,
    ) -> anyhow::Result<()> {
        let countries: Vec<String> =
            sqlx::query_scalar("SELECT code FROM countries ORDER BY code").fetch_all(airports).await?;
        let total = countries.len() as u64;

        for (done, country) in (0..).zip(countries) {
            if done % 25 == 0 {
                context.progress(done, total, "countries");
                demo.pause().await;
            }
            if done == 100 && demo.breaks {
                bail!("the disk is full (as `--break` asked for)");
            }
            site.write(&format!("countries/{country}.csv"), &page(airports, &country).await?)?;
        }
        Ok(())
    }

    // The compensation of a failed apply: a folder has no transaction that would do it.
    #[rollback]
    async fn rollback(site: &Folder) -> anyhow::Result<()> {
        site.remove_folder("countries")?;
        Ok(())
    }
}

async fn page(airports: &SqlitePool, country: &str) -> anyhow::Result<String> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT iata, name, elevation_m FROM airports WHERE country = ? ORDER BY elevation_m DESC, iata",
    )
    .bind(country)
    .fetch_all(airports)
    .await?;
    let mut page = csv::Writer::from_writer(Vec::new());
    page.write_record(["iata", "name", "elevation_m"])?;
    rows.iter().try_for_each(|airport| page.serialize(airport))?;
    Ok(String::from_utf8(page.into_inner()?)?)
}
