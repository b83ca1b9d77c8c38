use std::future::Future;
use std::panic::Location;

use flamingock_core::audit::{AuditEntry, AuditState};
use flamingock_core::change::CodeChange;
use flamingock_core::report::{ChangeOutcome, Report};
use flamingock_core::{Flamingock, RunError, RunErrorKind};

use super::diff::compare;
use super::entry::Entry;
use super::event::ExpectedEvent;
use super::fault::{At, CrashAt};
use super::given::{Action, FlamingockTest, how, strangers};

/// What a run did, and what is expected of it.
///
/// An error that no expectation names fails the test, too: where the value is dropped, or where the next
/// run begins. So does a fault for a next run that never comes.
#[derive(Debug)]
pub struct Ran {
    /// With the faults of the next run.
    next: Option<FlamingockTest>,
    happened: Happened,
    /// Whether the entries were named.
    audit: bool,
    /// Whether the error was named.
    error: bool,
    /// The changes that were named as issues.
    issues: Vec<String>,
    place: &'static Location<'static>,
}

/// What happened in a run.
#[derive(Debug)]
pub(super) struct Happened {
    /// [`None`]: it crashed.
    pub(super) ended: Option<Result<Report, RunError>>,
    /// Its entries.
    pub(super) entries: Vec<AuditEntry>,
    /// The newest entry of each change.
    pub(super) latest: Vec<AuditEntry>,
    pub(super) events: Vec<ExpectedEvent>,
}

impl Ran {
    pub(super) fn new(app: Flamingock, happened: Happened, place: &'static Location<'static>) -> Self {
        let next = Some(FlamingockTest::of(app));
        Self { next, happened, audit: false, error: false, issues: Vec::new(), place }
    }

    /// The run recorded exactly these entries, in this order.
    ///
    /// # Panics
    /// When it did not, with the difference.
    #[track_caller]
    pub fn then_audit(mut self, expected: impl IntoIterator<Item = Entry>) -> Self {
        let expected: Vec<_> = expected.into_iter().collect();
        if let Err(diff) = compare(&expected, &self.happened.entries) {
            let diff = diff + &self.strangers(&expected, &self.happened.entries);
            self.fail("the run recorded something else", &diff);
        }
        self.audit = true;
        self
    }

    /// Of the changes that are named here, the run recorded exactly these entries, in this order. It may
    /// have recorded more of others.
    ///
    /// # Panics
    /// When it did not, with the difference.
    #[track_caller]
    pub fn then_audit_includes(mut self, expected: impl IntoIterator<Item = Entry>) -> Self {
        let expected: Vec<_> = expected.into_iter().collect();
        let is_named = |entry: &&AuditEntry| expected.iter().any(|one| one.change == entry.change);
        let found: Vec<_> = self.happened.entries.iter().filter(is_named).cloned().collect();
        if let Err(diff) = compare(&expected, &found) {
            let diff = diff + &self.strangers(&expected, &found);
            self.fail("the run recorded something else of these changes", &diff);
        }
        self
    }

    /// This is now the newest entry of each change that has any, in the order of the pipeline; changes
    /// that the application no longer has come last.
    ///
    /// # Panics
    /// When it is not, with the difference.
    #[track_caller]
    pub fn then_final_states(mut self, expected: impl IntoIterator<Item = Entry>) -> Self {
        let expected: Vec<_> = expected.into_iter().collect();
        let order: Vec<String> = self.pipeline_ids();
        let place =
            |entry: &AuditEntry| order.iter().position(|id| *id == entry.change).unwrap_or(order.len());
        self.happened.latest.sort_by_key(|entry| (place(entry), entry.sequence));
        if let Err(diff) = compare(&expected, &self.happened.latest) {
            let diff = diff + &self.strangers(&expected, &self.happened.latest);
            self.fail("the changes ended in other states", &diff);
        }
        self
    }

