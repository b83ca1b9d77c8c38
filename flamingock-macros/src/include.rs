//! `include_changes!`: read the folder -> check the names -> declare modules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitStr, Visibility};

use crate::mistakes::Mistakes;
use crate::place::order_of;

/// What stands in `include_changes!(..)`.
pub(crate) struct Input {
    visibility: Visibility,
    folder: LitStr,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let visibility = input.parse()?;
        let folder = input.parse().map_err(|error| {
            Error::new(error.span(), "expected the path of a folder: `include_changes!(\"changes\")`")
        })?;
        if !input.is_empty() {
            return Err(input.error("expected nothing after the path of the folder"));
        }
        Ok(Self { visibility, folder })
    }
}

/// One module per file of the folder, or what is wrong with each file.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    expand_in(package.as_deref(), input)
}

fn expand_in(package: Option<&Path>, input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let modules = mistakes.take(syn::parse2(input)).map(|input| modules(package, &input, &mut mistakes));
    let errors = mistakes.into_compile_errors();
    quote!(#modules #errors)
}

fn modules(package: Option<&Path>, input: &Input, mistakes: &mut Mistakes) -> TokenStream {
    let Input { visibility, folder } = input;
    let files = mistakes.take(
        package
            .ok_or_else(|| "CARGO_MANIFEST_DIR is not set: build with cargo".to_owned())
            .and_then(|package| files(package, &folder.value()))
            .map_err(|message| Error::new_spanned(folder, message)),
    );
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut modules = TokenStream::new();
    for file in files.into_iter().flatten() {
        let module = file.module().and_then(|module| match seen.insert(module.clone(), file.name.clone()) {
            Some(other) => Err(format!("`{other}` and `{}` would both be the module `{module}`", file.name)),
            None => Ok(module),
        });
        let module = module.and_then(|module| Ok((module, file.path()?)));
        match module {
            Ok((module, path)) => {
                let module = Ident::new(&module, Span::call_site());
                modules.extend(quote!(#[path = #path] #visibility mod #module;));
            }
            Err(message) => mistakes.at(folder, message),
        }
    }
    modules
}

/// A file that is meant to be a change.
struct File {
    path: PathBuf,
    name: String,
}

/// The changes of a folder, sorted by name.
fn files(package: &Path, folder: &str) -> Result<Vec<File>, String> {
    if Path::new(folder).is_absolute() {
        return Err(format!("`{folder}` is absolute: give a path relative to the package's Cargo.toml"));
    }
    let directory = package.join(folder);
    let unread =
        |error| format!("cannot read the folder `{folder}` beside the package's Cargo.toml: {error}");
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_file() && matches!(kind, "rs" | "yaml" | "yml") {
            files.push(File { path, name });
        }
    }
    if files.is_empty() {
        return Err(format!("the folder `{folder}` has no changes: they are files named `_0001__<name>.rs`"));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

impl File {
    /// The name of the module that the file becomes.
    fn module(&self) -> Result<String, String> {
        let Self { name, .. } = self;
        let Some(stem) = name.strip_suffix(".rs") else {
            return Err(format!(
                "`{name}`: changes written in YAML are not supported yet, they come with the templates; write it in Rust"
            ));
        };
        if order_of(stem).is_none() {
            return Err(format!(
                "`{name}` is not named like a change: `_<ORDER>__<name>.rs`, such as `_0001__create_orders.rs`"
            ));
        }
        // `_1-2__add-code` is the module `_1_2__add_code`.
        let module = stem.replace(['-', '.', ' '], "_");
        // It begins with `_` and is longer, so it is no keyword.
        match syn::parse_str::<Ident>(&module) {
            Ok(_) => Ok(module),
            Err(_) => Err(format!(
                "`{name}` cannot be the name of a module: use letters, digits, `_`, `-`, `.` and spaces"
            )),
        }
    }

    fn path(&self) -> Result<&str, String> {
        self.path.to_str().ok_or_else(|| format!("the path of `{}` is not UTF-8", self.name))
    }
}

#[cfg(test)]
mod tests;
