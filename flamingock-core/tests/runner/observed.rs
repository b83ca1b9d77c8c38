//! What a run tells: events to listeners, spans and their fields to `tracing`.

use std::sync::{Arc, Mutex};

use crate::support::{House, change, plain, put, told};
use flamingock_core::change::{Body, ChangeContext, Method};
use flamingock_core::event::Event;

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

#[tokio::test]
async fn what_a_method_logs_is_inside_the_span_of_its_change_on_whatever_thread_it_runs() {
    let span = || tracing::Span::current().metadata().map(|span| span.name());
    let (house, seen) = (House::new(), Arc::new(Mutex::new(Vec::new())));
    let (here, elsewhere) = (Arc::clone(&seen), Arc::clone(&seen));
    let here = plain("a", "1", move |_| {
        here.lock().expect("not poisoned").push(span());
        Ok(())
    });
    let elsewhere = Body::Blocking(Arc::new(move |_| {
        elsewhere.lock().expect("not poisoned").push(span());
        Ok(())
    }));
    let elsewhere = change("b", "2", "flags", Method { params: Vec::new(), body: elsewhere });
    house.app([here, elsewhere]).run().await.expect("applies");
    assert_eq!(*seen.lock().expect("not poisoned"), [Some("flamingock.change"); 2]);
}

#[tokio::test]
async fn spans_have_the_fields_that_are_documented() {
    let house = House::new();
    told::take();
    house.app([put("a", "1")]).run().await.expect("applies");
    assert_eq!(
        told::take().spans,
        [
            "flamingock.run service=orders tenant= execution.id=..",
            "flamingock.stage stage=default",
            "flamingock.change change.id=a change.order=1 change.attempt=1 stage=default target_system=db",
            " outcome=APPLIED",
            " status=SUCCESS",
        ]
    );
}
