use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Error, Path, parse_quote};

use crate::mistakes::Mistakes;
use crate::pairs;
use crate::place::Place;
use crate::value::{self, Recovery};

const KEYS: &str = "`id`, `target_system`, `order`, `author`, `description`, `transactional`, `recovery`, \
                    `stage`, `profiles`, `timeout` and `crate`";

/// What stands in `#[change(..)]`.
pub(crate) struct Args {
    pub(crate) id: Option<String>,
    pub(crate) target_system: Option<String>,
    pub(crate) order: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) transactional: Option<bool>,
    pub(crate) recovery: Recovery,
    pub(crate) stage: Option<String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) timeout: Option<Duration>,
    /// Path of the facade.
    pub(crate) facade: Path,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            id: None,
            target_system: None,
            order: None,
            author: None,
            description: None,
            transactional: None,
            recovery: Recovery::ManualIntervention,
            stage: None,
            profiles: Vec::new(),
            timeout: None,
            facade: parse_quote!(::flamingock),
        }
    }
}

impl Args {
    /// Reads what can be read; everything else is a mistake of its own.
    pub(crate) fn parse(tokens: TokenStream, place: &Place, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        let example = "`id = \"add-tracking-code\"`";
        let seen = pairs::read(tokens, example, mistakes, |key, name, value| args.set(key, name, value));
        args.complete(&seen, place, mistakes);
        args
    }

    fn set(&mut self, key: &Ident, name: &str, value: TokenStream) -> syn::Result<()> {
        match name {
            "id" => self.id = Some(value::word(name, value)?),
            "target_system" => self.target_system = Some(value::word(name, value)?),
            "order" => self.order = Some(value::order(value)?),
            "author" => self.author = Some(value::word(name, value)?),
            "description" => self.description = Some(value::text(name, value)?),
            "transactional" => self.transactional = Some(value::boolean(name, value)?),
            "recovery" => self.recovery = value::recovery(value)?,
            "stage" => self.stage = Some(value::word(name, value)?),
            "profiles" => self.profiles = value::profiles(value)?,
            "timeout" => self.timeout = Some(value::timeout(value)?),
            "crate" => self.facade = value::path(name, value)?,
            _ => {
                return Err(Error::new_spanned(
                    key,
                    format!("there is no key `{name}`: the keys are {KEYS}"),
                ));
            }
        }
        Ok(())
    }

    /// Says what is missing, unless it is there with a mistake of its own.
    fn complete(&mut self, seen: &[String], place: &Place, mistakes: &mut Mistakes) {
        let attribute = Span::call_site();
        let is_missing = |name: &str| !seen.iter().any(|key| key == name);
        if is_missing("id") {
            mistakes.at_span(
                attribute,
                "`id` is missing: `id = \"add-tracking-code\"`, unique in the application",
            );
        }
        if is_missing("target_system") {
            mistakes.at_span(
                attribute,
                "`target_system` is missing: `target_system = \"orders-db\"`, the id of the system that is changed",
            );
        }
        if is_missing("order") {
            self.order = place.order().map(str::to_owned);
            // Where the compiler does not name the file, `build()` looks again.
            if self.order.is_none() && place.is_known() {
                mistakes.at_span(
                    attribute,
                    "`order` is missing: write `order = \"0001\"`, or name the source file `_0001__<name>.rs`",
                );
            }
        }
    }
}
