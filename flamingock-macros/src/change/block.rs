use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, Generics, Signature, Token, Type, Visibility, token};

use super::role::Role;
use crate::checksum::normal_form;

/// An `impl` block whose bodies are left as they are: a mistake in one is the compiler's to report,
/// and code that is being typed still gets the editor's help.
pub(crate) struct Block {
    pub(crate) attributes: Vec<Attribute>,
    unsafety: Option<Token![unsafe]>,
    pub(crate) impl_token: Token![impl],
    pub(crate) generics: Generics,
    pub(crate) trait_: Option<(TokenStream, Token![for])>,
    pub(crate) self_type: Type,
    braces: Span,
    inner_attributes: Vec<Attribute>,
    pub(crate) items: Vec<Item>,
}

pub(crate) enum Item {
    Method(Box<Method>),
    Other(Other),
}

/// A function of the block.
pub(crate) struct Method {
    pub(crate) attributes: Vec<Attribute>,
    visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

/// Anything else in the block.
pub(crate) struct Other {
    pub(crate) attributes: Vec<Attribute>,
    tokens: TokenStream,
}

impl Method {
    /// What its checksum is taken of: not its documentation, role or visibility.
    pub(crate) fn normal_form(&self) -> Vec<u8> {
        let attributes = self.attributes.iter().filter(|attribute| Role::of(attribute).is_none());
        let Self { signature, body, .. } = self;
        normal_form(quote!(#(#attributes)* #signature #body))
    }
}

impl Other {
    pub(crate) fn has_role(&self, role: Role) -> bool {
        self.attributes.iter().any(|attribute| Role::of(attribute) == Some(role))
    }
}

/// Reads the item under the attribute.
pub(crate) fn parse(item: TokenStream) -> syn::Result<Block> {
    Block::parse.parse2(item)
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        if !(input.peek(Token![impl]) || input.peek(Token![unsafe]) && input.peek2(Token![impl])) {
            return Err(not_an_impl(input));
        }
        let unsafety = input.parse()?;
        let impl_token = input.parse()?;
        let mut generics = if input.peek(Token![<]) { input.parse()? } else { Generics::default() };
        let mut self_type: Type = input.parse()?;
        let mut trait_ = None;
        if input.peek(Token![for]) {
            trait_ = Some((self_type.into_token_stream(), input.parse()?));
            self_type = input.parse()?;
        }
        generics.where_clause = input.parse()?;
        let group: Group = input.parse()?;
        let (inner_attributes, items) = contents.parse2(group.stream())?;
        Ok(Self {
            attributes,
            unsafety,
            impl_token,
            generics,
            trait_,
            self_type,
            braces: group.span(),
            inner_attributes,
            items,
        })
    }
}

/// Shows the form that is expected, with the name that stands there.
fn not_an_impl(input: ParseStream<'_>) -> Error {
    let place = input.fork().parse::<TokenTree>().map_or_else(|_| Span::call_site(), |token| token.span());
    let name = type_name(input).map_or_else(|| "AddTrackingCode".to_owned(), |name| name.to_string());
    Error::new(
        place,
        format!(
            "`#[change(..)]` goes on an `impl` block: `impl {name} {{ #[apply] async fn apply(..) -> ChangeResult {{ .. }} }}`"
        ),
    )
}

/// The name of a struct, an enum or a union.
fn type_name(input: ParseStream<'_>) -> Option<Ident> {
    let ahead = input.fork();
    ahead.parse::<Visibility>().ok()?;
    let is_type = ahead.peek(Token![struct]) || ahead.peek(Token![enum]) || ahead.peek(Token![union]);
    ahead.call(Ident::parse_any).ok()?;
    is_type.then(|| ahead.parse().ok()).flatten()
}

fn contents(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Vec<Item>)> {
    let attributes = input.call(Attribute::parse_inner)?;
    let mut items = Vec::new();
    while !input.is_empty() {
        items.push(input.parse()?);
    }
    Ok((attributes, items))
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let ahead = input.fork();
        if let Ok((visibility, signature)) = function_head(&ahead)
            && ahead.peek(token::Brace)
        {
            input.advance_to(&ahead);
            let body = input.parse()?;
            return Ok(Self::Method(Box::new(Method { attributes, visibility, signature, body })));
        }
        Ok(Self::Other(Other { attributes, tokens: other(input)? }))
    }
}

fn function_head(input: ParseStream<'_>) -> syn::Result<(Visibility, Signature)> {
    Ok((input.parse()?, input.parse()?))
}

/// Takes an item without looking into it: up to `;`, or up to braces that are not a value.
fn other(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    let mut is_value = false;
    while !input.is_empty() {
        let token: TokenTree = input.parse()?;
        let ends = match &token {
            TokenTree::Punct(punct) => {
                is_value |= punct.as_char() == '=';
                punct.as_char() == ';'
            }
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_value,
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        tokens.extend([token]);
        if ends {
            break;
        }
    }
    Ok(tokens)
}

impl ToTokens for Block {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, unsafety, impl_token, generics, self_type, inner_attributes, items, .. } =
            self;
        let where_clause = &generics.where_clause;
        let trait_ = self.trait_.as_ref().map(|(name, for_token)| quote!(#name #for_token));
        let mut body = Group::new(Delimiter::Brace, quote!(#(#inner_attributes)* #(#items)*));
        body.set_span(self.braces);
        tokens.extend(quote! {
            #(#attributes)* #unsafety #impl_token #generics #trait_ #self_type #where_clause #body
        });
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Method(method) => {
                let Method { attributes, visibility, signature, body } = method.as_ref();
                tokens.extend(quote!(#(#attributes)* #visibility #signature #body));
            }
            Self::Other(Other { attributes, tokens: other }) => tokens.extend(quote!(#(#attributes)* #other)),
        }
    }
}
