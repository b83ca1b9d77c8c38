//! One function per kind of value in `#[change(..)]` and `#[test(..)]`.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Lit, LitBool, LitStr, Path, Token, bracketed};

/// Longest text that every audit store can index, in bytes.
const LONGEST: usize = 255;

/// What `recovery` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    ManualIntervention,
    AlwaysRetry,
}

fn read<T: Parse>(tokens: TokenStream, message: impl FnOnce() -> String) -> syn::Result<T> {
    syn::parse2(tokens.clone()).map_err(|_| Error::new_spanned(tokens, message()))
}

fn string(key: &str, tokens: TokenStream) -> syn::Result<LitStr> {
    read(tokens, || format!("the value of `{key}` is a string literal: `{key} = \"..\"`"))
}

/// Text of any length.
pub(crate) fn text(key: &str, tokens: TokenStream) -> syn::Result<String> {
    let literal = string(key, tokens)?;
    without_nul(&format!("`{key}`"), &literal)
}

/// Text that is stored in a column of limited length and compared byte by byte.
pub(crate) fn word(key: &str, tokens: TokenStream) -> syn::Result<String> {
    let literal = string(key, tokens)?;
    checked(&format!("`{key}`"), &literal)
}

fn checked(what: &str, literal: &LitStr) -> syn::Result<String> {
    let text = without_nul(what, literal)?;
    let problem = if text.is_empty() {
        format!("{what} is empty")
    } else if text.len() > LONGEST {
        format!("{what} is {} bytes long, at most {LONGEST} are allowed", text.len())
    } else if text.trim() != text {
        format!("{what} begins or ends with white space")
    } else {
        return Ok(text);
    };
    Err(Error::new_spanned(literal, problem))
}

fn without_nul(what: &str, literal: &LitStr) -> syn::Result<String> {
    let text = literal.value();
    if text.contains('\0') {
        return Err(Error::new_spanned(literal, format!("{what} contains a NUL character")));
    }
    Ok(text)
}

pub(crate) fn order(tokens: TokenStream) -> syn::Result<String> {
    let message =
        || "the value of `order` is a string or an integer: `order = \"0001\"` or `order = 1`".to_owned();
    match read(tokens.clone(), message)? {
        Lit::Str(literal) => checked("`order`", &literal),
        Lit::Int(literal) if literal.suffix().is_empty() && !literal.base10_digits().starts_with('-') => {
            // `base10_digits` drops leading zeros, which the user may want to see in reports.
            let written = literal.to_string();
            let is_plain = written.bytes().all(|byte| byte.is_ascii_digit());
            Ok(if is_plain { written } else { literal.base10_digits().to_owned() })
        }
        _ => Err(Error::new_spanned(tokens, message())),
    }
}

pub(crate) fn boolean(key: &str, tokens: TokenStream) -> syn::Result<bool> {
    let literal: LitBool = read(tokens, || format!("the value of `{key}` is `true` or `false`"))?;
    Ok(literal.value)
}

pub(crate) fn recovery(tokens: TokenStream) -> syn::Result<Recovery> {
    let message =
        || "the value of `recovery` is `manual_intervention` or `always_retry`, without quotes".to_owned();
    let name: Ident = read(tokens.clone(), message)?;
    match name.to_string().as_str() {
        "manual_intervention" => Ok(Recovery::ManualIntervention),
        "always_retry" => Ok(Recovery::AlwaysRetry),
        _ => Err(Error::new_spanned(tokens, message())),
    }
}

pub(crate) fn profiles(tokens: TokenStream) -> syn::Result<Vec<String>> {
    let list = |input: ParseStream<'_>| {
        let content;
        bracketed!(content in input);
        Punctuated::<LitStr, Token![,]>::parse_terminated(&content)
    };
    let literals = list.parse2(tokens.clone()).map_err(|_| {
        Error::new_spanned(
            tokens,
            "the value of `profiles` is a list of strings: `profiles = [\"prod\", \"!test\"]`",
        )
    })?;
    literals.iter().map(profile).collect()
}

fn profile(literal: &LitStr) -> syn::Result<String> {
    let profile = checked("a name in `profiles`", literal)?;
    if profile == "!" {
        return Err(Error::new_spanned(literal, "`!` stands before the name of a profile: `\"!test\"`"));
    }
    Ok(profile)
}

pub(crate) fn timeout(tokens: TokenStream) -> syn::Result<Duration> {
    let example = "such as `timeout = \"30s\"` or `timeout = \"1h 30m\"`";
    let literal: LitStr =
        read(tokens, || format!("the value of `timeout` is a string with units, {example}"))?;
    match humantime::parse_duration(&literal.value()) {
        Ok(Duration::ZERO) => {
            Err(Error::new_spanned(literal, "`timeout` is zero: leave it out for no timeout"))
        }
        Ok(timeout) => Ok(timeout),
        Err(error) => {
            Err(Error::new_spanned(literal, format!("`timeout` is not a length of time, {example}: {error}")))
        }
    }
}

pub(crate) fn path(key: &str, tokens: TokenStream) -> syn::Result<Path> {
    Path::parse_mod_style.parse2(tokens.clone()).map_err(|_| {
        Error::new_spanned(
            tokens.into_token_stream(),
            format!(
                "the value of `{key}` is the path of the `flamingock` crate: `{key} = my_facade::flamingock`"
            ),
        )
    })
}
