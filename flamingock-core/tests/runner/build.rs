//! What `build()` refuses: everything at once, before any I/O.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, change, count, put};
use flamingock_core::change::{Body, Change, ChangeContext, Method, Param, ParamKind, Resources, Source};
use flamingock_core::memory::{MemoryMap, MemoryStore, MemoryTarget, MemoryTransaction};
use flamingock_core::pipeline::Stage;
use flamingock_core::target::{Mode, Session, SessionType, TargetSystem};
use flamingock_core::{BackendError, Flamingock, FlamingockBuilder};

fn problems(builder: FlamingockBuilder) -> Vec<String> {
    let error = builder.build().expect_err("something is wrong");
    error.problems.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(builder: FlamingockBuilder, expected: &str) {
    let problems = problems(builder);
    assert!(problems.iter().any(|problem| problem.contains(expected)), "{problems:#?}");
}

fn takes<T: ?Sized + 'static>(kind: ParamKind) -> Method {
    let param = Param {
        name: "it".into(),
        kind,
        type_id: TypeId::of::<T>(),
        type_name: std::any::type_name::<T>(),
        line: 12,
    };
    Method { params: vec![param], body: Body::Blocking(Arc::new(|_| Ok(()))) }
}

fn at(mut change: Change, file: &str, line: u32) -> Change {
    change.source = Source::new(file, line);
    change
}

fn in_module(mut change: Change, module: &str) -> Change {
    change.module = module.to_owned();
    change
}

#[test]
fn everything_that_is_wrong_is_listed_at_once_in_the_order_of_the_source() {
    let lost = at(change("lost", "1", "nowhere", takes::<()>(ParamKind::OptionalShared)), "src/b.rs", 4);
    let twice = at(put("same", "0003"), "src/a.rs", 9);
    let again = at(put("same", "3"), "src/a.rs", 20);
    let builder = Flamingock::builder().audit_store(MemoryStore::new()).target(MemoryTarget::new("db"));
    let error = [lost, twice, again]
        .into_iter()
        .fold(builder, FlamingockBuilder::change)
        .build()
        .expect_err("is wrong");
    assert_eq!(
        error.to_string(),
        "Flamingock cannot start, 4 problems:\n  \
         - there is no service name: add `.service(\"..\")`; it is part of every key\n  \
         - src/a.rs:20: change `same`: the id is used twice, also at src/a.rs:9\n  \
         - src/b.rs:4: change `lost`: target system `nowhere` is not known: there is `db`\n  \
         - src/a.rs:20: change `same`: order 3 is used twice in stage `default`, also by `same` at src/a.rs:9"
    );
}

#[test]
fn an_application_without_changes_or_store_is_refused() {
    let house = House::new();
    refused(
        house.builder([]).changes(flamingock_core::change::ChangeSet::new("no_such_crate")),
        "there are no changes",
    );
    let builder =
        Flamingock::builder().service("orders").change(put("a", "1")).target(MemoryTarget::new("db"));
    refused(builder, "there is no audit store");
}

#[test]
fn a_lease_that_nothing_can_keep_or_nobody_can_wait_for_is_refused() {
    let house = House::new();
    let with = |lease| house.builder([put("a", "1")]).lease(lease);
    refused(with(Duration::from_millis(99)), "a lease of 99ms is too short");
    refused(with(Duration::MAX), "is too long: a day is the most");
    for lease in [Duration::from_millis(100), Duration::from_secs(24 * 60 * 60)] {
        with(lease).build().expect("is right");
    }
}

#[test]
fn a_change_without_an_order_is_refused() {
    let mut unordered = put("a", "1");
    unordered.order = None;
    refused(House::new().builder([unordered]), "it has no order");
}

#[test]
fn two_target_systems_with_one_id_are_refused() {
    refused(
        House::new().builder([put("a", "1")]).target(MemoryTarget::new("db")),
        "there are two target systems `db`",
    );
}

#[test]
fn a_transactional_change_needs_a_target_with_transactions() {
    let mut wrong = count("a", "1");
    wrong.transactional = Some(true);
    refused(
        House::new().builder([wrong]),
        "`transactional = true`, but target system `flags` (memory) has no transactions",
    );
}

#[test]
fn a_missing_dependency_is_named_with_its_place() {
    let lacking = change("a", "1", "flags", takes::<u32>(ParamKind::Shared));
    refused(
        House::new().builder([lacking.clone()]),
        "tests/run.rs:12: change `a`: #[apply] parameter `it`: there is no dependency `u32`",
    );
    assert!(House::new().builder([lacking]).dependency(7_u32).build().is_ok());
}

#[test]
fn rollback_and_verify_are_checked_too() {
    let mut change = count("a", "1");
    change.rollback = Some(takes::<u32>(ParamKind::Shared));
    refused(House::new().builder([change]), "#[rollback] parameter `it`");
}

#[test]
fn the_session_is_exclusive_and_dependencies_are_shared() {
    let shared = change("a", "1", "db", takes::<MemoryTransaction>(ParamKind::Shared));
    refused(House::new().builder([shared]), "is the session of target system `db`: take it as `&mut`");
    let exclusive = change("a", "1", "flags", takes::<MemoryMap>(ParamKind::Exclusive));
    refused(House::new().builder([exclusive]), "is a shared dependency: take it as `&`");
    let wrong = change("a", "1", "db", takes::<u32>(ParamKind::Exclusive));
    refused(
        House::new().builder([wrong]),
        "has no `&mut u32` for a change that is transactional; it has `&mut ",
    );
}