    /// These events were told, in this order, and no others.
    ///
    /// # Panics
    /// When they were not, with the difference.
    #[track_caller]
    pub fn then_events(mut self, expected: impl IntoIterator<Item = ExpectedEvent>) -> Self {
        let expected: Vec<_> = expected.into_iter().collect();
        if let Err(diff) = compare(&expected, &self.happened.events) {
            self.fail("other events were told", &diff);
        }
        self
    }

    /// The change of this type is an issue: it needs an operator.
    ///
    /// # Panics
    /// When it is not, with those that are.
    #[track_caller]
    pub fn then_issue<C: CodeChange>(self) -> Self {
        self.then_issue_of(C::ID)
    }

    /// The change with this id is an issue.
    ///
    /// # Panics
    /// When it is not, with those that are.
    #[track_caller]
    pub fn then_issue_of(mut self, change: &str) -> Self {
        let issues = self.issues_found();
        if !issues.iter().any(|issue| issue == change) {
            let found =
                if issues.is_empty() { "there is none".to_owned() } else { format!("those are {issues:?}") };
            let is_known = self.pipeline_ids().iter().any(|id| id == change);
            let hint = if is_known { "" } else { ", and it is no change of this application" };
            self.fail(&format!("change `{change}` is no issue: {found}{hint}"), "");
        }
        self.issues.push(change.to_owned());
        self
    }

    /// The run ended with an error, which `check` looks at (and panics when it is another).
    ///
    /// # Panics
    /// When it ended well or crashed.
    #[track_caller]
    pub fn then_error(mut self, check: impl FnOnce(&RunError)) -> Self {
        match &self.happened.ended {
            Some(Err(error)) => check(error),
            _ => self.fail("there is no error", ""),
        }
        self.error = true;
        self
    }

