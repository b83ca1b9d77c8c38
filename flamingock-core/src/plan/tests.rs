//! A test per row of the decision table, in the order of the table.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::audit::{AuditEntry, AuditState, ChainHash, Evidence, Operation, TxStrategy};
use crate::change::{Body, Change, ChangeKind, Method, Order, RecoveryStrategy, Source, TargetState};
use crate::lock::FencingToken;
use crate::pipeline::{Pipeline, PipelineChange, PipelineStage};
use crate::target::{Marker, MarkerState, Mode};

use AuditState::{
    Applied, Failed, ManualMarkedAsApplied, ManualMarkedAsRolledBack, RollbackFailed, RolledBack, Started,
};

/// A change, its latest entry, and what was found out about it.
struct Case {
    change: PipelineChange,
    latest: Option<AuditEntry>,
    seen: Observation,
}

fn change(id: &str, order: &'static str, mode: Mode) -> PipelineChange {
    let nothing = Method { params: Vec::new(), body: Body::Blocking(Arc::new(|_| Ok(()))) };
    let source = Source::new("src/changes.rs", 7);
    let change = Change::new(id, Order::new(order), "db", source, "v1:now", nothing);
    PipelineChange { change, mode }
}

fn entry(id: &str, state: AuditState, mode: Mode) -> AuditEntry {
    AuditEntry {
        format: 1,
        sequence: 10,
        service: "orders".into(),
        tenant: String::new(),
        execution: "run-1".into(),
        operation: Operation::Apply,
        state: Some(state),
        refers_to: None,
        stage: "default".into(),
        change: id.into(),
        order: "1".into(),
        author: None,
        description: None,
        step: None,
        attempt: 3,
        target_system: "db".into(),
        target_kind: "memory".into(),
        target_address: String::new(),
        tx_strategy: if mode == Mode::Plain { TxStrategy::NonTx } else { TxStrategy::TxWithMarker },
        evidence: Evidence::None,
        recovery: RecoveryStrategy::ManualIntervention,
        kind: ChangeKind::Code,
        source: "src/changes.rs:7".into(),
        checksum: "v1:now".into(),
        recorded_at: Timestamp::UNIX_EPOCH,
        duration: None,
        hostname: "host".into(),
        application: None,
        library: "0.1.0".into(),
        profiles: Vec::new(),
        trace: None,
        operator: None,
        reason: None,
        error: None,
        metadata: None,
        token: FencingToken(1),
        hash: ChainHash::GENESIS,
    }
}

fn new_change(mode: Mode) -> Case {
    Case { change: change("c", "1", mode), latest: None, seen: Observation::default() }
}

fn latest(mode: Mode, state: AuditState) -> Case {
    Case { latest: Some(entry("c", state, mode)), ..new_change(mode) }
}

impl Case {
    fn entry(mut self, edit: impl FnOnce(&mut AuditEntry)) -> Self {
        edit(self.latest.as_mut().expect("the case has an entry"));
        self
    }

    fn of(self, operation: Operation) -> Self {
        self.entry(|entry| entry.operation = operation)
    }

    fn always_retry(mut self) -> Self {
        self.change.change.recovery = RecoveryStrategy::AlwaysRetry;
        self
    }

    fn marker(mut self, state: MarkerState) -> Self {
        let session = Some("session-9".to_owned());
        self.seen.marker =
            Some(Marker { state, execution: "run-1".into(), token: FencingToken(1), sequence: 10, session });
        self
    }

    fn marker_at(self, state: MarkerState, sequence: u64) -> Self {
        let mut case = self.marker(state);
        if let Some(marker) = &mut case.seen.marker {
            marker.sequence = sequence;
        }
        case
    }

    fn unended(mut self) -> Self {
        self.seen.unended = Some("on another server".into());
        self
    }

    fn verified(mut self, state: TargetState) -> Self {
        self.seen.verified = Some(Verified::State(state));
        self
    }

    fn verify_failed(mut self) -> Self {
        self.seen.verified = Some(Verified::Failed("no route".into()));
        self
    }

