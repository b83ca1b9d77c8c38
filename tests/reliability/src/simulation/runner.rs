use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use flamingock_core::operate::{Resolution, Ruling, Standing, Undo, consent};
use flamingock_core::{Flamingock, FlamingockBuilder, RunError};
use tokio::time::{Instant, sleep};

use super::line::Line;
use super::weather::{Blow, LEASE, LOCK_WAIT, OPERATION_TIMEOUT, Task};
use crate::house::{ChangeSpec, Content, House, Life, Machine, app, holdable, release, undoable};

/// How a process ended.
#[derive(Debug)]
pub(super) enum Ended {
    Died,
    Finished(Result<String, RunError>),
    /// There was nothing to do for it.
    Idle,
}

/// Starts a process and lets it go on until it ends or dies.
pub(super) async fn process(line: &Arc<Line>, changes: &[ChangeSpec]) -> Ended {
    line.note(|| format!("=== runner {}: {:?}", line.start.runner + 1, line.start.task));
    let machine = Machine::new(line.start.number, line.began, line.start.off);
    let app = app(line, &machine, changes, settings);
    let ended = match line.start.task {
        Task::Apply => drive(line, machine.live(applied(app))).await,
        task @ (Task::Undo | Task::Hold) => {
            let hold = task == Task::Hold;
            let changes = chosen(line, changes, hold).await;
            if changes.is_empty() {
                return Ended::Idle;
            }
            line.note(|| format!("undoes {changes:?}"));
            let undo = Undo { changes, hold, ..Undo::default() };
            let undone = async move { app.undo_with(&undo).await.map(|report| report.status.to_string()) };
            drive(line, machine.live(undone)).await
        }
        Task::Release => {
            let operator = app.operator().lock_wait(LOCK_WAIT);
            let released =
                async move { release(&operator).await.map(|entries| format!("released {}", entries.len())) };
            drive(line, machine.live(released)).await
        }
        Task::Rule => {
            let (house, changes) = (Arc::clone(&line.house), changes.to_vec());
            drive(line, machine.live(async move { rule(&app, &house, &changes, &[]).await })).await
        }
    };
    line.note(|| match &ended {
        Ended::Died => "=== is dead".to_owned(),
        Ended::Finished(Ok(status)) => format!("=== ended: {status}"),
        Ended::Finished(Err(error)) => format!("=== ended: {:?}", error.kind()),
        Ended::Idle => "=== has nothing to do".to_owned(),
    });
    ended
}

/// Some of what can be undone.
async fn chosen(line: &Line, changes: &[ChangeSpec], hold: bool) -> Vec<String> {
    let house = &line.house;
    let mut ids = if hold { holdable(house, changes).await } else { undoable(house, changes).await };
    let mut rng = Rng::with_seed(line.start.seed);
    ids.retain(|_| rng.u8(..3) > 0);
    // A change without a transaction that is an issue can be compensated by an undo.
    let issue = changes.iter().find(|spec| spec.rollback && !spec.kind.is_transactional());
    if let (true, Some(spec)) = (ids.is_empty(), issue) {
        ids.push(spec.id);
    }
    ids.into_iter().map(str::to_owned).collect()
}

pub(super) fn settings(builder: FlamingockBuilder) -> FlamingockBuilder {
    builder.lease(LEASE).lock_wait(LOCK_WAIT).operation_timeout(OPERATION_TIMEOUT)
}

async fn applied(app: Flamingock) -> Result<String, RunError> {
    app.run().await.map(|report| report.status.to_string())
}

/// What an honest operator does who looks at the targets: rules on every issue of which the target has
/// all or nothing. `issues`: what a start called one, whatever the audit alone says.
pub(super) async fn rule(
    app: &Flamingock,
    house: &House,
    changes: &[ChangeSpec],
    issues: &[String],
) -> Result<String, RunError> {
    let operator = app.operator().lock_wait(LOCK_WAIT);
    let status = operator.status().await?;
    let mut ruled = 0;
    for (entry, standing) in &status.changes {
        let Some(spec) = changes.iter().find(|spec| spec.id == entry.change) else { continue };
        let content = Content::seen(house, spec);
        let is_issue = *standing == Standing::Issue || issues.contains(&entry.change);
        let resolution = match () {
            () if !is_issue => continue,
            () if content.all() => Resolution::Applied,
            () if content.nothing() => Resolution::RolledBack,
            () => continue,
        };
        house.ruled_about(&entry.execution);
        let mut ruling = Ruling::new(spec.id, resolution, "looked at it").by("jane").seen(entry.sequence);
        // As the commands have it that an issue proposes.
        let consent = consent(entry, resolution).trim();
        (ruling.force, ruling.correct) = (consent == "--force", consent == "--override");
        operator.rule(&ruling).await?;
        ruled += 1;
    }
    Ok(format!("ruled on {ruled}"))
}

/// Lets a run go on until it ends or dies. While it stands still it is not polled, and its heartbeats
/// neither.
async fn drive(line: &Arc<Line>, mut life: Life<Result<String, RunError>>) -> Ended {
    loop {
        tokio::select! {
            biased;
            () = line.struck.notified() => match line.blow() {
                Some(Blow::PauseBefore(pause) | Blow::PauseAfter(pause)) => stand_still(line, pause).await,
                _ => return Ended::Died,
            },
            ended = &mut life => return Ended::Finished(ended),
        }
    }
}

async fn stand_still(line: &Arc<Line>, pause: Duration) {
    line.note(|| format!("stands still for {pause:?}"));
    let until = Instant::now() + pause;
    if pause > LEASE {
        // Nobody may idle in a transaction for longer.
        sleep(LEASE).await;
        line.house.end_sessions(Some(line.start.number)).await;
    }
    tokio::time::sleep_until(until).await;
    line.note(|| "goes on".to_owned());
    line.wakes.notify_one();
}
