use std::time::Duration;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use super::args::Args;
use super::block::Block;
use super::method::Handler;
use super::params::{Kind, Param};
use super::role::{Role, conditions};
use super::validate::Change;
use crate::value::Recovery;

/// Everything that stands beside the `impl` block.
pub(crate) fn expand(change: &Change<'_>) -> TokenStream {
    let facade = change.facade();
    let private = quote!(#facade::__private);
    let named = named(change.args, change.block);
    let wrappers = change.handlers.iter().map(|handler| wrapper(change, handler, &private));
    let clashes = Role::ALL.into_iter().map(|role| clashes(change, role));
    let entry = entry(change, &private);
    let cfgs = cfgs(&change.conditions);
    quote! {
        #named
        #cfgs
        const _: () = {
            #(#wrappers)*
            #(#clashes)*
            const __FLAMINGOCK_ENTRY: #private::ChangeEntry = #entry;
            #private::inventory::submit! { __FLAMINGOCK_ENTRY }
        };
    }
}

/// The type's id; implementing it twice is what stops a second `#[change]` on one type.
pub(crate) fn named(args: &Args, block: &Block) -> TokenStream {
    let Block { self_type, .. } = block;
    let facade = &args.facade;
    let id = args.id.as_deref().unwrap_or_default();
    let cfgs = cfgs(&conditions(&block.attributes));
    quote! {
        #cfgs
        #[automatically_derived]
        impl #facade::__private::CodeChange for #self_type {
            const ID: &'static ::core::primitive::str = #id;
        }
    }
}

