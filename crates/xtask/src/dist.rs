use std::env;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace;

/// Builds the `flamingock` command for release: static where the toolchain has musl for this machine.
/// `false`: it failed.
pub(crate) fn dist() -> Result<bool> {
    let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
    let musl = cfg!(target_os = "linux") && is_installed(&target);
    let mut cargo = workspace::cargo()?;
    cargo.args(["build", "--release", "--locked", "--package", "flamingock-cli"]);
    if musl {
        cargo.args(["--target", &target]);
    }
    if !cargo.status().context("cargo")?.success() {
        return Ok(false);
    }
    let folder = workspace::target()?;
    let folder = if musl { folder.join(&target) } else { folder };
    println!("{}", folder.join("release/flamingock").display());
    if musl {
        println!("static (musl): it needs no library of the machine that it runs on");
    } else {
        println!(
            "not static: it needs a C library (glibc) as new as this machine's. For a static one: \
             rustup target add {target}, and musl-gcc for SQLite and TLS (the package musl-tools)"
        );
    }
    Ok(true)
}

/// Writes the manual pages of the `flamingock` command. `false`: it failed.
pub(crate) fn man() -> Result<bool> {
    let folder = workspace::target()?.join("man");
    let mut cargo = workspace::cargo()?;
    cargo.args(["run", "--quiet", "--package", "flamingock-cli", "--", "man"]).arg(&folder);
    Ok(cargo.status().context("cargo")?.success())
}

fn is_installed(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output();
    let Ok(asked) = asked else { return false };
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let compiler = Command::new("musl-gcc").arg("--version").output().is_ok();
    !folder.is_empty() && std::path::Path::new(&folder).is_dir() && compiler
}
