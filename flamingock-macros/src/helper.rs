use proc_macro2::TokenStream;
use quote::quote;

use crate::mistakes::Mistakes;

/// The argument under which [`change`](crate::change) emits a helper attribute again, so that the
/// import of it counts as used.
pub(crate) const INERT: &str = "__under_change";

/// What `#[apply]`, `#[rollback]` and `#[verify]` do where no `#[change]` took them in.
pub(crate) fn expand(name: &str, arguments: &TokenStream, item: TokenStream) -> TokenStream {
    if arguments.to_string() == INERT {
        return item;
    }
    let mut mistakes = Mistakes::default();
    mistakes.at_span(
        proc_macro2::Span::call_site(),
        format!("`#[{name}]` goes on a function inside an `impl` block that carries `#[change(..)]`"),
    );
    let errors = mistakes.into_compile_errors();
    // On a method, errors can only stand where items of an `impl` block can: `compile_error!` can.
    quote!(#errors #item)
}
