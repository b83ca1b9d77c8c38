//! Kafka as a target system: the conformance suite, each operation of the helper, what goes wrong, and whole runs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a case of a suite fails by a panic, as any test does"
)]

mod configs;
mod failures;
mod fixture;
mod offsets;
mod proxy;
mod records;
mod runs;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod topics;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use flamingock_testing::conformance::{Suite, run, target_suite};

/// Adds cases: functions that are the test.
macro_rules! cases {
    ($suite:expr, $module:ident: $($name:ident),* $(,)?) => {
        $($suite.case(stringify!($name), || Box::pin($module::$name()));)*
    };
}

fn main() -> ExitCode {
    let available = || server::Broker::find().map(drop);
    let mut suite = Suite::new("changes", "kafka", available).timeout(Duration::from_secs(120));
    cases!(suite, topics:
        a_topic_is_created_as_described,
        a_topic_that_is_created_twice_is_created_once,
        another_topic_of_the_same_name_is_told_and_left_alone,
        a_topic_is_removed_with_its_records,
        a_topic_that_somebody_else_has_made_is_not_removed,
        a_topic_that_is_deleted_twice_is_deleted_once,
        partitions_are_added_up_to_a_number,
        partitions_cannot_be_taken_away,
        what_the_broker_refuses_is_told,
        a_topic_that_a_broker_does_not_know_yet_is_not_taken_for_absent,
        what_is_so_already_needs_no_permission,
    );
    cases!(suite, configs:
        configs_are_set_and_the_others_stay,
        configs_that_are_set_twice_are_set_once,
        configs_may_be_written_in_another_way_than_the_broker_does,
        configs_are_taken_away_again,
        what_a_topic_has_by_default_counts,
        a_value_that_the_broker_does_not_take_is_told,
    );
    cases!(suite, offsets:
        offsets_are_reset_to_the_beginning_and_the_end,
        offsets_are_reset_to_a_time,
        offsets_are_reset_to_what_they_were,
        offsets_that_do_not_exist_are_refused,
        a_group_with_active_consumers_is_not_touched,
    );
    cases!(suite, records:
        records_are_produced_once_however_often_the_change_is_applied,
        records_are_taken_back_only_where_they_are,
        a_refused_record_leaves_none_of_the_others,
        an_aborted_transaction_is_not_seen,
        a_dropped_transaction_is_not_seen_and_holds_nobody_up,
        a_stale_producer_is_fenced_by_the_broker,
        a_stale_run_that_wakes_late_produces_nothing,
        a_transaction_takes_more_records_than_fit_into_the_queue,
        a_transaction_that_was_open_for_too_long_is_not_taken_for_a_stale_one,
        a_stale_transaction_that_was_open_for_too_long_is_told_of_the_newer_run,
        messages_and_requests_may_take_longer_than_a_transaction_by_default,
        other_services_and_changes_have_marks_of_their_own,
        a_record_for_another_topic_is_refused,
        headers_keys_and_partitions_are_kept,
    );
    cases!(suite, failures:
        wrong_credentials_are_told_at_once,
        a_user_without_the_permission_is_told,
        configs_that_are_not_shown_are_not_replaced,
        a_broker_that_is_not_there_is_told_in_time,
        a_broker_that_does_not_answer_is_told_in_time,
        a_host_that_is_unknown_is_told,
        an_unknown_topic_is_told_and_not_created,
        a_broker_that_goes_away_in_the_middle_is_told_in_time,
        a_password_is_shown_nowhere,
        settings_that_cannot_work_are_told_before_any_io,
        a_commit_whose_answer_is_lost_is_known_afterwards,
        what_a_failed_change_has_begun_is_waited_for,
    );
    cases!(suite, runs:
        a_change_is_applied_and_undone,
        a_failed_change_is_compensated,
        a_killed_change_is_settled_by_verify,
        a_broker_that_is_down_at_the_start_leaves_nothing_to_settle,
        a_broker_that_dies_in_a_change_leaves_an_issue_that_verify_settles,
        a_change_that_is_too_slow_is_waited_for_and_compensated,
    );
    let suites = [target_suite(Arc::new(fixture::Kafka)), suite];
    #[cfg(feature = "tls")]
    let suites = suites.into_iter().chain([over_tls()]);
    run(suites)
}

/// Apart, since a broker that somebody names for the tests may not have it.
#[cfg(feature = "tls")]
fn over_tls() -> Suite {
    let available = || server::Broker::find()?.other("tls").map(drop);
    let mut suite = Suite::new("tls", "kafka-tls", available).timeout(Duration::from_secs(120));
    cases!(suite, tls:
        a_broker_with_a_private_ca_is_reached_with_its_certificate,
        a_broker_with_an_unknown_certificate_is_refused,
    );
    suite
}
