//! `#[change]`: parse -> validate -> expand.

mod args;
mod block;
mod expand;
mod method;
mod params;
mod role;
mod statics;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;

use self::args::Args;
use self::block::Block;
use crate::mistakes::Mistakes;
use crate::place::Place;

/// The item as it was, and what registers it or says why it cannot be.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream, place: &Place) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let args = Args::parse(arguments, place, &mut mistakes);
    let Some(mut block) = mistakes.take(block::parse(item.clone())) else {
        let errors = mistakes.into_compile_errors();
        return quote!(#item #errors);
    };
    let generated = generate(&args, &block, place, mistakes);
    role::make_inert(&mut block);
    quote!(#block #generated)
}

fn generate(args: &Args, block: &Block, place: &Place, mut mistakes: Mistakes) -> TokenStream {
    let change = validate::validate(args, block, place, &mut mistakes);
    match change {
        Some(change) if mistakes.is_empty() => expand::expand(&change),
        _ => {
            // Also on mistakes, so that whoever names the type's `CodeChange` gets no error for it.
            let named = validate::is_plain(block).then(|| expand::named(args, block));
            let errors = mistakes.into_compile_errors();
            quote!(#named #errors)
        }
    }
}
