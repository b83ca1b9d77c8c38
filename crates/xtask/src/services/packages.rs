use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

/// Folders of servers that a user's `PATH` often lacks.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];

/// Debian keeps the programs of each PostgreSQL version in a folder of their own.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// Where a program is.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    find(name).with_context(|| format!("{name} is not installed"))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = postgres_folders();
    folders.extend(env::split_paths(&path));
    folders.extend(FOLDERS.map(PathBuf::from));
    folders.into_iter().map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The newest first.
fn postgres_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        versions.filter_map(|version| version.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable();
    versions
        .iter()
        .rev()
        .map(|version| Path::new(POSTGRES_VERSIONS).join(version.to_string()).join("bin"))
        .collect()
}

/// Installs the packages of those programs that are not there. Each is `(program, package, variable)`;
/// the environment variable is what one can set instead.
pub(crate) fn install<'a>(wanted: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Result<()> {
    let missing: Vec<_> = wanted.filter(|(program, ..)| find(program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing.iter().map(|(_, package, _)| *package).collect();
    // Several servers may be of one package.
    packages.dedup();
    let remedy = || {
        let variables: Vec<_> = missing.iter().map(|(_, _, variable)| *variable).collect();
        format!(
            "the servers that tests need are missing: {}. Install them, or set {} to the URLs of running ones \
             (crates/xtask/compose.yaml starts them in Docker)",
            packages.join(", "),
            variables.join(", "),
        )
    };
    let Some(apt) = apt() else { bail!("{}: this needs apt-get, and root or sudo", remedy()) };
    let installed = apt_install(&apt, &packages).with_context(remedy)?;
    if !installed || missing.iter().any(|(program, ..)| find(program).is_none()) {
        bail!("{}: apt-get could not install them", remedy());
    }
    Ok(())
}

/// Installs what the workspace needs to be built with all features besides Rust and a C compiler: librdkafka is
/// built from its sources, and links OpenSSL.
pub(crate) fn prepare() -> Result<()> {
    let programs = [("c++", "g++"), ("make", "make"), ("pkg-config", "pkg-config")];
    let mut packages: Vec<_> =
        programs.iter().filter(|(name, _)| find(name).is_none()).map(|(_, package)| *package).collect();
    let openssl = Command::new("pkg-config").args(["--exists", "openssl"]).status();
    if !openssl.is_ok_and(|status| status.success()) {
        packages.push("libssl-dev");
    }
    if packages.is_empty() {
        return Ok(());
    }
    let Some(apt) = apt() else {
        eprintln!("to build with all features, this may be missing: {}", packages.join(", "));
        return Ok(());
    };
    if !apt_install(&apt, &packages)? {
        bail!("apt-get could not install {}, which building with all features needs", packages.join(", "));
    }
    Ok(())
}

/// `false`: it failed.
fn apt_install(apt: &[PathBuf], packages: &[&str]) -> Result<bool> {
    eprintln!("installing {}", packages.join(", "));
    // Lists that cannot be brought up to date may still do.
    let _ = apt_get(apt, &["update", "--quiet=2"]);
    let install = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
    apt_get(apt, &[install.as_slice(), packages].concat())
}

/// What apt-get is called by, with the rights that it needs.
fn apt() -> Option<Vec<PathBuf>> {
    let apt = find("apt-get")?;
    let environment = [find("env")?, PathBuf::from("DEBIAN_FRONTEND=noninteractive"), apt];
    if Uid::effective().is_root() {
        return Some(environment.into());
    }
    Some([find("sudo")?].into_iter().chain(environment).collect())
}

/// Its output goes where ours goes that is not for pipes. `false`: it failed.
fn apt_get(apt: &[PathBuf], arguments: &[&str]) -> Result<bool> {
    let (program, first) = apt.split_first().context("no apt-get")?;
    let mut command = Command::new(program);
    command.args(first).args(arguments).stdout(std::io::stderr());
    Ok(command.status().context("apt-get could not be started")?.success())
}
