use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Parser;

/// Flamingock on an SQLite database and a folder of files, with real data and without a server.
///
/// Run it twice: the second time there is nothing to do.
#[derive(Debug, Parser)]
#[command(name = "quickstart")]
pub(crate) struct Options {
    /// Make a change fail half-way; without it the next run goes on from there
    #[arg(long = "break")]
    pub(crate) breaks: bool,

    /// Take a second per step, so that you can kill it (`kill -9`, or Ctrl-C) and run it again
    #[arg(long)]
    pub(crate) slow: bool,

    /// Delete what earlier runs wrote, then start
    #[arg(long)]
    pub(crate) reset: bool,

    /// Where everything is written
    #[arg(long, value_name = "FOLDER", default_value = "quickstart-data")]
    data: PathBuf,
}

impl Options {
    pub(crate) fn audit_db(&self) -> PathBuf {
        self.data.join("audit.db")
    }

    pub(crate) fn airports_db(&self) -> PathBuf {
        self.data.join("airports.db")
    }

    pub(crate) fn site(&self) -> PathBuf {
        self.data.join("site")
    }

    /// The folder for everything, empty if that was asked for.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if self.reset {
            self.delete()?;
        }
        fs::create_dir_all(&self.data)
    }

    /// Only what the quickstart wrote: the folder is the user's choice.
    fn delete(&self) -> io::Result<()> {
        for database in [self.audit_db(), self.airports_db()] {
            for suffix in ["", "-wal", "-shm", "-journal"] {
                let mut file = database.clone().into_os_string();
                file.push(suffix);
                missing_is_fine(fs::remove_file(Path::new(&file)))?;
            }
        }
        missing_is_fine(fs::remove_dir_all(self.site()))
    }
}

fn missing_is_fine(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