/// What the runner calls: gets the parameters, calls the method, boxes what comes back.
fn wrapper(change: &Change<'_>, handler: &Handler<'_>, private: &TokenStream) -> TokenStream {
    let self_type = &change.block.self_type;
    let Handler { name, params, conditions, .. } = handler;
    let (function, body) = function_names(handler);
    let cfgs = cfgs(conditions);
    let value = value_type(handler.role, private);
    let arguments = params.iter().map(argument);
    let has_session = params.iter().any(|param| param.kind == Kind::Exclusive);
    let session = if has_session { quote!(session) } else { quote!(_) };
    let has_dependencies = params.iter().any(|param| param.kind != Kind::Exclusive);
    let dependencies = if has_dependencies { quote!(dependencies) } else { quote!(_) };
    let wait = handler.is_async.then(|| quote!(.await));
    // Located at the return type: that is where the compiler points when it does not fit.
    let finish = located(&quote!(#private::finish::<#value>(output)), handler.output);
    let asyncness = handler.is_async.then(|| quote!(async));
    let body_name = if handler.is_async { &body } else { &function };
    let body = quote! {
        #cfgs
        #asyncness fn #body_name(
            invocation: #private::Invocation<'_>,
        ) -> ::core::result::Result<#value, #private::MethodError> {
            let (#session, #dependencies) = #private::Invocation::split(invocation);
            let output = <#self_type>::#name(#(#arguments),*)#wait;
            #finish
        }
    };
    if !handler.is_async {
        return body;
    }
    // Located at the method: that is where the compiler points when its future is not `Send`.
    let boxed = located(&quote!(::std::boxed::Box::pin(#body_name(invocation))), name.span());
    quote! {
        #body
        #cfgs
        fn #function<'a>(invocation: #private::Invocation<'a>) -> #private::MethodFuture<'a, #value> {
            #boxed
        }
    }
}

fn argument(param: &Param) -> TokenStream {
    let Param { name, kind, ty, span } = param;
    match kind {
        Kind::Exclusive => quote_spanned!(at(*span)=> session.exclusive::<#ty>(#name)?),
        Kind::Shared => quote_spanned!(at(*span)=> dependencies.shared::<#ty>(#name)?),
        Kind::OptionalShared => quote_spanned!(at(*span)=> dependencies.optional::<#ty>()),
    }
}

fn entry(change: &Change<'_>, private: &TokenStream) -> TokenStream {
    let Change { args, id, target_system, checksum, .. } = change;
    let order = option(args.order.as_ref().map(|order| quote!(#order)));
    let author = option(args.author.as_ref().map(|author| quote!(#author)));
    let description = option(change.description.as_ref().map(|text| quote!(#text)));
    let transactional = option(args.transactional.map(|value| quote!(#value)));
    let recovery = match args.recovery {
        Recovery::ManualIntervention => quote!(#private::RecoveryStrategy::ManualIntervention),
        Recovery::AlwaysRetry => quote!(#private::RecoveryStrategy::AlwaysRetry),
    };
    let stage = option(args.stage.as_ref().map(|stage| quote!(#stage)));
    let profiles = &args.profiles;
    let timeout = option(args.timeout.map(duration));
    let file = change.file.as_ref().map_or_else(|| quote!(::core::file!()), |file| quote!(#file));
    let methods = Role::ALL.into_iter().map(|role| methods(change, role, private));
    quote! {
        #private::ChangeEntry {
            id: #id,
            order: #order,
            target_system: #target_system,
            author: #author,
            description: #description,
            transactional: #transactional,
            recovery: #recovery,
            stage: #stage,
            profiles: &[#(#profiles),*],
            timeout: #timeout,
            checksum: #checksum,
            file: #file,
            line: ::core::line!(),
            module: ::core::module_path!(),
            #(#methods)*
        }
    }
}

/// The entry's field of a role: once for each method that may be there, once for none.
fn methods(change: &Change<'_>, role: Role, private: &TokenStream) -> TokenStream {
    let field = format_ident!("{}", role.name());
    let mut fields = TokenStream::new();
    let mut present = Vec::new();
    for handler in change.handlers_of(role) {
        let method = method(handler, private);
        let value = if role == Role::Apply { method } else { option(Some(method)) };
        if handler.conditions.is_empty() {
            return quote!(#field: #value,);
        }
        let condition = all(&handler.conditions);
        // Two that hold together are one error already, see `clashes`.
        fields.extend(quote!(#[cfg(all(#condition, not(any(#(#present),*))))] #field: #value,));
        present.push(condition);
    }
    let absent = quote!(#[cfg(not(any(#(#present),*)))]);
    let message = "no `#[apply]` is left: the conditions on it are all off";
    let value = if role == Role::Apply { quote!(::core::compile_error!(#message)) } else { option(None) };
    fields.extend(quote!(#absent #field: #value,));
    fields
}

fn method(handler: &Handler<'_>, private: &TokenStream) -> TokenStream {
    let params = handler.params.iter().map(|param| {
        let Param { name, kind, ty, span } = param;
        let kind = match kind {
            Kind::Shared => quote!(Shared),
            Kind::OptionalShared => quote!(OptionalShared),
            Kind::Exclusive => quote!(Exclusive),
        };
        let line = u32::try_from(span.start().line).unwrap_or_default();
        quote! {
            #private::ParamEntry {
                name: #name,
                kind: #private::ParamKind::#kind,
                type_id: ::core::any::TypeId::of::<#ty>,
                type_name: ::core::any::type_name::<#ty>,
                line: #line,
            }
        }
    });
    let (function, _) = function_names(handler);
    let body = if handler.is_async { quote!(Async) } else { quote!(Blocking) };
    quote!(#private::MethodEntry { params: &[#(#params),*], body: #private::BodyEntry::#body(#function) })
}

/// An error for each two methods of one role whose conditions hold together.
fn clashes(change: &Change<'_>, role: Role) -> TokenStream {
    let handlers: Vec<_> = change.handlers_of(role).collect();
    let mut clashes = TokenStream::new();
    for (index, second) in handlers.iter().enumerate() {
        for first in &handlers[..index] {
            let (first, condition) = (all(&first.conditions), all(&second.conditions));
            let message = format!("a second `#[{}]`: a change has one", role.name());
            let error = quote_spanned!(second.name.span()=> ::core::compile_error!(#message););
            clashes.extend(quote!(#[cfg(all(#first, #condition))] #error));
        }
    }
    clashes
}

/// Names of what is generated for a method: what the runner calls, and what an `async` one boxes.
fn function_names(handler: &Handler<'_>) -> (Ident, Ident) {
    let (role, name) = (handler.role.name(), handler.name.unraw());
    (format_ident!("__flamingock_{role}_{name}"), format_ident!("__flamingock_{role}_{name}_body"))
}

fn value_type(role: Role, private: &TokenStream) -> TokenStream {
    match role {
        Role::Apply | Role::Rollback => quote!(()),
        Role::Verify => quote!(#private::TargetState),
    }
}

fn cfgs(conditions: &[TokenStream]) -> TokenStream {
    quote!(#(#[cfg(#conditions)])*)
}

fn all(conditions: &[TokenStream]) -> TokenStream {
    quote!(all(#(#conditions),*))
}

fn option(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(
        || quote!(::core::option::Option::None),
        |value| quote!(::core::option::Option::Some(#value)),
    )
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanoseconds))
}

/// Tokens that the compiler takes for the user's when it reports errors.
fn located(tokens: &TokenStream, span: Span) -> TokenStream {
    let relocate = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), located(&group.stream(), span)).into();
        }
        token.set_span(at(span));
        token
    };
    tokens.clone().into_iter().map(relocate).collect()
}

/// The user's place, but names resolve as in all generated code and lints leave it alone.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}
