//! The real binary on real SQLite and on the servers that are there. Started as `cli app ..`, this program is the application that the
//! binary starts; else it runs the tests.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

mod app;
mod asking;
mod house;
mod looking;
mod ruling;
mod servers;
mod wrong;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

type Case = (&'static str, fn());

/// Each by its own name.
macro_rules! cases {
    ($($module:ident::$name:ident,)*) => { [$((stringify!($name), $module::$name as fn())),*] };
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|first| first == "app") {
        return app::main(&args[2..]);
    }
    let cases: Vec<Case> = cases![
        looking::status_of_a_service_that_is_up_to_date,
        looking::issues_are_listed_and_explained_with_the_commands_to_type,
        looking::the_life_of_a_change_is_shown,
        looking::the_audit_is_exported_with_every_field,
        looking::changed_deleted_and_swapped_rows_are_found_and_named,
        looking::a_rewritten_chain_is_found_by_what_was_noted_elsewhere,
        looking::a_hundred_thousand_entries_are_written_as_they_are_read,
        looking::a_reader_that_leaves_early_is_no_error,
        looking::every_command_has_help_with_an_example_and_completions_are_there,
        ruling::applied_means_that_it_does_not_run_and_rolled_back_that_it_runs_again,
        ruling::a_ruling_needs_a_reason_a_change_and_something_to_settle,
        ruling::through_the_application_the_target_has_its_say,
        ruling::what_the_guidance_prints_is_accepted_and_never_overrules_the_target,
        ruling::a_ruling_that_the_marker_contradicts_is_an_issue_with_commands_that_are_accepted,
        ruling::a_change_that_runs_is_locked_and_names_its_holder,
        ruling::a_lock_is_released_by_force_and_with_a_reason,
        ruling::a_tag_can_be_undone_to,
        asking::a_plan_is_saved_applied_and_refused_when_it_no_longer_holds,
        asking::a_run_is_narrowed_and_shown,
        asking::undo_asks_unless_it_is_told_not_to,
        asking::what_is_held_is_kept_out_and_named_until_it_is_released,
        asking::another_services_application_refuses,
        asking::marker_and_verify_are_asked_and_a_system_is_adopted,
        asking::an_application_that_dies_babbles_or_is_silent_is_a_clear_error,
        asking::a_signal_reaches_the_application_which_stops_at_a_safe_point,
        asking::an_application_that_hears_no_signal_is_killed_at_the_third,
        asking::an_application_has_the_same_commands_as_its_own,
        wrong::what_is_typed_wrong_is_a_usage_error_in_text_and_in_json,
        wrong::secrets_are_never_shown,
        wrong::a_configuration_with_a_mistake_is_explained,
        wrong::several_histories_are_listed_when_it_is_not_clear_which_is_meant,
        wrong::doctor_says_what_it_looked_at_and_upgrades_nothing,
        wrong::a_newer_format_and_a_file_that_is_no_audit_are_refused,
        wrong::colours_are_for_terminals_alone,
        wrong::a_new_change_gets_the_next_order,
    ]
    .into();
    let trial = |(name, case): Case| {
        Trial::test(name, move || {
            catch_unwind(AssertUnwindSafe(case)).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                Failed::from(
                    text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                        .unwrap_or_default(),
                )
            })
        })
    };
    let mut trials: Vec<Trial> = cases.into_iter().map(trial).collect();
    trials.extend(servers::CASES.map(|(variables, name, case)| {
        let is_there = |variable: &&str| std::env::var_os(variable).is_some_and(|url| !url.is_empty());
        trial((name, case)).with_ignored_flag(!variables.iter().all(is_there))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
