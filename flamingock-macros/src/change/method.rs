use proc_macro2::{Ident, Span, TokenStream};
use syn::spanned::Spanned;
use syn::{GenericParam, ReturnType, Safety, Signature, Type};

use super::block::Method;
use super::params::{Param, params};
use super::role::{Role, conditions};
use crate::mistakes::Mistakes;

/// A method with a role, as generated code needs it.
pub(crate) struct Handler<'a> {
    pub(crate) role: Role,
    pub(crate) name: &'a Ident,
    pub(crate) is_async: bool,
    pub(crate) params: Vec<Param>,
    /// Where errors about what it returns are to point.
    pub(crate) output: Span,
    /// Predicates of its `#[cfg(..)]`s.
    pub(crate) conditions: Vec<TokenStream>,
    pub(crate) method: &'a Method,
}

impl<'a> Handler<'a> {
    pub(crate) fn new(role: Role, method: &'a Method, self_type: &Type, mistakes: &mut Mistakes) -> Self {
        let signature = &method.signature;
        check_qualifiers(signature, mistakes);
        check_generics(signature, mistakes);
        let params = params(&signature.inputs, self_type, mistakes);
        let output = output(role, signature, mistakes);
        Self {
            role,
            name: &signature.ident,
            is_async: signature.asyncness.is_some(),
            params,
            output,
            conditions: conditions(&method.attributes),
            method,
        }
    }
}

fn check_qualifiers(signature: &Signature, mistakes: &mut Mistakes) {
    if let Safety::Unsafe(token) = &signature.safety {
        mistakes
            .at(token, "a method of a change is not `unsafe`: put what is unsafe into a block in its body");
    }
    if let Some(abi) = &signature.abi {
        mistakes.at(abi, "a method of a change is a plain Rust function, without `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        mistakes.at(variadic, "a method of a change takes a fixed number of parameters");
    }
}

fn check_generics(signature: &Signature, mistakes: &mut Mistakes) {
    for param in &signature.generics.params {
        match param {
            GenericParam::Lifetime(_) => {
                mistakes.at(
                    param,
                    "a method of a change declares no lifetimes: leave them out of its references",
                );
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {
                mistakes.at(
                    param,
                    "a method of a change is not generic: its parameters are found by their types",
                );
            }
        }
    }
    if let Some(clause) = &signature.generics.where_clause {
        mistakes.at(clause, "a method of a change has no `where` clause");
    }
}

fn output(role: Role, signature: &Signature, mistakes: &mut Mistakes) -> Span {
    let expected = match role {
        Role::Apply | Role::Rollback => "`ChangeResult`, or any other `Result<(), E>`",
        Role::Verify => "`Result<TargetState, BoxError>`, or any other `Result<TargetState, E>`",
    };
    match &signature.output {
        ReturnType::Type(_, ty) if !matches!(ty.as_ref(), Type::Tuple(tuple) if tuple.elems.is_empty()) => {
            ty.span()
        }
        nothing => {
            let message = format!("`{}` returns nothing: let it return {expected}", signature.ident);
            match nothing {
                ReturnType::Type(_, ty) => mistakes.at(ty, message),
                ReturnType::Default => mistakes.at(&signature.ident, message),
            }
            Span::call_site()
        }
    }
}
