use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, MacroDelimiter, Meta, MetaList, Path, token};

use super::block::{Block, Item};
use crate::helper::INERT;

/// What a method of a change is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Apply,
    Rollback,
    Verify,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Apply, Self::Rollback, Self::Verify];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Verify => "verify",
        }
    }

    /// The role that a path names: `apply`, `flamingock::apply`, `prelude::apply`.
    fn of_path(path: &Path) -> Option<Self> {
        let last = &path.segments.last()?.ident;
        Self::of_name(last)
    }

    fn of_name(name: &Ident) -> Option<Self> {
        let name = name.unraw();
        Self::ALL.into_iter().find(|role| name == role.name())
    }

    /// The role that an attribute gives.
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        Self::of_path(attribute.path())
    }

    /// The role that an attribute gives under a condition.
    pub(crate) fn within_cfg_attr(attribute: &Attribute) -> Option<Self> {
        let Meta::List(list) = &attribute.meta else { return None };
        if !list.path.is_ident("cfg_attr") {
            return None;
        }
        let after_comma = list.tokens.clone().into_iter().skip_while(|token| !is_comma(token));
        after_comma
            .filter_map(|token| if let TokenTree::Ident(name) = token { Some(name) } else { None })
            .find_map(|name| Self::of_name(&name))
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// Gives every helper attribute the argument under which it does nothing: left out, an import of it
/// would count as unused.
pub(crate) fn make_inert(block: &mut Block) {
    for item in &mut block.items {
        let attributes = match item {
            Item::Method(method) => &mut method.attributes,
            Item::Other(other) => &mut other.attributes,
        };
        // One of these is a mistake that is reported; it is not to be reported again.
        attributes.retain(|attribute| Role::within_cfg_attr(attribute).is_none());
        for attribute in attributes.iter_mut().filter(|attribute| Role::of(attribute).is_some()) {
            let path = attribute.path().clone();
            let tokens = Ident::new(INERT, Span::call_site()).into_token_stream();
            attribute.meta = Meta::List(MetaList {
                path,
                delimiter: MacroDelimiter::Paren(token::Paren::default()),
                tokens,
            });
        }
    }
}

/// The predicates of an item's `#[cfg(..)]`s.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<TokenStream> {
    let lists = attributes.iter().filter_map(|attribute| attribute.meta.require_list().ok());
    lists.filter(|list| list.path.is_ident("cfg")).map(|list| list.tokens.clone()).collect()
}
