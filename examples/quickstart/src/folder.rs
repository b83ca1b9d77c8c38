use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A folder of files. Any type can be what a change is given of its target system.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in one step: whoever looks sees all of it or nothing.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.0.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, text)?;
        fs::rename(unfinished, path)
    }

    pub(crate) fn has(&self, name: &str) -> io::Result<bool> {
        self.0.join(name).try_exists()
    }

    /// The names of the files in a folder, sorted.
    pub(crate) fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for file in fs::read_dir(self.0.join(folder))? {
            names.push(file?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        gone(fs::remove_file(self.0.join(name)))
    }

    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        gone(fs::remove_dir_all(self.0.join(name)))
    }
}

/// What is not there need not be removed: a compensation may come after any part of the apply.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
