//! What is particular to Redis: how it is set up, how it fails, and what it forgets. Each case has a
//! server of its own.

mod failures;
mod forgetting;
mod runs;
mod settings;

use flamingock_core::audit::AuditState::Started;
use flamingock_core::audit::{Append, AuditEntry, AuditStore, Execution, Office};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use flamingock_store_redis::RedisAuditStore;
use flamingock_testing::conformance::Suite;
use flamingock_testing::entries::Chain;

use crate::server::own;

/// The settings of a server that keeps what it is given.
const DURABLE: [(&str, &str); 2] = [("appendonly", "yes"), ("appendfsync", "always")];

macro_rules! add {
    ($suite:ident, $($module:ident::$case:ident),* $(,)?) => {
        $($suite.case(stringify!($case), || Box::pin($module::$case()));)*
    };
}

pub(crate) fn suite() -> Suite {
    let mut suite =
        Suite::new("particular", "redis-own", own::available).timeout(std::time::Duration::from_secs(120));
    add![
        suite,
        settings::a_server_that_keeps_nothing_on_disk_is_refused_unless_told,
        settings::a_server_that_keeps_only_snapshots_is_refused,
        settings::a_server_that_evicts_is_refused,
        settings::a_server_that_is_weak_is_good_enough_for_a_lock,
        settings::a_server_that_hides_its_settings_is_taken,
        settings::a_node_of_a_cluster_is_refused_as_a_server,
        settings::a_wrong_password_is_denied_and_not_shown,
        settings::a_user_who_may_not_do_it_is_denied,
        settings::a_password_that_is_changed_in_between_is_denied,
        settings::a_prefix_that_cannot_be_used_is_refused_before_anything_is_sent,
        settings::stores_with_different_prefixes_do_not_touch_each_other,
        failures::nobody_at_the_port_is_one_clear_error,
        failures::a_frozen_server_is_one_clear_error_within_the_timeout,
        failures::a_lost_connection_is_opened_anew,
        failures::a_connection_outlives_the_runtime_that_opened_it,
        failures::scripts_that_the_server_forgot_are_sent_again,
        failures::a_full_server_takes_a_whole_append_or_nothing,
        failures::a_replica_can_be_read_and_not_written,
        failures::after_a_failover_the_old_primary_is_left_though_the_connection_lives,
        failures::a_log_that_is_ahead_of_its_head_is_corrupt_and_stays_as_it_is,
        failures::an_entry_that_is_gone_is_corrupt_and_named,
        forgetting::a_lock_that_lost_its_counter_still_fences_with_the_audit_in_memory,
        forgetting::a_lock_that_lost_its_counter_still_fences_with_the_audit_in_sqlite,
        forgetting::a_run_whose_lock_was_forgotten_and_taken_stops_and_the_other_goes_on,
        runs::a_start_with_nothing_to_do_is_one_command,
        runs::eight_instances_apply_fifty_changes_once_each,
    ];
    suite
}

fn orders() -> History {
    History::new("orders")
}

async fn take_office(store: &dyn AuditStore, lease: u64, run: &str) -> Result<Office, BackendError> {
    let execution = Execution { id: run.to_owned(), owner: format!("orders@host#{run}") };
    store.take_office(&orders(), FencingToken(lease), &execution).await
}

/// Appends a STARTED of each of these changes, together.
async fn append(store: &dyn AuditStore, office: &mut Office, changes: &[&str]) -> Result<(), BackendError> {
    let mut chain = Chain::of(office);
    let entries: Vec<AuditEntry> = changes.iter().map(|change| chain.next(change, Started)).collect();
    let append = Append { expected: office.head.sequence, entries: &entries, head: chain.head_change() };
    store.append(office, &append).await?;
    (office.head.sequence, office.head.hash) = (append.head.sequence, append.head.hash);
    Ok(())
}

async fn connect(url: &str) -> RedisAuditStore {
    RedisAuditStore::connect(url).await.expect("connect")
}

#[track_caller]
fn assert_fails<T: std::fmt::Debug>(
    outcome: Result<T, BackendError>,
    kind: BackendErrorKind,
    words: &[&str],
) -> BackendError {
    let error = outcome.expect_err("it should have failed");
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
    }
    error
}
