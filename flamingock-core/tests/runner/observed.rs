//! What a run tells: events to listeners, spans and their fields to `tracing`.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use crate::support::{House, change, plain, put};
use flamingock_core::change::{Body, ChangeContext, Method};
use flamingock_core::event::Event;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

type Lines = Arc<Mutex<Vec<String>>>;

fn listening(lines: &Lines) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
    let lines = Arc::clone(lines);
    move |event| {
        let line = match event {
            Event::PipelineStarted { .. } => "pipeline".to_owned(),
            Event::StageStarted { stage, pending } => format!("stage {stage}, {pending} pending"),
            Event::ChangeStarted { change, attempt, .. } => format!("change {change}, attempt {attempt}"),
            Event::ChangeProgress { change, done, total, message } => {
                format!("{change}: {done}/{total} {message}")
            }
            Event::ChangeFinished { report } => format!("{} {}", report.id, report.outcome),
            Event::StageFinished { report } => format!("stage {} {}", report.name, report.state),
            Event::PipelineFinished { report } => format!("pipeline {}", report.status),
            other => format!("{other:?}"),
        };
        lines.lock().expect("not poisoned").push(line);
    }
}

#[tokio::test]
async fn events_tell_the_pipeline_its_stages_and_its_changes() {
    let house = House::new();
    let lines = Lines::default();
    let reports = change("a", "1", "flags", Method { params: Vec::new(), body: progressing() });
    let broken = plain("b", "2", |_| Err("no".into()));
    let app = house.builder([reports, broken]).on_event(listening(&lines)).build().expect("is right");
    app.run().await.expect_err("fails");
    assert_eq!(
        *lines.lock().expect("not poisoned"),
        [
            "pipeline",
            "stage default, 2 pending",
            "change a, attempt 1",
            "a: 1/2 rows",
            "a APPLIED",
            "change b, attempt 1",
            "b FAILED",
            "stage default FAILED",
            "pipeline FAILED",
        ]
    );
}

fn progressing() -> Body<()> {
    Body::Blocking(Arc::new(|invocation| {
        let (_, dependencies) = invocation.split();
        dependencies.shared::<ChangeContext>("context")?.progress(1, 2, "rows");
        Ok(())
    }))
}

#[tokio::test]
async fn a_listener_that_panics_does_not_stop_the_run() {
    let house = House::new();
    let app = house.builder([put("a", "1")]).on_event(|_| panic!("a listener of the application")).build();
    assert_eq!(app.expect("is right").run().await.expect("applies").changes.applied, 1);
}

/// Keeps each span's name and fields, and what was recorded later.
struct Spans(Lines);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Ids differ from run to run.
        let value = if field.name() == "execution.id" { "..".to_owned() } else { format!("{value:?}") };
        self.0.push_str(&format!(" {}={}", field.name(), value.trim_matches('"')));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields(attributes.metadata().name().to_owned());
        attributes.record(&mut fields);
        self.0.lock().expect("not poisoned").push(fields.0);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        self.0.lock().expect("not poisoned").push(fields.0);
    }
}

#[tokio::test]
async fn spans_have_the_fields_that_are_documented() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(Spans(Arc::clone(&lines)));
    let _guard = tracing::subscriber::set_default(subscriber);
    House::new().app([put("a", "1")]).run().await.expect("applies");
    assert_eq!(
        *lines.lock().expect("not poisoned"),
        [
            "flamingock.run service=orders tenant= execution.id=..",
            "flamingock.stage stage=default",
            "flamingock.change change.id=a change.order=1 change.attempt=1 stage=default target_system=db",
            " outcome=APPLIED",
            " status=SUCCESS",
        ]
    );
}