    /// The run ended with an error of this kind.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn then_error_kind(mut self, kind: RunErrorKind) -> Self {
        match &self.happened.ended {
            Some(Err(error)) if error.kind() == kind => {}
            _ => self.fail(&format!("there is no error {kind}"), ""),
        }
        self.error = true;
        self
    }

    /// The run ended well, and `check` looks at its report.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn then_report(mut self, check: impl FnOnce(&Report)) -> Self {
        match &self.happened.ended {
            Some(Ok(report)) => check(report),
            _ => self.fail("it did not end well", ""),
        }
        self
    }

    /// The run crashed, as a fault or [`crash_now`](super::crash_now) let it.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn then_crashed(mut self) -> Self {
        if self.happened.ended.is_some() {
            self.fail("it did not crash", "");
        }
        self
    }

    /// No entry was recorded and no change is an issue but those that were named before, and the run
    /// ended well or crashed, or its error was named. After nothing else: nothing happened.
    ///
    /// # Panics
    /// When there is more.
    #[track_caller]
    pub fn then_nothing_more(mut self) -> Self {
        if !self.audit
            && let Err(diff) = compare::<Entry>(&[], &self.happened.entries)
        {
            self.fail("more was recorded than was named", &diff);
        }
        let unnamed: Vec<_> =
            self.issues_found().into_iter().filter(|issue| !self.issues.contains(issue)).collect();
        if !unnamed.is_empty() {
            self.fail(&format!("these are issues, too: {unnamed:?}"), "");
        }
        self.check_error();
        self
    }

    /// As [`FlamingockTest::crash_at`], in the next run.
    #[track_caller]
    pub fn crash_at(mut self, crash: impl Into<CrashAt>) -> Self {
        if let Some(next) = self.next.take() {
            self.next = Some(next.crash_at(crash));
        }
        self
    }

    /// As [`FlamingockTest::lose_answer`], in the next run.
    #[track_caller]
    pub fn lose_answer(mut self, at: At) -> Self {
        if let Some(next) = self.next.take() {
            self.next = Some(next.lose_answer(at));
        }
        self
    }

    /// As [`FlamingockTest::fail_at`], in the next run.
    #[track_caller]
    pub fn fail_at(mut self, at: At) -> Self {
        if let Some(next) = self.next.take() {
            self.next = Some(next.fail_at(at));
        }
        self
    }

    /// The next start of the same application.
    ///
    /// # Panics
    /// As [`FlamingockTest::when_run`], and when this run ended with an error that was not named.
    #[track_caller]
    pub fn when_run_again(self) -> impl Future<Output = Self> + Send {
        self.again(Action::Run, Location::caller())
    }

    /// Undoes a change, after this run.
    ///
    /// # Panics
    /// As [`when_run_again`](Self::when_run_again).
    #[track_caller]
    pub fn when_undone<C: CodeChange>(self) -> impl Future<Output = Self> + Send {
        self.again(Action::Undo(vec![C::ID.to_owned()]), Location::caller())
    }

    #[track_caller]
    fn again(
        mut self,
        action: Action,
        place: &'static Location<'static>,
    ) -> impl Future<Output = Self> + Send {
        self.check_error();
        let next = self.next.take();
        async move {
            match next {
                Some(test) => test.when(action, place).await,
                None => panic!("{place}: the run before went on already"),
            }
        }
    }

    fn pipeline_ids(&self) -> Vec<String> {
        let changes = self.next.iter().flat_map(|test| test.app.pipeline().changes());
        changes.map(|(_, change)| change.id.clone()).collect()
    }

    /// A line for each change that was expected, is not there, and is none of the application's.
    fn strangers(&self, expected: &[Entry], found: &[AuditEntry]) -> String {
        let missing = expected.iter().map(|entry| entry.change.as_str());
        let missing = missing.filter(|id| !found.iter().any(|entry| entry.change == *id));
        self.next.as_ref().map_or_else(String::new, |test| strangers(&test.app, missing))
    }

    fn report(&self) -> Option<&Report> {
        self.happened.ended.as_ref().map(|ended| match ended {
            Ok(report) => report,
            Err(error) => error.report(),
        })
    }

    fn issues_found(&self) -> Vec<String> {
        let failing = self.report().into_iter().flat_map(Report::failing);
        let mut issues: Vec<String> = failing
            .filter(|change| change.outcome == ChangeOutcome::Issue)
            .map(|change| change.id.clone())
            .collect();
        if matches!(&self.happened.ended, Some(Err(error)) if error.kind() == RunErrorKind::Issue) {
            // The report has no place for a change that the code no longer has where its stage is gone, too.
            let inactive = self.next.iter().flat_map(|test| &test.app.pipeline().inactive).cloned();
            let known: Vec<_> = self.pipeline_ids().into_iter().chain(inactive).collect();
            let uncertain = [AuditState::Started, AuditState::Failed, AuditState::RollbackFailed].map(Some);
            let removed = self.happened.latest.iter().filter(|entry| uncertain.contains(&entry.state));
            for entry in removed {
                if !known.contains(&entry.change) && !issues.contains(&entry.change) {
                    issues.push(entry.change.clone());
                }
            }
        }
        issues
    }

    #[track_caller]
    fn check_error(&mut self) {
        if self.has_unnamed_error() {
            self.fail("the run failed, and nothing above expects it", "");
        }
    }

    fn has_unnamed_error(&self) -> bool {
        match &self.happened.ended {
            Some(Err(error)) if error.kind() == RunErrorKind::Issue => !self.error && self.issues.is_empty(),
            Some(Err(_)) => !self.error,
            _ => false,
        }
    }

    #[track_caller]
    fn fail(&mut self, what: &str, diff: &str) -> ! {
        let legend = if diff.is_empty() { "" } else { " (- expected, + happened)" };
        panic!("{what}{legend}:\n{diff}{}\n(run at {})", how(self.happened.ended.as_ref()), self.place)
    }
}

impl Drop for Ran {
    fn drop(&mut self) {
        // Gone when the following run has begun, and this was looked at.
        let Some(next) = &self.next else { return };
        if std::thread::panicking() {
            return;
        }
        let faults: String = next.faults.iter().map(|fault| format!("  - {fault}\n")).collect();
        if self.has_unnamed_error() {
            self.fail("the run failed, and the test does not expect it", "");
        } else if !faults.is_empty() {
            panic!("no run came after this one, for:\n{faults}(run at {})", self.place);
        }
    }
}
