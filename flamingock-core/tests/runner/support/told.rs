//! What runs tell `tracing`, by the thread of their test.
//!
//! One subscriber for all: with one per thread, `tracing` keeps for good what it first heard of a span on
//! a thread that has none.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Once;

use tracing::Level;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

#[derive(Default)]
pub(crate) struct Told {
    /// Each span's name and fields, and what was recorded later.
    pub(crate) spans: Vec<String>,
    /// Level and message.
    pub(crate) events: Vec<(Level, String)>,
}

thread_local! {
    static TOLD: RefCell<Option<Told>> = const { RefCell::new(None) };
}

/// Before anything runs.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Listening);
        tracing::subscriber::set_global_default(subscriber).expect("is the only one");
    });
}

/// What this thread has told since it was last asked; nothing is kept before the first time.
pub(crate) fn take() -> Told {
    TOLD.replace(Some(Told::default())).unwrap_or_default()
}

fn keep(note: impl FnOnce(&mut Told)) {
    TOLD.with_borrow_mut(|told| told.as_mut().map(note));
}

struct Listening;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Ids differ from run to run.
        let value = if field.name() == "execution.id" { "..".to_owned() } else { format!("{value:?}") };
        self.0.push_str(&format!(" {}={}", field.name(), value.trim_matches('"')));
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Listening {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        keep(|told| {
            let mut fields = Fields(attributes.metadata().name().to_owned());
            attributes.record(&mut fields);
            told.spans.push(fields.0);
        });
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        keep(|told| {
            let mut fields = Fields(String::new());
            values.record(&mut fields);
            told.spans.push(fields.0);
        });
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        keep(|told| {
            let mut message = Message(String::new());
            event.record(&mut message);
            told.events.push((*event.metadata().level(), message.0));
        });
    }
}
