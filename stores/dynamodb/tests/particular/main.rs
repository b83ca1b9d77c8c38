//! What is particular to DynamoDB: its table, its errors, its limits and its lack of a clock.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a case of a suite fails by a panic, as any test does"
)]

mod instances;
mod lease;
#[path = "../server/mod.rs"]
mod server;
mod store;
mod table;

use std::process::ExitCode;

use flamingock_testing::conformance::{Suite, run};

/// Adds cases: functions that are the test.
macro_rules! cases {
    ($suite:expr, $module:ident: $($name:ident),* $(,)?) => {
        $($suite.case(stringify!($name), || Box::pin($module::$name()));)*
    };
}

fn main() -> ExitCode {
    let available = || server::endpoint().map(drop);
    let mut suite =
        Suite::new("particular", "dynamodb", available).timeout(std::time::Duration::from_secs(120));
    cases!(suite, table:
        the_table_is_created_and_awaited,
        a_table_that_is_missing_and_may_not_be_created_is_told,
        a_table_with_other_keys_is_refused,
        an_endpoint_that_refuses_connections_is_one_clear_error,
        an_endpoint_that_never_answers_is_one_clear_error_in_time,
        credentials_that_are_missing_are_denied,
        credentials_that_cannot_be_right_are_denied,
        credentials_that_expired_are_denied,
        credentials_whose_source_does_not_answer_are_asked_for_again,
        a_permission_that_is_missing_is_denied,
    );
    cases!(suite, store:
        reading_the_head_and_appending_are_one_request_each,
        an_entry_that_is_too_large_is_refused_and_the_office_stays,
        an_append_of_more_than_4_megabytes_is_refused,
        a_large_append_is_brought_up_to_date_by_the_next_office,
        a_change_recorded_after_a_large_append_stays_the_newest,
        an_append_whose_answer_is_lost_is_not_sent_again,
    );
    cases!(suite, lease:
        contenders_that_restart_often_take_over,
        contenders_that_watch_at_once_do_not_shorten_the_lease,
        what_was_watched_does_not_disturb_the_holder,
        a_holder_that_was_watched_for_a_lease_is_not_shown,
    );
    cases!(suite, instances:
        a_start_with_nothing_to_do_is_one_request,
        eight_instances_apply_fifty_changes_once_each_over_five_rounds,
    );
    run([suite])
}
