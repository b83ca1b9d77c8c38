//! What is particular to S3: its helpers on each server, races, failures, many objects, and whole runs.
#![expect(clippy::unwrap_used, reason = "a case of a suite fails by a panic, as any test does")]

mod buckets;
mod bulk;
mod failures;
mod objects;
mod runs;
#[path = "../server/mod.rs"]
mod server;
mod settings;
mod stops;
mod tls;

use std::process::ExitCode;
use std::time::Duration;

use aws_sdk_s3::Client;
use flamingock_target_s3::{Bulk, S3Changes};
use flamingock_testing::conformance::{Suite, run};

use crate::server::{Kind, Server, bucket_name};

/// A bucket of a case's own.
struct Place {
    server: Server,
    client: Client,
    s3: S3Changes,
    bucket: String,
}

impl Place {
    /// A name, and no bucket yet.
    fn empty(kind: Kind) -> Self {
        let server = kind.server().unwrap();
        let client = server.client();
        Self { s3: S3Changes::new(&client), server, client, bucket: bucket_name() }
    }

    async fn fresh(kind: Kind) -> Self {
        let place = Self::empty(kind);
        place.s3.create_bucket(&place.bucket).await.unwrap();
        place
    }

    async fn remove(self) {
        self.s3.empty_bucket(&self.bucket, &Bulk::new()).await.unwrap();
        self.s3.delete_bucket(&self.bucket).await.unwrap();
    }
}

fn main() -> ExitCode {
    run(Kind::ALL.map(|kind| {
        let mut suite = Suite::new("particular", kind.name(), move || kind.server().map(drop))
            .timeout(Duration::from_secs(120));
        macro_rules! cases {
            ($module:ident: $($case:ident),* $(,)?) => {{
                $(suite.case(stringify!($case), move || Box::pin($module::$case(kind)));)*
            }};
        }
        cases!(buckets:
            a_bucket_is_created_once_and_deleted_once,
            a_bucket_that_holds_objects_is_not_deleted,
            an_emptied_bucket_has_no_versions_and_no_unfinished_uploads,
            a_bucket_name_that_is_none_is_refused,
        );
        cases!(settings:
            statements_of_a_policy_are_added_and_removed_one_by_one,
            a_statement_that_is_added_leaves_the_head_of_the_policy,
            cors_rules_are_added_and_removed_one_by_one,
            tags_are_added_and_removed_one_by_one,
            a_setting_of_a_bucket_that_is_not_there_is_an_error,
        );
        cases!(objects:
            an_object_is_created_once,
            an_object_is_replaced_only_if_it_is_the_one_that_was_read,
            an_object_is_put_and_deleted,
            an_object_of_another_type_is_another_one,
            an_object_in_a_bucket_that_is_not_there_is_an_error,
            of_several_that_create_an_object_one_does,
            of_several_that_replace_an_object_one_does,
            a_creation_whose_answer_was_lost_is_known,
            keys_may_have_any_characters,
        );
        cases!(bulk:
            a_copy_that_was_interrupted_goes_on_where_it_stopped,
            a_deletion_that_was_interrupted_goes_on_where_it_stopped,
            a_copy_that_differs_is_made_again,
            a_copy_with_another_etag_is_never_taken_for_missing,
            what_would_destroy_more_than_was_meant_is_refused,
            a_copy_that_would_replace_its_originals_is_refused_before_it_begins,
        );
        cases!(failures:
            a_server_that_refuses_connections_is_one_clear_error,
            a_server_that_never_answers_is_one_clear_error_in_time,
            a_server_that_dies_in_a_request_is_one_clear_error_in_time,
            missing_credentials_are_one_clear_error,
        );
        cases!(tls: a_server_of_a_private_authority_is_trusted_when_told);
        cases!(runs:
            a_change_is_applied_once_and_undone,
            a_failed_change_is_compensated,
            a_server_that_dies_in_a_change_leaves_an_issue_that_verify_settles,
        );
        cases!(stops:
            what_a_stopped_change_has_sent_is_waited_for_and_compensated,
            what_a_failed_change_has_sent_is_waited_for,
            an_upload_that_was_given_up_half_way_does_not_go_on,
            a_copy_that_fails_ends_with_all_that_is_under_way,
        );
        match kind {
            Kind::Moto => {
                cases!(settings:
                    lifecycle_rules_are_added_and_removed_one_by_one,
                    encryption_is_set_and_removed,
                    motos_versioning_cannot_be_read,
                );
                cases!(buckets:
                    moto_takes_a_bucket_of_somebody_else_for_ours,
                    in_us_east_1_a_bucket_is_created_once_as_well,
                );
                cases!(failures: moto_takes_any_credentials);
            }
            Kind::Versitygw => {
                cases!(settings:
                    versioning_is_switched_on_and_suspended,
                    lifecycle_and_encryption_are_unsupported,
                );
                cases!(buckets: a_bucket_of_somebody_else_is_taken);
                cases!(failures: wrong_credentials_are_one_clear_error);
                // moto hangs up instead.
                cases!(stops:
                    what_a_stopped_change_has_sent_and_nobody_answers_is_not_compensated,
                    what_broke_after_it_was_sent_may_still_take_effect,
                );
                cases!(runs: a_bucket_of_somebody_else_stops_the_run_and_is_compensated);
            }
        }
        suite
    }))
}
