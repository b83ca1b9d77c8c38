//! What is measured.

mod cost;
mod fresh;
mod nothing_to_do;
mod together;

pub(crate) use cost::{Cost, cost};
pub(crate) use fresh::{Fresh, fresh};
pub(crate) use nothing_to_do::{NothingToDo, nothing_to_do};
pub(crate) use together::{Together, together};

use std::time::Duration;

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The middle one, or the upper of two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