    fn decide(&self) -> Decision {
        decide(&self.change, self.latest.as_ref(), &self.seen)
    }

    #[track_caller]
    fn must_be_applied(self) -> Attempt {
        match self.decide() {
            Decision::Apply(attempt) => attempt,
            other => panic!("expected it to be applied, got {other:?}"),
        }
    }

    #[track_caller]
    fn must_be_recorded(self, state: AuditState, evidence: Evidence) {
        assert_eq!(self.decide(), Decision::Record { state, evidence });
    }

    #[track_caller]
    fn must_be_an_issue(self) -> IssueReason {
        match self.decide() {
            Decision::Issue(reason) => reason,
            other => panic!("expected an issue, got {other:?}"),
        }
    }
}

const MODES: [Mode; 2] = [Mode::Transactional, Mode::Plain];
const UNCERTAIN: [AuditState; 3] = [Started, Failed, RollbackFailed];

#[test]
fn what_is_applied_or_ruled_applied_is_skipped_whatever_the_evidence() {
    for mode in MODES {
        for state in [Applied, ManualMarkedAsApplied] {
            assert_eq!(latest(mode, state).decide(), Decision::Skip);
            assert_eq!(
                latest(mode, state).always_retry().marker(MarkerState::Begun).decide(),
                Decision::Skip
            );
        }
    }
}

#[test]
fn what_was_rolled_back_is_applied_and_outranks_an_older_marker() {
    for mode in MODES {
        let attempt = latest(mode, RolledBack).marker(MarkerState::Done).must_be_applied();
        assert_eq!((attempt.number, attempt.epoch, attempt.outranks), (4, 0, 10));
    }
}

#[test]
fn after_an_undo_attempts_are_counted_anew() {
    let attempt = latest(Mode::Transactional, RolledBack).of(Operation::Undo).must_be_applied();
    assert_eq!((attempt.number, attempt.epoch, attempt.outranks), (1, 10, 10));
}

#[test]
fn what_is_held_is_not_run_whatever_the_evidence_until_it_is_released() {
    for mode in MODES {
        let held = || latest(mode, RolledBack).of(Operation::Hold).always_retry();
        assert_eq!(held().decide(), Decision::Held { since: 10 });
        assert_eq!(held().marker(MarkerState::Done).decide(), Decision::Held { since: 10 });
        let attempt = latest(mode, RolledBack).of(Operation::Release).must_be_applied();
        assert_eq!((attempt.number, attempt.epoch, attempt.outranks), (1, 10, 10));
    }
}

#[test]
fn a_ruling_that_the_marker_contradicts_must_be_an_issue_under_both_strategies() {
    let ruled = || latest(Mode::Transactional, ManualMarkedAsRolledBack).marker(MarkerState::Done);
    assert_eq!(ruled().must_be_an_issue(), IssueReason::RulingDisagrees);
    assert_eq!(ruled().always_retry().must_be_an_issue(), IssueReason::RulingDisagrees);
}

#[test]
fn a_ruling_that_was_forced_against_the_marker_is_applied_and_outranks_it() {
    let case = latest(Mode::Transactional, ManualMarkedAsRolledBack).marker(MarkerState::Done);
    let attempt = case.entry(|entry| entry.evidence = Evidence::Overruled).must_be_applied();
    assert_eq!((attempt.number, attempt.outranks), (1, 10));
}

#[test]
fn a_ruling_that_nothing_contradicts_is_applied() {
    for mode in MODES {
        let attempt = latest(mode, ManualMarkedAsRolledBack).must_be_applied();
        assert_eq!((attempt.number, attempt.epoch), (1, 10));
    }
    latest(Mode::Transactional, ManualMarkedAsRolledBack).marker(MarkerState::Undone).must_be_applied();
    latest(Mode::Transactional, ManualMarkedAsRolledBack).marker_at(MarkerState::Done, 11).must_be_applied();
}

