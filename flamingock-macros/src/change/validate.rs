use proc_macro2::TokenStream;
use syn::{Attribute, Expr, Lit, Meta, Path, Type};

use super::args::Args;
use super::block::{Block, Item, Method};
use super::method::Handler;
use super::role::{Role, conditions};
use crate::checksum::checksum;
use crate::mistakes::Mistakes;
use crate::place::Place;

/// A change without mistakes, ready for code generation.
pub(crate) struct Change<'a> {
    pub(crate) args: &'a Args,
    pub(crate) block: &'a Block,
    pub(crate) id: &'a str,
    pub(crate) target_system: &'a str,
    pub(crate) description: Option<String>,
    /// Predicates of the block's `#[cfg(..)]`s.
    pub(crate) conditions: Vec<TokenStream>,
    /// Methods with a role; several of one role have conditions, all of them.
    pub(crate) handlers: Vec<Handler<'a>>,
    pub(crate) checksum: String,
    /// Where `file!()` would name directories of this machine.
    pub(crate) file: Option<String>,
}

impl Change<'_> {
    pub(crate) fn facade(&self) -> &Path {
        &self.args.facade
    }

    pub(crate) fn handlers_of(&self, role: Role) -> impl Iterator<Item = &Handler<'_>> {
        self.handlers.iter().filter(move |handler| handler.role == role)
    }
}

/// Checks everything, and goes on after each mistake.
pub(crate) fn validate<'a>(
    args: &'a Args,
    block: &'a Block,
    place: &Place,
    mistakes: &mut Mistakes,
) -> Option<Change<'a>> {
    check_block(block, mistakes);
    let handlers = handlers(block, mistakes);
    check_count(block, &handlers, mistakes);
    let parts = handlers.iter().map(|handler| (handler.role.name(), handler.method));
    let checksum = checksum(parts.map(|(role, method)| (role, method.normal_form())));
    Some(Change {
        id: args.id.as_deref()?,
        target_system: args.target_system.as_deref()?,
        description: args.description.clone().or_else(|| documentation(&block.attributes)),
        conditions: conditions(&block.attributes),
        file: place.relative(),
        args,
        block,
        handlers,
        checksum,
    })
}

/// Whether the block is an `impl` of a type and of nothing else.
pub(crate) fn is_plain(block: &Block) -> bool {
    block.generics.params.is_empty() && block.trait_.is_none() && matches!(block.self_type, Type::Path(_))
}

fn check_block(block: &Block, mistakes: &mut Mistakes) {
    let Block { generics, trait_, self_type, .. } = block;
    if let Some((name, for_token)) = trait_ {
        mistakes.at(
            quote::quote!(#name #for_token),
            "`#[change(..)]` goes on the type's own `impl` block, not on the `impl` of a trait",
        );
    } else if !matches!(self_type, Type::Path(_)) {
        mistakes.at(self_type, "a change is a type of its own: `pub struct AddTrackingCode;`");
    }
    if !generics.params.is_empty() {
        mistakes.at(&generics.params, "a change is not generic: it runs once");
    }
    if let Some(clause) = &generics.where_clause {
        mistakes.at(clause, "a change has no `where` clause: it is not generic");
    }
}

fn handlers<'a>(block: &'a Block, mistakes: &mut Mistakes) -> Vec<Handler<'a>> {
    let mut handlers = Vec::new();
    for item in &block.items {
        match item {
            Item::Method(method) => {
                if let Some(role) = role(method, mistakes) {
                    handlers.push(Handler::new(role, method, &block.self_type, mistakes));
                }
            }
            Item::Other(other) => {
                let helpers = other.attributes.iter().filter_map(|helper| Some((helper, Role::of(helper)?)));
                for (helper, role) in helpers {
                    mistakes.at(helper, format!("`#[{}]` goes on a function with a body", role.name()));
                }
            }
        }
    }
    handlers.sort_by_key(|handler| Role::ALL.iter().position(|role| *role == handler.role));
    handlers
}

/// The one role of a method.
fn role(method: &Method, mistakes: &mut Mistakes) -> Option<Role> {
    let mut found = None;
    for attribute in &method.attributes {
        if let Some(role) = Role::within_cfg_attr(attribute) {
            let name = role.name();
            mistakes.at(
                attribute,
                format!("`#[{name}]` is not conditional by itself: put `#[cfg(..)] #[{name}]` on the method"),
            );
        }
        let Some(role) = Role::of(attribute) else { continue };
        if !matches!(attribute.meta, Meta::Path(_)) {
            mistakes.at(attribute, format!("`#[{}]` takes no arguments", role.name()));
        }
        match found {
            None => found = Some(role),
            Some(first) if first == role => {
                mistakes.at(attribute, format!("`#[{}]` stands here twice", role.name()));
            }
            Some(first) => mistakes
                .at(attribute, format!("a method has one role: it is under `#[{}]` already", first.name())),
        }
    }
    found
}

fn check_count(block: &Block, handlers: &[Handler<'_>], mistakes: &mut Mistakes) {
    for role in Role::ALL {
        let same: Vec<_> = handlers.iter().filter(|handler| handler.role == role).collect();
        // Of several under conditions the compiler sees at most one, or generated code says so.
        if same.iter().all(|handler| !handler.conditions.is_empty()) {
            continue;
        }
        for second in same.iter().skip(1) {
            mistakes.at(second.name, format!("a second `#[{}]`: a change has one", role.name()));
        }
    }
    // A helper attribute on the wrong kind of item is one mistake, not two.
    let misplaced = |item: &Item| matches!(item, Item::Other(other) if other.has_role(Role::Apply));
    let is_missing = !handlers.iter().any(|handler| handler.role == Role::Apply);
    if is_missing && !block.items.iter().any(misplaced) {
        mistakes.at(
            &block.self_type,
            "no method is under `#[apply]`: exactly one is, the one that makes the change",
        );
    }
}

/// The doc comment on the block, on one line.
fn documentation(attributes: &[Attribute]) -> Option<String> {
    let mut words = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(literal) = &pair.value else { continue };
        let Lit::Str(text) = &literal.lit else { continue };
        let text = text.value();
        let is_block = text.contains('\n');
        for line in text.lines().map(str::trim) {
            // The frame of a `/** .. */` comment.
            let line = if is_block { line.trim_start_matches('*').trim_start() } else { line };
            words.extend((!line.is_empty()).then(|| line.to_owned()));
        }
    }
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn the_doc_comment_becomes_one_line() {
        let attributes: [Attribute; 5] = [
            parse_quote!(#[doc = " Orders need a code"]),
            parse_quote!(#[doc = " before shipping."]),
            parse_quote!(#[doc = ""]),
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[doc = "   * an item "]),
        ];
        assert_eq!(
            documentation(&attributes).as_deref(),
            Some("Orders need a code before shipping. * an item")
        );
        assert_eq!(documentation(&attributes[2..4]), None);
    }

    #[test]
    fn the_frame_of_a_block_comment_is_left_out() {
        let attribute = parse_quote!(#[doc = "\n * Orders need\n * a code.\n "]);
        assert_eq!(documentation(&[attribute]).as_deref(), Some("Orders need a code."));
    }
}
