use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use flamingock::change::TargetState;
use flamingock::operate::{Resolution, Ruling};
use flamingock::report::{ChangeOutcome, Report, RunStatus};
use flamingock::{Flamingock, RunError, RunErrorKind};

use super::evidence::Evidence;
use super::rules::{Acknowledged, Rules};
use crate::changes::mixed::{Mark, Spec, content, table};
use crate::place::Place;

/// Changes that fail at first need one more start each, as they may be one after the other in a stage.
const STARTS: usize = 8;

/// Judges when everything has come to rest, starts the application undisturbed, judges again, lets an
/// operator rule on what is an issue, and starts until everything is applied.
pub(super) struct Check<'a> {
    pub(super) place: &'a Place,
    pub(super) seed: u64,
    pub(super) specs: &'a [Spec],
    pub(super) ddl_commits: bool,
    pub(super) acknowledged: &'a Acknowledged,
    pub(super) violations: Vec<String>,
    /// How many changes an operator had to rule on.
    pub(super) issues: usize,
}

impl Check<'_> {
    pub(super) async fn run(&mut self) -> Result<()> {
        self.judge("when it came to rest").await?;
        let app = self.app().await?;
        let ended = self.start(&app).await;
        self.ended("after an undisturbed start", &ended).await?;
        self.rule(&app, &ended).await?;
        let ended = self.start(&app).await;
        self.ended("after the rulings", &ended).await?;
        match &ended {
            Ok(_) => match app.run().await {
                Ok(report) if report.status == RunStatus::NoChanges => {}
                other => self.violated("at last", format!("there was something left to do: {other:?}")),
            },
            Err(error) => {
                self.violated("after the rulings", format!("it ended with {:?}: {error}", error.kind()))
            }
        }
        Ok(())
    }

    pub(super) fn violated(&mut self, when: &str, what: impl Into<String>) {
        self.violations.push(format!("{when}: {}", what.into()));
    }

    async fn app(&self) -> Result<Flamingock> {
        let builder = self.place.builder().await?.lock_wait(Duration::from_secs(20));
        Ok(self.place.mixed(self.seed, builder)?.build()?)
    }

    /// Starts again as long as what is bound to fail fails.
    async fn start(&self, app: &Flamingock) -> Result<Report, RunError> {
        let is_bound_to = |id: &str| self.specs.iter().any(|spec| spec.id == id && spec.fails_first);
        let as_expected = |error: &RunError| {
            let mut failed = error.report().failing().filter(|change| change.outcome != ChangeOutcome::Issue);
            error.kind() == RunErrorKind::ChangeFailed && failed.all(|change| is_bound_to(&change.id))
        };
        let mut ended = app.run().await;
        for _ in 1..STARTS {
            if !ended.as_ref().is_err_and(as_expected) {
                break;
            }
            ended = app.run().await;
        }
        ended
    }

    async fn judge(&mut self, when: &str) -> Result<Evidence> {
        let evidence = Evidence::gather(self.place, self.specs).await?;
        for broken in self.rules(&evidence).broken(self.acknowledged) {
            self.violated(when, broken);
        }
        Ok(evidence)
    }

    fn rules<'a>(&'a self, evidence: &'a Evidence) -> Rules<'a> {
        Rules { specs: self.specs, evidence, ddl_commits: self.ddl_commits }
    }

    /// Up to date, or an issue for each change that is ambiguous, and for no other.
    async fn ended(&mut self, when: &str, ended: &Result<Report, RunError>) -> Result<()> {
        let evidence = self.judge(when).await?;
        let rules = self.rules(&evidence);
        let ambiguous = rules.ambiguous();
        let mut broken = Vec::new();
        let blocked: BTreeSet<&str> = self
            .specs
            .iter()
            .filter(|spec| ambiguous.contains(spec.id.as_str()))
            .map(|spec| spec.stage)
            .collect();
        for spec in rules.open().filter(|spec| !blocked.contains(spec.stage)) {
            broken.push(format!("{} is not applied, and nothing is in its way: {spec:?}", spec.id));
        }
        let issues = issues(ended);
        for id in ambiguous.symmetric_difference(&issues) {
            broken.push(format!(
                "{id}: ambiguous {}, an issue {}",
                ambiguous.contains(id),
                issues.contains(id)
            ));
        }
        match ended {
            Ok(_) if evidence.head.as_ref().is_none_or(|head| head.digests.is_empty()) => {
                broken.push("it succeeded, and its digest is not in the head".to_owned());
            }
            Err(error) if error.kind() != RunErrorKind::Issue => {
                broken.push(format!("it ended with {:?}: {error}", error.kind()));
            }
            Ok(_) | Err(_) => {}
        }
        broken.into_iter().for_each(|what| self.violated(when, what));
        Ok(())
    }

    /// The operator looks at the target: what is there is there, what is half there is taken away.
    async fn rule(&mut self, app: &Flamingock, ended: &Result<Report, RunError>) -> Result<()> {
        let evidence = Evidence::gather(self.place, self.specs).await?;
        for id in issues(ended) {
            let resolution = match content(&evidence.traces, id) {
                TargetState::Applied => Resolution::Applied,
                TargetState::NotApplied | TargetState::PartiallyApplied => {
                    self.clean(id, &evidence).await?;
                    Resolution::RolledBack
                }
            };
            // The audit alone does not tell that DDL has committed a part: by force.
            let ruling = Ruling::new(id, resolution, "looked at the target").by("chaos").force(true);
            if let Err(error) = app.operator().rule(&ruling).await {
                self.violated("at a ruling", format!("{id}: {error}"));
            }
            self.issues += 1;
        }
        Ok(())
    }

    async fn clean(&self, id: &str, evidence: &Evidence) -> Result<()> {
        let Some(spec) = self.specs.iter().find(|spec| spec.id == id) else { return Ok(()) };
        let delete = format!("DELETE FROM effects WHERE id LIKE '{id} first %' OR id LIKE '{id} second %'");
        self.place.execute(&[&delete, &format!("DROP TABLE IF EXISTS {}", table(spec))]).await?;
        let stays = |mark| !matches!(mark, Mark::First | Mark::Second);
        let lines = evidence.traces.iter().filter(|trace| trace.change == id && stays(trace.mark));
        let file = self.place.folder.join(id);
        if file.exists() {
            std::fs::write(&file, lines.map(|trace| format!("{trace}\n")).collect::<String>())?;
        }
        Ok(())
    }
}

fn issues(ended: &Result<Report, RunError>) -> BTreeSet<&str> {
    let report = ended.as_ref().unwrap_or_else(|error| error.report());
    let issues = report.failing().filter(|change| change.outcome == ChangeOutcome::Issue);
    issues.map(|change| change.id.as_str()).collect()
}
