use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

/// The lock file of this program tells which versions are measured.
const LOCK_FILE: &str = include_str!("../Cargo.lock");

const MEASURED: [&str; 7] =
    ["flamingock", "sqlx", "refinery", "sea-orm-migration", "tokio-postgres", "rusqlite", "libsqlite3-sys"];

/// What the figures are of.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    /// Median of writing 8 KiB and `fdatasync`, in microseconds.
    pub(crate) fdatasync_us: u128,
    /// Load average over a minute, at the beginning and at the end: what else was running.
    pub(crate) load: [String; 2],
    pub(crate) postgres: String,
    pub(crate) sqlite: String,
    pub(crate) versions: BTreeMap<&'static str, String>,
}

impl Machine {
    pub(crate) fn look(postgres: &str) -> Result<Self> {
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            cpu: cpu(),
            fdatasync_us: fdatasync()?.as_micros(),
            load: [load(), String::new()],
            postgres: postgres.to_owned(),
            sqlite: rusqlite::version().to_owned(),
            versions: MEASURED.into_iter().filter_map(|name| Some((name, version(name)?))).collect(),
        })
    }

    pub(crate) fn finish(&mut self) {
        self.load[1] = load();
    }
}

fn version(package: &str) -> Option<String> {
    let (_, rest) = LOCK_FILE.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split('"').next().map(str::to_owned)
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(|| "unknown".to_owned(), |model| model.trim_matches([' ', '\t', ':']).to_owned())
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn fdatasync() -> Result<Duration> {
    let mut file = tempfile::tempfile()?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let since = Instant::now();
        file.write_all(&[0; 8192])?;
        file.sync_data()?;
        times.push(since.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
