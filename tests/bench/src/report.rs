use std::fmt;

use serde::Serialize;

use crate::cases::{Cost, Fresh, NothingToDo, Together};
use crate::machine::Machine;

/// Everything that was measured: as JSON, and as the tables of a Markdown page.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) nothing_to_do: Vec<NothingToDo>,
    pub(crate) fresh: Vec<Fresh>,
    pub(crate) together: Vec<Together>,
    pub(crate) cost: Vec<Cost>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine(f)?;
        self.nothing_to_do(f)?;
        self.fresh(f)?;
        self.together(f)?;
        self.cost(f)
    }
}

impl Report {
    fn machine(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cores, cpu, fdatasync_us, load, postgres, sqlite, versions } = &self.machine;
        writeln!(f, "{cores} cores ({cpu}), fdatasync {fdatasync_us} us, load {} to {}", load[0], load[1])?;
        let versions: Vec<String> =
            versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(f, "PostgreSQL {postgres}, SQLite {sqlite}, {}", versions.join(", "))
    }

    fn nothing_to_do(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places: Vec<_> = self.nothing_to_do.iter().map(|result| result.place).collect();
        places.dedup();
        for place in places {
            let here: Vec<_> = self.nothing_to_do.iter().filter(|result| result.place == place).collect();
            let mut sizes: Vec<_> = here.iter().map(|result| result.applied).collect();
            sizes.sort_unstable();
            sizes.dedup();
            writeln!(f, "\nNothing to do, {place}, best start in ms (median)\n")?;
            let header: Vec<String> = sizes.iter().map(|size| format!("{size} applied")).collect();
            head(f, "tool", &header)?;
            let mut peers: Vec<_> = here.iter().map(|result| result.peer).collect();
            peers.dedup();
            for peer in peers {
                let cells = here.iter().filter(|result| result.peer == peer).map(|result| {
                    let (Some(best), Some(median)) = (result.best_ms, result.median_ms) else {
                        return "more than 120 s".to_owned();
                    };
                    format!("{best:.2} ({median:.2})")
                });
                row(f, peer, cells)?;
            }
            let built = here.iter().filter_map(|result| result.build_ms).map(|ms| format!("{ms:.2}"));
            row(f, "of Flamingock's: `build()`", built)?;
        }
        Ok(())
    }

    fn fresh(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.fresh.first() else { return Ok(()) };
        writeln!(
            f,
            "\n{} changes on an empty database, median of {} in ms (best)\n",
            first.changes, first.rounds
        )?;
        head(f, "tool", &["PostgreSQL".to_owned(), "SQLite".to_owned()])?;
        let peers = self.fresh.iter().filter(|result| result.place == first.place);
        for peer in peers.map(|result| result.peer) {
            let cells = self.fresh.iter().filter(|result| result.peer == peer);
            row(f, peer, cells.map(|result| format!("{:.0} ({:.0})", result.median_ms, result.best_ms)))?;
        }
        Ok(())
    }

    fn together(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.together.first() else { return Ok(()) };
        let Together { instances, changes, rounds, .. } = first;
        writeln!(
            f,
            "\n{instances} instances together, {changes} changes, PostgreSQL, median of {rounds} in ms\n"
        )?;
        let header =
            ["failed starts", "last ready after", "last ready after the release (worst)", "an error"];
        head(f, "tool", &header.map(str::to_owned))?;
        for result in &self.together {
            let after = result.after_release_ms.zip(result.worst_after_release_ms);
            let cells = [
                format!("{} of {}", result.failed, result.starts),
                format!("{:.0}", result.last_ready_ms),
                after.map_or_else(|| "-".to_owned(), |(median, worst)| format!("{median:.0} ({worst:.0})")),
                result.error.as_deref().map_or_else(|| "-".to_owned(), one_line),
            ];
            row(f, result.peer, cells.into_iter())?;
        }
        Ok(())
    }

    fn cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.cost.first() else { return Ok(()) };
        writeln!(f, "\nCounted by PostgreSQL and on the wire, {} changes\n", first.changes)?;
        let header = ["start", "round trips", "pings", "statements", "WAL records", "WAL syncs", "WAL bytes"];
        head(f, "tool", &header.map(str::to_owned))?;
        let figure = |figure: Option<i64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
        for result in &self.cost {
            let cells = [
                result.start.to_owned(),
                result.round_trips.to_string(),
                result.pings.to_string(),
                result.statements.to_string(),
                figure(result.wal_records),
                figure(result.wal_syncs),
                figure(result.wal_bytes),
            ];
            row(f, result.peer, cells.into_iter())?;
        }
        Ok(())
    }
}

fn head(f: &mut fmt::Formatter<'_>, first: &str, rest: &[String]) -> fmt::Result {
    row(f, first, rest.iter().cloned())?;
    row(f, "---", rest.iter().map(|_| "---".to_owned()))
}

fn row(f: &mut fmt::Formatter<'_>, first: &str, rest: impl Iterator<Item = String>) -> fmt::Result {
    writeln!(f, "| {first} | {} |", rest.collect::<Vec<_>>().join(" | "))
}

fn one_line(text: &str) -> String {
    let text: String = text.replace(['\n', '|'], " ").chars().take(100).collect();
    text.trim().to_owned()
}