#[test]
fn an_undo_that_did_not_end_is_settled_by_marker_or_verify() {
    for (state, operation) in [
        (Started, Operation::Undo),
        (RollbackFailed, Operation::Undo),
        (Started, Operation::Hold),
        (RollbackFailed, Operation::Hold),
    ] {
        let undo = |mode| latest(mode, state).of(operation);
        undo(Mode::Transactional).marker(MarkerState::Undone).must_be_recorded(RolledBack, Evidence::Marker);
        undo(Mode::Transactional).marker_at(MarkerState::Done, 3).must_be_recorded(Applied, Evidence::Marker);
        undo(Mode::Plain).verified(TargetState::NotApplied).must_be_recorded(RolledBack, Evidence::Verify);
        undo(Mode::Plain).verified(TargetState::Applied).must_be_recorded(Applied, Evidence::Verify);
    }
}

#[test]
fn an_undo_is_not_settled_by_the_marker_of_an_earlier_one_that_a_ruling_outranks() {
    let after_ruling = |entry: &mut AuditEntry| entry.refers_to = Some(7);
    let undo = || latest(Mode::Transactional, Started).of(Operation::Undo).entry(after_ruling);
    for outranked in [3, 7] {
        let case = undo().marker_at(MarkerState::Undone, outranked);
        assert_eq!(case.must_be_an_issue(), IssueReason::UndoUncertain);
    }
    undo().marker_at(MarkerState::Undone, 8).must_be_recorded(RolledBack, Evidence::Marker);
}

#[test]
fn an_undo_that_nothing_settles_must_be_an_issue_under_both_strategies() {
    let undo = |mode| latest(mode, Started).of(Operation::Undo);
    assert_eq!(undo(Mode::Transactional).must_be_an_issue(), IssueReason::UndoUncertain);
    assert_eq!(
        undo(Mode::Transactional).marker(MarkerState::Undoing).must_be_an_issue(),
        IssueReason::UndoUncertain
    );
    assert_eq!(undo(Mode::Plain).always_retry().must_be_an_issue(), IssueReason::UndoUncertain);
    let hold = latest(Mode::Plain, RollbackFailed).of(Operation::Hold);
    assert_eq!(hold.always_retry().must_be_an_issue(), IssueReason::UndoUncertain);
    assert_eq!(
        undo(Mode::Plain).verified(TargetState::PartiallyApplied).must_be_an_issue(),
        IssueReason::UndoUncertain
    );
}

#[test]
fn an_uncertain_change_with_another_target_or_strategy_must_be_an_issue() {
    for state in UNCERTAIN {
        let elsewhere = |entry: &mut AuditEntry| entry.target_system = "old-db".into();
        let case = latest(Mode::Transactional, state).entry(elsewhere).always_retry();
        assert_eq!(case.must_be_an_issue(), IssueReason::Moved);
        let otherwise = |entry: &mut AuditEntry| entry.tx_strategy = TxStrategy::NonTx;
        let case = latest(Mode::Transactional, state).entry(otherwise).always_retry();
        assert_eq!(case.must_be_an_issue(), IssueReason::Moved);
    }
}

#[test]
fn a_marker_done_or_verify_applied_must_be_recorded_and_not_run() {
    for state in UNCERTAIN {
        latest(Mode::Transactional, state)
            .marker(MarkerState::Done)
            .must_be_recorded(Applied, Evidence::Marker);
        latest(Mode::Plain, state).verified(TargetState::Applied).must_be_recorded(Applied, Evidence::Verify);
        latest(Mode::Plain, state)
            .always_retry()
            .verified(TargetState::Applied)
            .must_be_recorded(Applied, Evidence::Verify);
    }
    new_change(Mode::Transactional).marker(MarkerState::Done).must_be_recorded(Applied, Evidence::Marker);
    new_change(Mode::Plain).verified(TargetState::Applied).must_be_recorded(Applied, Evidence::Verify);
}

#[test]
fn a_new_change_is_applied() {
    for mode in MODES {
        let attempt = new_change(mode).must_be_applied();
        assert_eq!(attempt, Attempt { number: 1, ..Attempt::default() });
    }
}

