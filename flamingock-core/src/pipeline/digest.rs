use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::PipelineStage;
use crate::plan::Policies;
use crate::target::Mode;

/// Covers id, order, stage, target, mode and checksum of every change, the active profiles and the
/// policies. Two processes with the same digest would do the same.
pub(super) fn digest(stages: &[PipelineStage], profiles: &[String], policies: &Policies) -> String {
    let mut sha = Sha256::new();
    // Hashed a change at a time: at 100,000 changes it matters.
    let mut bytes = Vec::new();
    for stage in stages {
        text(&mut bytes, &stage.name);
        for change in &stage.changes {
            text(&mut bytes, &change.id);
            text(&mut bytes, change.order_text());
            text(&mut bytes, &change.target_system);
            text(&mut bytes, if change.mode == Mode::Plain { "plain" } else { "transactional" });
            text(&mut bytes, &change.checksum);
            sha.update(&bytes);
            bytes.clear();
        }
    }
    let mut profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
    profiles.sort_unstable();
    profiles.into_iter().for_each(|profile| text(&mut bytes, profile));
    text(&mut bytes, &policies.to_string());
    sha.update(&bytes);
    sha.finalize().iter().fold("v1:".to_owned(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// With its length before it, so that no two lists of texts give the same bytes.
fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
