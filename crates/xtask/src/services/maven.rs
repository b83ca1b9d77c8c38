use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::fetched;
use super::packages;
use crate::interrupt::Interrupt;

/// A server from Maven Central.
pub(super) struct Jars {
    pub(super) name: &'static str,
    /// The first one's version is the server's.
    pub(super) artifacts: &'static [Artifact],
}

pub(super) struct Artifact {
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

impl Jars {
    /// Makes a folder with a copy of them: who runs the server may not be allowed to look into the workspace.
    pub(super) fn put(&self, folder: &Path, interrupt: &Interrupt) -> Result<()> {
        let fetched = self.fetch(interrupt)?;
        fs::create_dir(folder)?;
        for file in fs::read_dir(fetched)? {
            let file = file?;
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
        Ok(())
    }

    /// Fetches them and what they depend on, once: the next time they are there.
    fn fetch(&self, interrupt: &Interrupt) -> Result<PathBuf> {
        let version = self.artifacts.first().map_or("", |artifact| artifact.version);
        let name = format!("{}-{version}", self.name);
        let folder = fetched::folder(&name)?;
        let jars = folder.join("lib");
        if jars.is_dir() {
            return Ok(jars);
        }
        eprintln!("fetching {name} with Maven (once)");
        let project = folder.join("pom.xml");
        fs::write(&project, self.pom())?;
        let new = folder.join("lib.new");
        let mut maven = Command::new(packages::program("mvn")?);
        maven.args(["--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
        maven.arg("--file").arg(&project).arg(format!("-DoutputDirectory={}", new.display()));
        maven.arg("-Dstyle.color=never");
        fetched::run(&mut maven, interrupt).with_context(|| format!("Maven could not fetch {name}"))?;
        fs::rename(&new, &jars).with_context(|| format!("{name} was not fetched"))?;
        Ok(jars)
    }

    fn pom(&self) -> String {
        let mut dependencies = String::new();
        for Artifact { group, name, version } in self.artifacts {
            let _ = writeln!(
                dependencies,
                "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>",
            );
        }
        format!(
            "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n\
             <modelVersion>4.0.0</modelVersion>\n\
             <groupId>flamingock</groupId><artifactId>test-servers</artifactId><version>1</version>\n\
             <dependencies>\n{dependencies}</dependencies>\n\
             </project>\n"
        )
    }
}
