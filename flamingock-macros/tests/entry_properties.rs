//! What a change knows about itself after it was registered.

#![expect(elided_lifetimes_in_paths, reason = "a lifetime that is not written is in question")]

mod support;

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use flamingock::change::{Body, Change, ChangeKind, ParamKind, RecoveryStrategy, Resources};
use flamingock::prelude::*;

use support::{OneHandle, run};

flamingock::change_set!(CHANGES);

fn find<T: CodeChange>() -> Change {
    let mut changes = CHANGES.changes().into_iter();
    changes.find(|change| change.id == T::ID).unwrap_or_else(|| unreachable!("{} is registered", T::ID))
}

struct Connection<'c, DB> {
    log: Vec<String>,
    marker: std::marker::PhantomData<&'c DB>,
}

struct Postgres;

trait Clock: Send + Sync {
    fn hour(&self) -> u8;
}

struct Noon;

impl Clock for Noon {
    fn hour(&self) -> u8 {
        12
    }
}

struct Full;

const FULL_LINE: u32 = line!() + 4;

/// Orders need a code
/// before shipping.
#[change(
    id = "full",
    order = "0003",
    target_system = "orders-db",
    author = "shipping",
    transactional = false,
    recovery = always_retry,
    stage = "first",
    profiles = ["prod", "!test"],
    timeout = "1m 30s",
)]
impl Full {
    #[apply]
    async fn apply(
        db: &mut Connection<'_, Postgres>,
        clock: &dyn Clock,
        name: &str,
        limit: Option<&u32>,
        other: Option<&dyn Clock>,
        plain: &Vec<&str>,
    ) -> ChangeResult {
        let other = other.map(Clock::hour);
        db.log.push(format!("{} {name} {limit:?} {other:?} {plain:?}", clock.hour()));
        Ok(())
    }

    #[rollback]
    fn rollback(db: &mut Connection<Postgres>) -> Result<(), std::fmt::Error> {
        db.log.push("rollback".to_owned());
        Err(std::fmt::Error)
    }

    #[verify]
    async fn verify() -> Result<TargetState, String> {
        Ok(TargetState::PartiallyApplied)
    }
}

struct Small;

#[change(id = "small", order = 10, target_system = "orders-db", description = "by key")]
impl Small {
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

#[test]
fn every_key_reaches_the_change() {
    let change = find::<Full>();
    assert_eq!(change.id, "full");
    assert_eq!(change.order_text(), "0003");
    assert_eq!(change.target_system, "orders-db");
    assert_eq!(change.author.as_deref(), Some("shipping"));
    assert_eq!(change.description.as_deref(), Some("Orders need a code before shipping."));
    assert_eq!(change.transactional, Some(false));
    assert_eq!(change.recovery, RecoveryStrategy::AlwaysRetry);
    assert_eq!(change.stage.as_deref(), Some("first"));
    assert_eq!(change.profiles, ["prod", "!test"]);
    assert_eq!(change.timeout, Some(Duration::from_secs(90)));
    assert_eq!(change.kind, ChangeKind::Code);
}

#[test]
fn what_is_left_out_has_its_default() {
    let change = find::<Small>();
    assert_eq!(change.order_text(), "10");
    assert_eq!(change.description.as_deref(), Some("by key"));
    assert_eq!((change.author, change.stage), (None, None));
    assert_eq!(change.transactional, None);
    assert_eq!(change.recovery, RecoveryStrategy::ManualIntervention);
    assert_eq!(change.profiles, [""; 0]);
    assert_eq!(change.timeout, None);
    assert!(change.rollback.is_none() && change.verify.is_none());
}

#[test]
fn a_change_knows_where_it_is_written() {
    let change = find::<Full>();
    assert_eq!(change.source.file, file!());
    assert_eq!(change.source.line, FULL_LINE);
    assert_eq!(change.module, module_path!());
}

#[test]
fn a_change_has_a_checksum_of_version_1() {
    let (full, small) = (find::<Full>().checksum, find::<Small>().checksum);
    assert!(full.starts_with("v1:") && small.starts_with("v1:"));
    assert_ne!(full, small);
}

#[test]
fn parameters_are_known_by_name_kind_type_and_line() {
    let params = find::<Full>().apply.params;
    let names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names, ["db", "clock", "name", "limit", "other", "plain"]);

    use ParamKind::{Exclusive, OptionalShared, Shared};
    let kinds: Vec<ParamKind> = params.iter().map(|param| param.kind).collect();
    assert_eq!(kinds, [Exclusive, Shared, Shared, OptionalShared, OptionalShared, Shared]);

    let types: Vec<TypeId> = params.iter().map(|param| param.type_id).collect();
    assert_eq!(types[0], TypeId::of::<Connection<'static, Postgres>>());
    assert_eq!(types[1], TypeId::of::<dyn Clock>());
    assert_eq!(types[2], TypeId::of::<str>());
    assert_eq!(types[3], TypeId::of::<u32>());
    assert_eq!(types[4], TypeId::of::<dyn Clock>());
    assert_eq!(types[5], TypeId::of::<Vec<&'static str>>());
    assert!(params[0].type_name.starts_with("entry_properties::Connection<"), "{}", params[0].type_name);

    let first = find::<Full>().source.line + 14;
    let lines: Vec<u32> = params.iter().map(|param| param.line).collect();
    assert_eq!(lines, (first..first + 6).collect::<Vec<u32>>());
}

#[test]
fn methods_get_what_their_parameters_name() {
    let mut resources = Resources::new();
    resources.insert_arc::<dyn Clock>(Arc::new(Noon));
    resources.insert_arc::<str>(Arc::from("orders"));
    resources.insert(vec!["a"]);
    let connection = Connection::<'static, Postgres> { log: Vec::new(), marker: std::marker::PhantomData };
    let mut session = OneHandle(connection);
    let change = find::<Full>();

    run(&change.apply, Some(&mut session), &resources).unwrap();
    resources.insert(7_u32);
    run(&change.apply, Some(&mut session), &resources).unwrap();
    let error = run(&change.rollback.unwrap(), Some(&mut session), &resources).unwrap_err();
    let state = run(&change.verify.unwrap(), None, &resources).unwrap();

    assert_eq!(
        session.0.log,
        ["12 orders None Some(12) [\"a\"]", "12 orders Some(7) Some(12) [\"a\"]", "rollback"]
    );
    assert_eq!(error.type_name(), "core::fmt::Error");
    assert_eq!(state, TargetState::PartiallyApplied);
}

#[test]
fn a_missing_parameter_is_an_error_that_names_it() {
    let error = run(&find::<Full>().apply, None, &Resources::new()).unwrap_err().to_string();
    assert!(error.contains("`db`") && error.contains("Connection"), "{error}");
}

#[test]
fn a_method_runs_as_it_is_written() {
    let change = find::<Full>();
    assert!(matches!(change.apply.body, Body::Async(_)));
    assert!(matches!(change.rollback.unwrap().body, Body::Blocking(_)));
}
