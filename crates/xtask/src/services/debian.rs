//! Programs of a newer Debian than the machine's, with all that they need, down to the C library: in a folder of their
//! own, so that nothing of the machine changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::fetched;
use super::packages;
use crate::interrupt::Interrupt;

/// What Debian's releases are signed with.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The folder of the packages, once all of them are there.
const ARCHIVES: &str = "archives";

/// Packages of a release of Debian, and all that they depend on.
pub(super) struct Packages {
    /// Where they are kept.
    pub(super) name: &'static str,
    pub(super) release: &'static str,
    pub(super) packages: &'static [&'static str],
}

/// Where they were unpacked.
pub(super) struct Root {
    path: PathBuf,
    libraries: PathBuf,
    /// What starts a program with other libraries than the machine's.
    pub(super) loader: String,
}

impl Packages {
    pub(super) fn are_fetched(&self) -> bool {
        fetched::folder(self.name).is_ok_and(|folder| folder.join(ARCHIVES).is_dir())
    }

    /// Unpacks them into a new folder: who runs them may not be allowed to look into the workspace.
    pub(super) fn unpack(&self, path: PathBuf, interrupt: &Interrupt) -> Result<Root> {
        let archives = self.fetch(interrupt)?;
        let dpkg = packages::program("dpkg-deb")?;
        for archive in fs::read_dir(archives)? {
            let archive = archive?.path();
            if archive.extension().is_some_and(|extension| extension == "deb") {
                fetched::run(Command::new(&dpkg).arg("--extract").arg(archive).arg(&path), interrupt)?;
            }
        }
        let libraries = entry(&path.join("usr/lib"), |name| name.ends_with("-linux-gnu"))?;
        let loader = entry(&libraries, |name| name.starts_with("ld-linux"))?;
        let loader = loader.to_str().context("the temporary folder has a name that is no text")?.to_owned();
        Ok(Root { path, libraries, loader })
    }

    /// Fetches them, once: the next time they are there. By the machine's own apt and mirror, and as if nothing was
    /// installed.
    fn fetch(&self, interrupt: &Interrupt) -> Result<PathBuf> {
        let folder = fetched::folder(self.name)?;
        let archives = folder.join(ARCHIVES);
        if archives.is_dir() {
            return Ok(archives);
        }
        let source = folder.join("sources.list");
        let status = folder.join("status");
        let new = folder.join("cache/archives");
        eprintln!("fetching {} of Debian {} with apt-get (once)", self.packages.join(", "), self.release);
        fs::write(&source, self.source()?)?;
        fs::write(&status, "")?;
        for folder in [&folder.join("lists/partial"), &new.join("partial")] {
            fs::create_dir_all(folder)?;
        }
        let apt = |arguments: &[&str]| {
            let mut apt = Command::new(packages::program("apt-get")?);
            for (key, value) in [
                ("Dir::Etc::SourceList", &source),
                ("Dir::Etc::SourceParts", &PathBuf::from("/dev/null")),
                ("Dir::State::Lists", &folder.join("lists")),
                ("Dir::State::Status", &status),
                ("Dir::Cache", &folder.join("cache")),
                ("APT::Sandbox::User", &PathBuf::from("root")),
            ] {
                apt.arg("-o").arg(format!("{key}={}", value.display()));
            }
            apt.arg("--quiet=2").args(arguments);
            fetched::run(&mut apt, interrupt)
        };
        apt(&["update"])?;
        apt(&[&["install", "--download-only", "--yes", "--no-install-recommends"], self.packages].concat())?;
        fs::remove_dir_all(folder.join("lists"))?;
        fs::rename(&new, &archives)?;
        Ok(archives)
    }

    /// As a list of sources has it, at the mirror that the machine itself uses.
    fn source(&self) -> Result<String> {
        let mut apt = Command::new(packages::program("apt-get")?);
        apt.args(["indextargets", "--format", "$(REPO_URI)"]);
        apt.args(["Created-By: Packages", "Component: main", "Origin: Debian", "Label: Debian"]);
        let output = apt.output()?;
        let output = String::from_utf8_lossy(&output.stdout);
        let Some(mirror) = output.lines().next() else { bail!("this machine is no Debian") };
        Ok(format!("deb [signed-by={KEYS}] {mirror} {} main\n", self.release))
    }
}

impl Root {
    /// Tells the loader which program.
    pub(super) fn run<'a>(&self, program: &str, loader: &'a mut Command) -> &'a mut Command {
        loader.arg("--library-path").arg(&self.libraries).arg(self.usr().join(program))
    }

    /// Its folder of programs and of what belongs to them.
    pub(super) fn usr(&self) -> PathBuf {
        self.path.join("usr")
    }
}

fn entry(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.flatten();
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let name = names.find(|name| wanted(name)).with_context(|| format!("{} lacks it", folder.display()))?;
    Ok(folder.join(name))
}
