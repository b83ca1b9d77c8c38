//! The checksum of a change's code: `v1:` and the SHA-256 of its normal form.
//!
//! The normal form is the same before and after rustfmt, whatever its settings of line width, and
//! does not know comments. It is not a parser: two programs of one normal form are possible, but
//! nobody turns one into the other by accident.

mod normal;
#[cfg(test)]
mod rustfmt;
#[cfg(test)]
mod tests;
mod uses;

use std::fmt::Write;

use sha2::{Digest, Sha256};

pub(crate) use normal::normal_form;

/// The checksum of the parts of a change, each with its name.
pub(crate) fn checksum<'a>(parts: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> String {
    let mut hash = Sha256::new();
    for (name, part) in parts {
        // The length keeps the end of one part from passing for the beginning of the next.
        hash.update(format!("{name} {}\n", part.len()));
        hash.update(part);
    }
    let mut text = "v1:".to_owned();
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
