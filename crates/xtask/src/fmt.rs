use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};

use crate::workspace;

/// Formats the workspace, or checks that it is formatted. `false`: something is not.
pub(crate) fn run(check: bool) -> Result<bool> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["fmt", "--all"]);
    if check {
        cargo.args(["--", "--check"]);
    }
    let workspace = status(cargo)?.success();
    Ok(changes(check)? && workspace)
}

/// `include_changes!` declares files that `cargo fmt` does not find: they are named to rustfmt.
fn changes(check: bool) -> Result<bool> {
    let mut files = Vec::new();
    find(&workspace::root()?, &mut files)?;
    if files.is_empty() {
        return Ok(true);
    }
    files.sort();
    let mut rustfmt = Command::new(env::var_os("RUSTFMT").unwrap_or_else(|| "rustfmt".into()));
    if check {
        rustfmt.arg("--check");
    }
    rustfmt.args(files);
    Ok(status(rustfmt)?.success())
}

/// All `_<ORDER>__<name>.rs`, except in what is built or hidden.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let read = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(read)? {
        let entry = entry.with_context(read)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                find(&entry.path(), files)?;
            }
        } else if is_change(&name) {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn is_change(name: &str) -> bool {
    let stem = name.strip_prefix('_').and_then(|name| name.strip_suffix(".rs"));
    let parts = stem.and_then(|stem| stem.split_once("__"));
    parts.is_some_and(|(order, name)| !order.is_empty() && !name.is_empty())
}

fn status(mut command: Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("{} could not be started", command.get_program().display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_known_by_its_file_name() {
        assert!(is_change("_0001__create_airports.rs"));
        assert!(is_change("_2025-09-23_1__add-code.rs"));
        for name in ["mod.rs", "_0001__.rs", "___a.rs", "_0001_a.rs", "_0001__a.yaml", "0001__a.rs"] {
            assert!(!is_change(name), "{name}");
        }
    }
}
