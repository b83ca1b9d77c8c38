use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{ItemUse, UseTree};

/// The paths that a run of `use` declarations names, sorted, and how many tokens the run takes:
/// rustfmt sorts, splits and merges them.
pub(super) fn paths(tokens: &[TokenTree]) -> Option<(Vec<String>, usize)> {
    let mut paths = Vec::new();
    let mut at = 0;
    while let Some(length) = declaration(&tokens[at..], &mut paths) {
        at += length;
    }
    paths.sort_unstable();
    paths.dedup();
    (at > 0).then_some((paths, at))
}

/// Takes one declaration with its semicolon.
fn declaration(tokens: &[TokenTree], paths: &mut Vec<String>) -> Option<usize> {
    if !matches!(tokens.first()?, TokenTree::Ident(word) if word == "use") {
        return None;
    }
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
    let length = tokens.iter().position(is_end)? + 1;
    let item: ItemUse = syn::parse2(tokens[..length].iter().cloned().collect()).ok()?;
    let start = if item.leading_colon.is_some() { "use ::" } else { "use " };
    collect(start.to_owned(), &item.tree, paths);
    Some(length)
}

fn collect(prefix: String, tree: &UseTree, paths: &mut Vec<String>) {
    match tree {
        UseTree::Path(path) => collect(format!("{prefix}{}::", path.ident), &path.tree, paths),
        // `use a::{self}` is `use a`.
        UseTree::Name(name) if name.ident == "self" && prefix.ends_with("::") => {
            paths.push(prefix.trim_end_matches("::").to_owned());
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(prefix.clone(), tree, paths)),
        UseTree::Name(name) => paths.push(format!("{prefix}{}", name.ident.unraw())),
        other => paths.push(format!("{prefix}{}", other.to_token_stream())),
    }
}
