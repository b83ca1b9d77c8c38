use proc_macro2::{Ident, Span};
use syn::visit_mut::{self, VisitMut};
use syn::{Lifetime, ParenthesizedGenericArguments, Path, QSelf, Type, TypeFnPtr, TypePath, TypeReference};

/// The type as code outside the `impl` block names it, with every lifetime that is left open
/// `'static`: that is the type which has a `TypeId`.
pub(crate) fn static_type(ty: &Type, self_type: &Type) -> Type {
    let mut ty = ty.clone();
    Statics { self_type }.visit_type_mut(&mut ty);
    ty
}

struct Statics<'a> {
    self_type: &'a Type,
}

impl VisitMut for Statics<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            lifetime.ident = Ident::new("static", lifetime.ident.span());
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime.get_or_insert_with(|| Lifetime::new("'static", Span::call_site()));
        visit_mut::visit_type_reference_mut(self, reference);
    }

    // Lifetimes left open in these belong to each call.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {}

    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(path) = ty
            && path.qself.is_none()
            && path.path.is_ident("Self")
        {
            *ty = self.self_type.clone();
            return;
        }
        visit_mut::visit_type_mut(self, ty);
    }

    /// `Self::Name` is `<Type>::Name` outside the block.
    fn visit_type_path_mut(&mut self, path: &mut TypePath) {
        let starts_with_self = path.path.segments.first().is_some_and(|first| first.ident == "Self");
        if path.qself.is_none() && starts_with_self {
            let segments = path.path.segments.iter().skip(1).cloned().collect();
            path.path = Path { leading_colon: Some(Default::default()), segments };
            path.qself = Some(QSelf {
                lt_token: Default::default(),
                ty: Box::new(self.self_type.clone()),
                position: 0,
                as_token: None,
                gt_token: Default::default(),
            });
        }
        visit_mut::visit_type_path_mut(self, path);
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::parse_quote;

    use super::*;

    fn check(ty: Type, expected: Type) {
        let actual = static_type(&ty, &parse_quote!(a::Foo));
        assert_eq!(actual.to_token_stream().to_string(), expected.to_token_stream().to_string());
    }

    #[test]
    fn open_lifetimes_become_static() {
        check(parse_quote!(Transaction<'_, Postgres>), parse_quote!(Transaction<'static, Postgres>));
        check(parse_quote!(Vec<&str>), parse_quote!(Vec<&'static str>));
        check(parse_quote!(Box<dyn Clock + '_>), parse_quote!(Box<dyn Clock + 'static>));
        check(parse_quote!([&'_ (A<'_>, B); 2]), parse_quote!([&'static (A<'static>, B); 2]));
    }

    #[test]
    fn lifetimes_of_each_call_stay() {
        check(parse_quote!(fn(&str) -> &str), parse_quote!(fn(&str) -> &str));
        check(parse_quote!(dyn Fn(&str) -> A<'_> + Send), parse_quote!(dyn Fn(&str) -> A<'_> + Send));
        check(parse_quote!(dyn for<'a> Get<'a>), parse_quote!(dyn for<'a> Get<'a>));
    }

    #[test]
    fn self_becomes_the_type() {
        check(parse_quote!(Self), parse_quote!(a::Foo));
        check(parse_quote!(Vec<Self>), parse_quote!(Vec<a::Foo>));
        check(parse_quote!(Self::Item), parse_quote!(<a::Foo>::Item));
    }
}
