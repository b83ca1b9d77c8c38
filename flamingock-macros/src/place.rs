use std::env;
use std::path::{Path, PathBuf};

use proc_macro2::Span;

/// The file in which an attribute stands.
pub(crate) struct Place {
    /// As the compiler knows it; empty where it does not say (rust-analyzer).
    file: String,
    /// Directories that may be taken off an absolute path, the first that fits.
    roots: Vec<PathBuf>,
}

impl Place {
    /// Of the macro call that is being expanded.
    pub(crate) fn of_call() -> Self {
        // Cargo starts the compiler in the workspace's root, to which its relative paths refer.
        let roots =
            env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).into_iter().chain(env::current_dir());
        Self { file: Span::call_site().file(), roots: roots.collect() }
    }

    #[cfg(test)]
    fn new(file: &str, root: &str) -> Self {
        Self { file: file.to_owned(), roots: vec![root.into()] }
    }

    /// The path without the directories of this machine, where `file!()` would have them: in files
    /// that [`include_changes!`](crate::include_changes) declares.
    pub(crate) fn relative(&self) -> Option<String> {
        let path = Path::new(&self.file);
        if !path.is_absolute() {
            return None;
        }
        let inside = self.roots.iter().find_map(|root| path.strip_prefix(root).ok())?;
        Some(inside.to_str()?.replace('\\', "/"))
    }

    /// Whether the compiler says which file it is.
    pub(crate) fn is_known(&self) -> bool {
        !self.file.is_empty()
    }

    /// The order in the file's name.
    pub(crate) fn order(&self) -> Option<&str> {
        order_of(self.file.rsplit(['/', '\\']).next()?.strip_suffix(".rs")?)
    }
}

/// `0003` of `_0003__add_tracking_code`; nothing when the file stem is not of that form.
pub(crate) fn order_of(stem: &str) -> Option<&str> {
    let (order, name) = stem.strip_prefix('_')?.split_once("__")?;
    (!order.is_empty() && !name.is_empty()).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_path_loses_the_directories_of_the_machine() {
        let place = Place::new("/home/me/app/changes/_0001__a.rs", "/home/me/app");
        assert_eq!(place.relative().as_deref(), Some("changes/_0001__a.rs"));
    }

    #[test]
    fn a_relative_path_is_left_to_the_compiler() {
        assert_eq!(Place::new("src/changes.rs", "/home/me/app").relative(), None);
    }

    #[test]
    fn a_path_elsewhere_is_left_to_the_compiler() {
        assert_eq!(Place::new("/opt/x.rs", "/home/me/app").relative(), None);
    }

    #[test]
    fn the_order_is_read_from_the_file_name() {
        assert_eq!(Place::new("a/_0003__add_code.rs", "/").order(), Some("0003"));
        assert_eq!(Place::new("a\\_0003__add_code.rs", "/").order(), Some("0003"));
        assert_eq!(Place::new("_20250923_2__a__b.rs", "/").order(), Some("20250923_2"));
        for name in ["", "add_code.rs", "_0003_add.rs", "___add.rs", "_0003__.rs", "0003__add.rs", "_3__add"]
        {
            assert_eq!(Place::new(name, "/").order(), None, "{name}");
        }
    }

    #[test]
    fn an_empty_answer_means_unknown() {
        assert!(!Place::new("", "/").is_known());
        assert!(Place::new("src/lib.rs", "/").is_known());
    }
}
