use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The program of a cargo command from the registry, built once into the target folder.
pub(crate) fn install(name: &str, version: &str) -> Result<PathBuf> {
    let root = workspace::target()?.join(format!("tools/{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.exists() {
        let mut cargo = workspace::cargo()?;
        cargo.args(["install", name, "--version", version, "--locked", "--root"]).arg(&root);
        if !cargo.status().context("cargo")?.success() {
            bail!("{name} cannot be installed");
        }
    }
    Ok(program)
}
