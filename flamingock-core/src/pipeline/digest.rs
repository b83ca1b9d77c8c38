use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::PipelineStage;
use crate::plan::Policies;
use crate::target::Mode;

/// Covers id, order, stage, target, mode and checksum of every change, the active profiles and the
/// policies. Two processes with the same digest would do the same.
pub(super) fn digest(stages: &[PipelineStage], profiles: &[String], policies: &Policies) -> String {
    let mut sha = Sha256::new();
    let mut text = |text: &str| {
        sha.update((text.len() as u64).to_be_bytes());
        sha.update(text.as_bytes());
    };
    for stage in stages {
        text(&stage.name);
        for change in &stage.changes {
            text(&change.id);
            text(change.order_text());
            text(&change.target_system);
            text(match change.mode {
                Mode::Transactional => "transactional",
                Mode::Plain => "plain",
            });
            text(&change.checksum);
        }
    }
    let mut profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
    profiles.sort_unstable();
    profiles.into_iter().for_each(&mut text);
    text(&policies.to_string());
    sha.finalize().iter().fold("v1:".to_owned(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
