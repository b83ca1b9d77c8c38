use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    AngleBracketedGenericArguments, Attribute, FnArg, GenericArgument, Lifetime, Pat, PatType, PathArguments,
    Type, TypeReference,
};

use super::statics::static_type;
use crate::mistakes::Mistakes;

/// How a parameter is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shared,
    OptionalShared,
    Exclusive,
}

/// A parameter that the runner can fill.
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Without the reference and without open lifetimes.
    pub(crate) ty: Type,
    pub(crate) span: Span,
}

/// The parameters in their order, or what is wrong with them.
pub(crate) fn params<'a>(
    inputs: impl IntoIterator<Item = &'a FnArg>,
    self_type: &Type,
    mistakes: &mut Mistakes,
) -> Vec<Param> {
    let mut params: Vec<Param> = Vec::new();
    for input in inputs {
        let param = match input {
            FnArg::Receiver(receiver) => {
                mistakes
                    .at(receiver, "a method of a change has no `self`: what it needs comes as parameters");
                continue;
            }
            FnArg::Typed(param) => param,
        };
        let Some(read) = read(param, self_type, mistakes) else { continue };
        if read.kind == Kind::Exclusive && params.iter().any(|other| other.kind == Kind::Exclusive) {
            mistakes.at(
                param,
                "a second `&mut` parameter: `&mut` takes the session of the change's target system, and there is one",
            );
        }
        params.push(read);
    }
    params
}

fn read(param: &PatType, self_type: &Type, mistakes: &mut Mistakes) -> Option<Param> {
    if let Some(attribute) = param.attrs.iter().find(|attribute| is_condition(attribute)) {
        mistakes
            .at(attribute, "a parameter of a change cannot be conditional: put the condition on the method");
    }
    let name = name(&param.pat, mistakes);
    let taken = taken(&param.ty, mistakes);
    let (name, (kind, ty)) = (name?, taken?);
    Some(Param { name, kind, ty: static_type(ty, self_type), span: param.ty.span() })
}

fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr")
}

fn name(pattern: &Pat, mistakes: &mut Mistakes) -> Option<String> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            Some(name.ident.unraw().to_string())
        }
        _ => {
            mistakes.at(pattern, "a parameter of a change is a plain name: `db: &mut PgConnection`");
            None
        }
    }
}

/// How a parameter is taken, and the type behind the reference.
fn taken<'a>(ty: &'a Type, mistakes: &mut Mistakes) -> Option<(Kind, &'a Type)> {
    let ty = bare(ty);
    if let Type::Reference(reference) = ty {
        let inner = behind(reference, mistakes)?;
        let kind = if reference.mutability.is_some() { Kind::Exclusive } else { Kind::Shared };
        if kind == Kind::Exclusive && matches!(inner, Type::TraitObject(_) | Type::Slice(_)) {
            mistakes.at(inner, "`&mut` takes a session by its own type, such as `&mut PgConnection`");
            return None;
        }
        return Some((kind, inner));
    }
    let Some(arguments) = optional(ty) else {
        return by_value(ty, mistakes);
    };
    let argument = arguments.args.first().and_then(|argument| match argument {
        GenericArgument::Type(ty) => Some(bare(ty)),
        _ => None,
    });
    match argument {
        Some(Type::Reference(reference)) if reference.mutability.is_none() => {
            Some((Kind::OptionalShared, behind(reference, mistakes)?))
        }
        Some(Type::Reference(reference)) => {
            mistakes.at(
                reference,
                "the session of the target system is never optional: take `&mut T` without `Option`",
            );
            None
        }
        _ => {
            mistakes.at(ty, "an optional dependency is taken as `Option<&T>`");
            None
        }
    }
}

fn by_value<T>(ty: &Type, mistakes: &mut Mistakes) -> Option<T> {
    if let Type::ImplTrait(_) = ty {
        mistakes.at(ty, NO_IMPL_TRAIT);
        return None;
    }
    mistakes.at(
        ty,
        "a change gets nothing by value: take `&T` for a dependency, `&mut T` for the session of the target system",
    );
    None
}

const NO_IMPL_TRAIT: &str = "parameters are found by their type, which `impl Trait` does not name: take `&dyn Trait` or a concrete type";

/// The type behind a reference.
fn behind<'a>(reference: &'a TypeReference, mistakes: &mut Mistakes) -> Option<&'a Type> {
    if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| is_named(lifetime)) {
        mistakes.at(lifetime, "the reference lives as long as the call: leave the lifetime out");
        return None;
    }
    let inner = bare(&reference.elem);
    if let Type::ImplTrait(_) = inner {
        mistakes.at(inner, NO_IMPL_TRAIT);
        return None;
    }
    Some(inner)
}

fn is_named(lifetime: &Lifetime) -> bool {
    lifetime.ident != "_"
}

/// The arguments of `Option<..>`, if the type is spelt so.
fn optional(ty: &Type) -> Option<&AngleBracketedGenericArguments> {
    let Type::Path(path) = ty else { return None };
    let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if !matches!(names[..], ["Option"] | ["std" | "core", "option", "Option"]) {
        return None;
    }
    match &path.path.segments.last()?.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments),
        _ => None,
    }
}

/// Without parentheses, and without the invisible ones around what a `macro_rules!` macro was given.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => bare(&paren.elem),
        Type::Group(group) => bare(&group.elem),
        _ => ty,
    }
}