#[test]
fn an_uncertain_transactional_change_without_a_marker_is_applied() {
    for state in UNCERTAIN {
        let attempt = latest(Mode::Transactional, state).must_be_applied();
        assert_eq!((attempt.number, attempt.outranks), (4, 0));
        latest(Mode::Transactional, state).marker(MarkerState::Undone).must_be_applied();
    }
}

#[test]
fn a_marker_that_a_ruling_outranks_counts_as_none() {
    let after_ruling = |entry: &mut AuditEntry| entry.refers_to = Some(7);
    let case = latest(Mode::Transactional, Started).entry(after_ruling).marker_at(MarkerState::Done, 7);
    let attempt = case.must_be_applied();
    assert_eq!((attempt.epoch, attempt.outranks), (7, 7));
    latest(Mode::Transactional, Started)
        .entry(after_ruling)
        .marker_at(MarkerState::Done, 8)
        .must_be_recorded(Applied, Evidence::Marker);
}

#[test]
fn a_half_applied_transactional_change_must_be_an_issue_unless_verify_decides() {
    for state in UNCERTAIN {
        let half = || latest(Mode::Transactional, state).marker(MarkerState::Begun);
        assert_eq!(half().must_be_an_issue(), IssueReason::PartiallyApplied);
        assert_eq!(
            half().verified(TargetState::PartiallyApplied).must_be_an_issue(),
            IssueReason::PartiallyApplied
        );
        assert_eq!(half().verify_failed().must_be_an_issue(), IssueReason::PartiallyApplied);
        half().verified(TargetState::NotApplied).must_be_applied();
        half().verified(TargetState::Applied).must_be_recorded(Applied, Evidence::Verify);
    }
}

#[test]
fn a_half_applied_change_that_may_be_retried_is_applied_over_what_is_there() {
    let attempt =
        latest(Mode::Transactional, Started).marker(MarkerState::Begun).always_retry().must_be_applied();
    assert!(attempt.over_remains);
}

#[test]
fn a_half_applied_change_whose_session_could_not_be_ended_must_be_an_issue() {
    for state in UNCERTAIN {
        let half = |marker| latest(Mode::Transactional, state).marker(marker).unended();
        let undo = || half(MarkerState::Undoing).of(Operation::Undo);
        for case in
            [half(MarkerState::Begun), half(MarkerState::Begun).always_retry(), undo(), undo().always_retry()]
        {
            let reason = case.must_be_an_issue();
            assert!(reason.to_string().contains("could not be ended: on another server"), "{reason}");
        }
    }
}

#[test]
fn an_uncertain_change_that_verify_says_is_not_applied_is_applied() {
    for state in UNCERTAIN {
        latest(Mode::Plain, state).verified(TargetState::NotApplied).must_be_applied();
    }
}

#[test]
fn an_uncertain_change_without_transactions_must_be_an_issue_when_nothing_settles_it() {
    for state in UNCERTAIN {
        let reason = latest(Mode::Plain, state).must_be_an_issue();
        assert_eq!(reason, IssueReason::Uncertain { state, verified: None });
        latest(Mode::Plain, state).verified(TargetState::PartiallyApplied).must_be_an_issue();
        latest(Mode::Plain, state).verify_failed().must_be_an_issue();
    }
}

#[test]
fn an_uncertain_change_that_may_be_retried_is_applied() {
    for state in UNCERTAIN {
        latest(Mode::Plain, state).always_retry().must_be_applied();
        latest(Mode::Plain, state).always_retry().verified(TargetState::PartiallyApplied).must_be_applied();
        latest(Mode::Plain, state).always_retry().verify_failed().must_be_applied();
    }
}

