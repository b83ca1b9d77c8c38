//! `#[test]`: an async test with databases of its own.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, FnArg, ItemFn, Meta, MetaNameValue, Path, Signature, Token, Type, parse_quote,
};

use crate::mistakes::Mistakes;
use crate::{pairs, value};

const KEYS: &str = "`changes`, `service`, `url`, `env`, `harness` and `crate`";

/// What stands in `#[test(..)]`.
struct Args {
    changes: Option<Expr>,
    service: Option<String>,
    url: Option<String>,
    env: Option<String>,
    /// Whether the standard harness runs it.
    harness: bool,
    facade: Path,
}

/// The function under the standard harness, or with what is wrong with it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let args = Args::parse(arguments, &mut mistakes);
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            mistakes.at_span(error.span(), "`#[flamingock::test]` goes on an `async fn`");
            let errors = mistakes.into_compile_errors();
            return quote!(#item #errors);
        }
    };
    check(&function, &mut mistakes);
    let types = types(&function.sig, &mut mistakes);
    if !mistakes.is_empty() {
        let errors = mistakes.into_compile_errors();
        return quote!(#function #errors);
    }
    args.test(function, &types)
}

impl Args {
    fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self {
            changes: None,
            service: None,
            url: None,
            env: None,
            harness: true,
            facade: parse_quote!(::flamingock),
        };
        let seen = pairs::read(tokens, "`changes = CHANGES`", mistakes, |key, name, value| {
            args.set(key, name, value)
        });
        let has = |name: &str| seen.iter().any(|key| key == name);
        if has("url") && has("env") {
            mistakes
                .at_span(Span::call_site(), "`url` and `env` both say where the server is: leave one out");
        }
        if has("service") && !has("changes") {
            mistakes.at_span(Span::call_site(), "`service` says whose `changes` are applied: there are none");
        }
        args
    }

    fn set(&mut self, key: &Ident, name: &str, value: TokenStream) -> syn::Result<()> {
        match name {
            "changes" => {
                let message = "the value of `changes` is a change set: `changes = CHANGES`";
                let changes = syn::parse2(value.clone()).map_err(|_| Error::new_spanned(value, message))?;
                self.changes = Some(changes);
            }
            "service" => self.service = Some(value::word(name, value)?),
            "url" => self.url = Some(value::word(name, value)?),
            "env" => self.env = Some(value::word(name, value)?),
            "harness" => self.harness = value::boolean(name, value)?,
            "crate" => self.facade = value::path(name, value)?,
            _ => {
                let message = format!("there is no key `{name}`: the keys are {KEYS}");
                return Err(Error::new_spanned(key, message));
            }
        }
        Ok(())
    }

    fn test(&self, mut function: ItemFn, types: &[Type]) -> TokenStream {
        let database = {
            let facade = &self.facade;
            quote!(#facade::testing::database)
        };
        let mut options = quote!(#database::Options::new());
        if let Some(changes) = &self.changes {
            options.extend(quote_spanned!(changes.span()=> .changes(#changes)));
        }
        for (name, text) in [("service", &self.service), ("url", &self.url), ("env", &self.env)] {
            let name = Ident::new(name, Span::call_site());
            options.extend(text.as_ref().map(|text| quote!(.#name(#text))));
        }
        let expected = expected_panic(&function.attrs);
        options.extend(expected.map(|expected| quote!(.should_panic(#expected))));
        let harness = self.harness.then(|| quote!(#[::core::prelude::v1::test]));
        let attributes = std::mem::take(&mut function.attrs);
        let visibility = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
        let name = &function.sig.ident;
        let opened = types.iter().map(|ty| quote_spanned!(ty.span()=> databases.open::<#ty>().await?));
        quote! {
            #(#attributes)*
            #harness
            #visibility fn #name() {
                #function
                #database::run(#options, async |databases: &mut #database::Databases| {
                    let _ = &databases;
                    ::core::result::Result::<_, #database::BoxError>::Ok(#name(#(#opened),*).await)
                })
            }
        }
    }
}

fn check(function: &ItemFn, mistakes: &mut Mistakes) {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        mistakes.at(signature.fn_token, "a test with databases of its own is `async`: `async fn`");
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        mistakes.at(&generics.params, "a test is not generic");
    }
    if let Some(abi) = &signature.abi {
        mistakes.at(abi, "a test is a plain Rust function, without `extern`");
    }
    let is_test = |path: &Path| path.segments.last().is_some_and(|last| last.ident == "test");
    if let Some(other) = function.attrs.iter().find(|attribute| is_test(attribute.path())) {
        mistakes.at(other, "`#[flamingock::test]` makes the function a test: remove the other attribute");
    }
}

/// What the panic of a test with `#[should_panic]` is to say: nothing in particular, or the text there.
fn expected_panic(attributes: &[Attribute]) -> Option<TokenStream> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("should_panic"))?;
    let text = match &attribute.meta {
        Meta::Path(_) => None,
        Meta::NameValue(pair) => Some(pair.value.to_token_stream()),
        // The compiler refuses all but `expected = ".."`.
        Meta::List(list) => list
            .parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated)
            .ok()
            .and_then(|pairs| Some(pairs.first()?.value.to_token_stream())),
    };
    Some(text.unwrap_or_else(|| quote!("")))
}

/// The types of the parameters.
fn types(signature: &Signature, mistakes: &mut Mistakes) -> Vec<Type> {
    let mut types = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => mistakes.at(receiver, "a test has no `self`"),
            FnArg::Typed(param) => match &*param.ty {
                Type::Reference(reference) => {
                    mistakes.at(reference, "a test takes its databases by value: `pool: PgPool`");
                }
                ty => types.push(ty.clone()),
            },
        }
    }
    types
}
