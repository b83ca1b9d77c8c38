//! `key = value, ..`: what stands in the brackets of an attribute.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Token};

use crate::mistakes::Mistakes;

/// Reads what can be read; everything else is a mistake of its own. Returns the keys that were given.
pub(crate) fn read(
    tokens: TokenStream,
    example: &str,
    mistakes: &mut Mistakes,
    mut set: impl FnMut(&Ident, &str, TokenStream) -> syn::Result<()>,
) -> Vec<String> {
    let pairs = |input: ParseStream<'_>| parse(input, example);
    let pairs = pairs.parse2(tokens).unwrap_or_else(|error| vec![Err(error)]);
    let mut seen = Vec::new();
    for pair in pairs {
        let Some((key, value)) = mistakes.take(pair) else { continue };
        let name = key.unraw().to_string();
        if seen.contains(&name) {
            mistakes.at(&key, format!("`{name}` is given twice"));
            continue;
        }
        if value.is_empty() {
            mistakes.at(&key, format!("`{name}` needs a value: `{name} = ..`"));
        } else {
            mistakes.take(set(&key, &name, value));
        }
        seen.push(name);
    }
    seen
}

/// `key = value` pairs, each with what is wrong about it; without a value the tokens are empty.
fn parse(input: ParseStream<'_>, example: &str) -> syn::Result<Vec<syn::Result<(Ident, TokenStream)>>> {
    let mut pairs = Vec::new();
    while !input.is_empty() {
        pairs.push(pair(input, example));
        // A mistake ends at the next comma, so that the pairs after it are looked at too.
        value_tokens(input)?;
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(pairs)
}

fn pair(input: ParseStream<'_>, example: &str) -> syn::Result<(Ident, TokenStream)> {
    let start = input.span();
    let Ok(key) = input.call(Ident::parse_any) else {
        return Err(Error::new(start, format!("expected `key = value`, such as {example}")));
    };
    let has_value = input.parse::<Token![=]>().is_ok();
    let value = value_tokens(input)?;
    Ok((key, if has_value { value } else { TokenStream::new() }))
}

fn value_tokens(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}