#[test]
fn only_uncertain_changes_are_asked_about() {
    let with_verify = |mode| {
        let mut change = change("c", "1", mode);
        let body = Body::Blocking(Arc::new(|_| Ok(TargetState::Applied)));
        change.change.verify = Some(Method { params: Vec::new(), body });
        change
    };
    let asked = |mode, latest: Option<AuditState>| {
        let entry = latest.map(|state| entry("c", state, mode));
        let question = question(&with_verify(mode), entry.as_ref());
        (question.marker, question.verify)
    };
    for mode in MODES {
        for state in [None, Some(Applied), Some(RolledBack), Some(ManualMarkedAsApplied)] {
            assert_eq!(asked(mode, state), (false, false), "{mode:?} {state:?}");
        }
    }
    for state in UNCERTAIN {
        assert_eq!(asked(Mode::Transactional, Some(state)), (true, true));
        assert_eq!(asked(Mode::Plain, Some(state)), (false, true));
    }
    assert_eq!(asked(Mode::Transactional, Some(ManualMarkedAsRolledBack)), (true, false));

    // Nor where the answer would be another target's.
    let mut elsewhere = entry("c", Started, Mode::Transactional);
    elsewhere.target_system = "other-db".into();
    let question = question(&with_verify(Mode::Transactional), Some(&elsewhere));
    assert_eq!((question.marker, question.verify), (false, false));
}

#[test]
fn an_issue_says_what_verify_said() {
    let said = |verified: Option<Verified>| IssueReason::Uncertain { state: Failed, verified }.to_string();
    assert_eq!(said(None), "it failed and was not compensated");
    for (verified, expected) in [
        (Verified::State(TargetState::Applied), "; #[verify] says that it is applied"),
        (Verified::State(TargetState::NotApplied), "; #[verify] says that it is not applied"),
        (Verified::State(TargetState::PartiallyApplied), "; #[verify] says that it is partially applied"),
        (Verified::Failed("no route".into()), "; #[verify] failed: no route"),
    ] {
        assert_eq!(said(Some(verified)), format!("it failed and was not compensated{expected}"));
    }
}

// ---- the plan as a whole ----

fn pipeline(changes: Vec<PipelineChange>) -> Pipeline {
    let stage = PipelineStage { name: "default".into(), changes };
    Pipeline { stages: vec![stage], inactive: vec!["dormant".into()], digest: "v1:x".into() }
}

fn planned(changes: Vec<PipelineChange>, entries: Vec<AuditEntry>, policies: &Policies) -> Plan {
    let latest: HashMap<_, _> = entries.into_iter().map(|entry| (entry.change.clone(), entry)).collect();
    plan(&pipeline(changes), &latest, &HashMap::new(), policies)
}

#[test]
fn one_issue_blocks_its_stage() {
    let changes = vec![change("a", "1", Mode::Plain), change("b", "2", Mode::Plain)];
    let plan = planned(changes, vec![entry("b", Started, Mode::Plain)], &Policies::default());
    assert_eq!(plan.stages[0].issues.len(), 1);
    assert_eq!(plan.pending().collect::<Vec<_>>(), ["a"]);
    assert!(!plan.is_up_to_date());
}

#[test]
fn a_held_change_is_neither_pending_nor_late_and_what_follows_it_goes_on() {
    let changes = ["a", "b", "c"].map(|id| change(id, "1", Mode::Plain)).to_vec();
    let mut held = entry("a", RolledBack, Mode::Plain);
    held.operation = Operation::Hold;
    let plan = planned(changes.clone(), vec![held.clone()], &Policies::default());
    assert_eq!((plan.pending().collect::<Vec<_>>(), plan.held()), (vec!["b", "c"], vec![1]));
    let done = ["b", "c"].map(|id| entry(id, Applied, Mode::Plain));
    let plan = planned(changes, done.into_iter().chain([held]).collect(), &Policies::default());
    assert!(plan.is_up_to_date() && plan.drifts.is_empty());
    assert_eq!(planned(Vec::new(), Vec::new(), &Policies::default()).held(), [0]);
}