#[test]
fn context_token_and_key_are_always_there_and_optional_ones_may_be_missing() {
    let context = change("a", "1", "flags", takes::<ChangeContext>(ParamKind::Shared));
    let optional = change("b", "2", "flags", takes::<dyn Send>(ParamKind::OptionalShared));
    assert!(House::new().builder([context, optional]).build().is_ok());
}

#[test]
fn a_type_of_another_version_of_its_crate_is_recognised_by_its_name() {
    let mut method = takes::<u64>(ParamKind::Shared);
    method.params[0].type_name = "u32";
    refused(House::new().builder([change("a", "1", "flags", method)]).dependency(7_u32), "two versions");
}

/// A target whose pool is only for changes without a transaction.
#[derive(Debug)]
struct Pooled {
    plain: Resources,
    transactional: Resources,
}

#[async_trait::async_trait]
impl TargetSystem for Pooled {
    fn id(&self) -> &str {
        "pooled"
    }
    fn kind(&self) -> &str {
        "pooled"
    }
    fn address(&self) -> String {
        String::new()
    }
    fn resources(&self, mode: Mode) -> &Resources {
        if mode == Mode::Plain { &self.plain } else { &self.transactional }
    }
    fn session_types(&self, _mode: Mode) -> Option<Vec<SessionType>> {
        Some(Vec::new())
    }
    async fn check(&self) -> Result<(), BackendError> {
        Ok(())
    }
    async fn open(&self, _mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(flamingock_core::target::PlainSession))
    }
}

#[test]
fn a_transactional_change_is_not_offered_what_gets_around_its_transaction() {
    let mut plain = Resources::new();
    plain.insert(7_u32);
    let target = || Pooled { plain: plain.clone(), transactional: Resources::new() };
    let mut change = change("a", "1", "pooled", takes::<u32>(ParamKind::Shared));
    refused(
        House::new().builder([change.clone()]).target(target()),
        "would get around the change's transaction",
    );
    change.transactional = Some(false);
    assert!(House::new().builder([change]).target(target()).build().is_ok());
}

#[test]
fn names_that_would_become_part_of_a_key_are_checked() {
    for (id, expected) in
        [("", "the id is empty"), ("a\0", "control character"), (&"x".repeat(256), "longer than 255")]
    {
        refused(House::new().builder([put(id, "1")]), expected);
    }
    refused(House::new().builder([put("a", "1")]).service("a\nb"), "control character");
    refused(House::new().builder([put("a", "1")]).profiles(["!x"]), "neither begins with `!`");
}

#[test]
fn stages_take_changes_by_name_and_by_the_most_specific_module() {
    let mut named = in_module(put("c", "1"), "app::changes");
    named.stage = Some("events".to_owned());
    let changes = [
        in_module(put("a", "1"), "app::changes::users"),
        in_module(put("b", "1"), "app::changes::events::topics"),
        named,
        in_module(put("d", "2"), "app::changes_of_another_kind"),
    ];
    let builder = House::new()
        .builder(changes)
        .stage(Stage::new("all").module("app::changes"))
        .stage(Stage::new("topics").module("app::changes::events"))
        .stage(Stage::new("events"));
    refused(builder, "change `d`: it is in no stage: module `app::changes_of_another_kind`");
    let builder = House::new()
        .builder([
            in_module(put("a", "1"), "app::changes::users"),
            in_module(put("b", "1"), "app::changes::events::topics"),
        ])
        .stage(Stage::new("all").module("app::changes"))
        .stage(Stage::new("topics").module("app::changes::events"));
    let app = builder.build().expect("is right");
    let stages: Vec<_> =
        app.pipeline().changes().map(|(stage, change)| (stage.name.as_str(), change.id.as_str())).collect();
    assert_eq!(stages, [("all", "a"), ("topics", "b")]);
}

#[test]
fn a_stage_that_is_not_declared_or_has_no_changes_is_refused() {
    let mut named = put("a", "1");
    named.stage = Some("events".to_owned());
    refused(House::new().builder([named]), "stage `events` is not declared");
    let builder =
        House::new().builder([in_module(put("a", "1"), "app")]).stage(Stage::new("all").module("app"));
    refused(builder.stage(Stage::new("empty").module("other")), "stage `empty` has no changes");
}

#[test]
fn profiles_choose_changes() {
    let with = |id: &str, order: &str, profiles: &[&str]| {
        let mut change = put(id, order);
        change.profiles = profiles.iter().map(|profile| (*profile).to_owned()).collect();
        change
    };
    let changes =
        || [with("always", "1", &[]), with("prod", "2", &["prod"]), with("not-prod", "3", &["!prod"])];
    let ids = |builder: FlamingockBuilder| {
        let app = builder.build().expect("is right");
        app.pipeline().changes().map(|(_, change)| change.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(House::new().builder(changes())), ["always", "not-prod"]);
    assert_eq!(ids(House::new().builder(changes()).profiles(["prod"])), ["always", "prod"]);
}

#[test]
fn the_digest_changes_with_what_would_be_done_and_not_with_the_order_of_linking() {
    let digest = |changes: Vec<Change>| House::new().app(changes).pipeline().digest.clone();
    let base = digest(vec![put("a", "1"), put("b", "2")]);
    assert_eq!(base, digest(vec![put("b", "2"), put("a", "1")]));
    assert_ne!(base, digest(vec![put("a", "2"), put("b", "1")]));
    let mut edited = put("b", "2");
    edited.checksum = "v1:edited".to_owned();
    assert_ne!(base, digest(vec![put("a", "1"), edited]));
}
