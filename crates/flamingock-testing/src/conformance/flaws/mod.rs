//! That the suites bite: implementations with one flaw each fail the case that is about it.

mod stores;
mod targets;

use std::fmt::Debug;
use std::sync::{Arc, Once};

use libtest_mimic::Completion;

use self::stores::{StoreFlaw, Stores};
use self::targets::{TargetFlaw, Targets};
use super::{Suite, audit_store_suite, lock_suite, target_suite};

/// Runs one case; whether it passed.
fn passes(suite: Suite, name: &str) -> bool {
    // The panics of cases that are to fail would look like failures of these tests.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let (_, run) = suite.into_cases().into_iter().find(|case| case.0 == name).expect("a case of this name");
    run().is_ok()
}

/// An error unless `case` passes without the flaw and fails with it.
fn finds<F: Copy + Debug>(suite: impl Fn(Option<F>) -> Suite, flaw: F, case: &str) -> Result<(), String> {
    if !passes(suite(None), case) {
        return Err(format!("`{case}` fails without a flaw"));
    }
    if passes(suite(Some(flaw)), case) { Err(format!("`{case}` misses {flaw:?}")) } else { Ok(()) }
}

#[test]
fn each_flaw_of_an_audit_store_fails_the_case_about_it() -> Result<(), String> {
    use StoreFlaw::{
        AppendInTwo, DigestsStay, ExecutionIgnored, HeadBehind, HistoriesFolded, LatestByTime, TokenIgnored,
    };
    for (flaw, case) in [
        (TokenIgnored, "an_append_under_an_old_token_is_refused_and_writes_nothing"),
        (TokenIgnored, "an_append_after_a_newer_run_took_office_is_refused_and_writes_nothing"),
        (ExecutionIgnored, "an_append_with_the_right_token_and_another_execution_is_refused"),
        (AppendInTwo, "a_reader_never_sees_half_an_append"),
        (HeadBehind, "head_shows_what_another_handle_appended_a_moment_ago"),
        (DigestsStay, "an_append_replaces_digests_and_verdict"),
        (LatestByTime, "latest_goes_by_sequence_and_not_by_the_time_recorded"),
        (HistoriesFolded, "histories_that_differ_in_case_or_trailing_space_are_different"),
    ] {
        let suite = |flaw| audit_store_suite(Arc::new(Stores(flaw)));
        finds(suite, flaw, &format!("flawed::audit_store::{case}"))?;
    }
    Ok(())
}

#[test]
fn each_flaw_of_a_lock_fails_the_case_about_it() -> Result<(), String> {
    use StoreFlaw::{BreakKeepsOffice, EachIsGiven, ExtendIsNeverLost, ReleaseOfAny};
    for (flaw, case) in [
        (EachIsGiven, "of_16_that_acquire_at_once_one_wins"),
        (EachIsGiven, "asking_for_a_held_lock_changes_nothing"),
        (ExtendIsNeverLost, "extend_of_a_lock_that_another_holds_now_fails_and_changes_nothing"),
        (ExtendIsNeverLost, "extend_after_expiry_and_takeover_fails_and_changes_nothing"),
        (ReleaseOfAny, "release_of_a_lock_that_another_holds_now_changes_nothing"),
        (BreakKeepsOffice, "breaking_the_lock_puts_its_holder_out_of_office"),
    ] {
        let suite = |flaw| lock_suite(Arc::new(Stores(flaw)));
        finds(suite, flaw, &format!("flawed::lock::{case}"))?;
    }
    Ok(())
}

#[test]
fn each_flaw_of_a_target_fails_the_case_about_it() -> Result<(), String> {
    use TargetFlaw::{
        AbortCommits, DoneOverwritten, FenceIgnored, FinishNeverFails, LookDoesNotWait, RaiseDoesNotWait,
    };
    for (flaw, case) in [
        (LookDoesNotWait, "a_marker_look_waits_for_an_open_transaction_and_sees_its_commit"),
        (LookDoesNotWait, "a_marker_look_that_waited_too_long_fails_and_concludes_nothing"),
        (RaiseDoesNotWait, "raising_a_fence_waits_for_a_transaction_open_under_an_older_one"),
        (FenceIgnored, "a_transaction_under_an_older_fence_is_fenced_and_writes_nothing"),
        (FenceIgnored, "raising_a_fence_waits_for_a_transaction_open_under_an_older_one"),
        (DoneOverwritten, "begun_is_refused_when_done_stands"),
        (DoneOverwritten, "of_16_that_apply_a_change_at_once_under_one_fence_one_does"),
        (FinishNeverFails, "finish_fails_when_the_change_rolled_back_its_own_transaction"),
        (AbortCommits, "what_a_transaction_did_is_gone_after_abort"),
    ] {
        let suite = |flaw| target_suite(Arc::new(Targets(flaw)));
        finds(suite, flaw, &format!("flawed::target::{case}"))?;
    }
    Ok(())
}

#[test]
fn what_is_not_there_is_ignored_and_never_passed() {
    let cases = lock_suite(Arc::new(stores::Absent)).into_cases();
    assert!(!cases.is_empty());
    for (name, run) in cases {
        assert!(matches!(run(), Ok(Completion::Ignored { reason: Some(_) })), "{name}");
    }
}