#[test]
fn an_uncertain_change_that_the_code_no_longer_has_must_be_an_issue_of_its_stage() {
    let removed = |stage: &str| {
        let mut entry = entry("gone", Failed, Mode::Plain);
        entry.stage = stage.into();
        planned(vec![change("a", "1", Mode::Plain)], vec![entry], &Policies::default())
    };
    assert_eq!(removed("default").stages[0].issues[0].reason, IssueReason::Removed);
    assert_eq!(removed("old-stage").removed[0].reason, IssueReason::Removed);
    for stage in ["default", "old-stage"] {
        let issues: Vec<_> = removed(stage).issues().map(|issue| issue.change.clone()).collect();
        assert_eq!(issues, ["gone"], "{stage}");
    }
}

#[test]
fn a_change_of_an_inactive_profile_is_not_missed() {
    let plan = planned(
        vec![change("a", "1", Mode::Plain)],
        vec![entry("dormant", Applied, Mode::Plain)],
        &Policies::default(),
    );
    assert!(plan.drifts.is_empty());
}

#[test]
fn drift_is_found_and_answered_by_its_policy() {
    let mut edited = change("edited", "2", Mode::Plain);
    edited.change.checksum = "v1:other".into();
    let mut template = change("template", "3", Mode::Plain);
    template.change.kind = ChangeKind::Template;
    template.change.checksum = "v1:other".into();
    let changes = vec![change("late", "1", Mode::Plain), edited, template];
    let entries = ["edited", "template", "gone"].map(|id| entry(id, Applied, Mode::Plain)).to_vec();

    let plan = planned(changes.clone(), entries.clone(), &Policies::default());
    let found: Vec<_> =
        plan.drifts.iter().map(|drift| (drift.change.as_str(), drift.kind, drift.policy)).collect();
    assert_eq!(
        found,
        [
            ("edited", DriftKind::Changed, Policy::Warn),
            ("template", DriftKind::Changed, Policy::Fail),
            ("late", DriftKind::OutOfOrder, Policy::Warn),
            ("gone", DriftKind::Missing, Policy::Warn),
        ]
    );

    let ignore = Policies {
        changed_code: Policy::Ignore,
        changed_template: Policy::Ignore,
        missing: Policy::Ignore,
        out_of_order: Policy::Ignore,
    };
    assert!(planned(changes, entries, &ignore).drifts.is_empty());
    let set = Policies::default()
        .changed_code(Policy::Ignore)
        .changed_template(Policy::Ignore)
        .missing(Policy::Ignore)
        .out_of_order(Policy::Ignore);
    assert_eq!(set, ignore);
}

#[test]
fn a_checksum_that_nobody_recorded_or_that_was_never_applied_has_not_changed() {
    let mut imported = entry("a", Applied, Mode::Plain);
    imported.checksum = String::new();
    let mut failed = entry("a", RolledBack, Mode::Plain);
    failed.checksum = "v1:before".into();
    for entry in [imported, failed] {
        let plan = planned(vec![change("a", "1", Mode::Plain)], vec![entry], &Policies::default());
        assert!(plan.drifts.is_empty(), "{:?}", plan.drifts);
    }
}

#[test]
fn a_change_that_is_tried_again_is_not_out_of_order() {
    let changes = vec![change("a", "1", Mode::Plain), change("b", "2", Mode::Plain)];
    let entries = vec![entry("a", RolledBack, Mode::Plain), entry("b", Applied, Mode::Plain)];
    assert!(planned(changes, entries, &Policies::default()).drifts.is_empty());
}

#[test]
fn what_was_taken_back_is_not_out_of_order_again_but_what_was_held_is_late() {
    let late = |state, operation| {
        let changes = vec![change("a", "1", Mode::Plain), change("b", "2", Mode::Plain)];
        let mut taken_back = entry("a", state, Mode::Plain);
        taken_back.operation = operation;
        let entries = vec![taken_back, entry("b", Applied, Mode::Plain)];
        planned(changes, entries, &Policies::default()).drifts.len()
    };
    assert_eq!(late(RolledBack, Operation::Undo), 0);
    assert_eq!(late(ManualMarkedAsRolledBack, Operation::Ruling), 0);
    assert_eq!(late(RolledBack, Operation::Release), 1);
}
