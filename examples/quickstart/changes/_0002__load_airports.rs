use flamingock::prelude::*;
use flamingock::sqlx::{self, SqliteConnection};
use serde::Deserialize;

use crate::demo::Demo;

const AIRPORTS: &str = include_str!("../data/airports.csv");

#[derive(Deserialize)]
struct Airport {
    iata: String,
    name: String,
    city: String,
    country: String,
    elevation_ft: f64,
    latitude: f64,
    longitude: f64,
    timezone: String,
}

pub(crate) struct LoadAirports;

/// The airports of Africa, Asia and Europe.
#[change(id = "load-airports", target_system = "airports-db", author = "quickstart")]
impl LoadAirports {
    // `&Demo` was given to the builder; `&ChangeContext` is always there.
    #[apply]
    async fn apply(db: &mut SqliteConnection, demo: &Demo, context: &ChangeContext) -> ChangeResult {
        let mut file = csv::Reader::from_reader(AIRPORTS.as_bytes());
        let airports = file.deserialize().collect::<Result<Vec<Airport>, _>>()?;
        let total = airports.len() as u64;

        for (done, airport) in (0..).zip(airports) {
            if done % 500 == 0 {
                context.progress(done, total, "airports");
                demo.pause().await;
            }
            sqlx::query("INSERT INTO airports VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(airport.iata)
                .bind(airport.name)
                .bind(airport.city)
                .bind(airport.country)
                .bind(airport.elevation_ft)
                .bind(airport.latitude)
                .bind(airport.longitude)
                .bind(airport.timezone)
                .execute(&mut *db)
                .await?;
        }
        Ok(())
    }

    #[rollback]
    async fn rollback(db: &mut SqliteConnection) -> ChangeResult {
        sqlx::query("DELETE FROM airports").execute(db).await?;
        Ok(())
    }
}
