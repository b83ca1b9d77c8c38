//! Which rulings are permitted, and what the refused ones are told.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, count, on_db, on_flags, orders, plain, put, tx, verify_flags};
use Resolution::{Applied, RolledBack};
use flamingock_core::audit::{AuditState, Evidence, Operation};
use flamingock_core::change::{Change, RecoveryStrategy, TargetState};
use flamingock_core::operate::{Baseline, Operator, Resolution, Ruling, Undo};
use flamingock_core::pipeline::Stage;
use flamingock_core::{Flamingock, RunErrorKind};

const SHORT: Duration = Duration::from_millis(50);

fn operator(house: &House) -> Operator {
    Operator::new(Arc::new(house.store.clone()), Arc::new(house.store.clone()), orders()).lock_wait(SHORT)
}

fn ruling(resolution: Resolution) -> Ruling {
    Ruling::new("a", resolution, "looked at it")
}

/// Asks the target first; the evidence that was recorded, or why it was refused.
async fn rule(app: &Flamingock, ruling: Ruling) -> Result<Evidence, String> {
    match app.rule(&ruling, SHORT).await {
        Ok(ruled) => Ok(ruled.entry.evidence),
        Err(error) => {
            assert_eq!(error.kind(), RunErrorKind::Refused);
            Err(error.to_string())
        }
    }
}

#[track_caller]
fn refused(ended: Result<Evidence, String>, why: &str) {
    let message = ended.expect_err("is refused");
    assert!(message.contains(why), "{message}");
}

fn quota() -> Change {
    plain("a", "1", |_| Err("quota".into()))
}

fn says(mut change: Change, state: TargetState) -> Change {
    change.verify = Some(verify_flags(move |_| Ok(state)));
    change
}

/// Cuts the audit store off while the change runs: STARTED stays.
async fn cut_off(house: &House, fails: bool) -> Flamingock {
    let store = house.store.clone();
    let change = tx("a", "1", move |db| {
        store.set_online(false);
        db.put("a", "applied")?;
        if fails { Err("no".into()) } else { Ok(()) }
    });
    let app = house.builder([change]).operation_timeout(SHORT).build().expect("is wired");
    app.run().await.expect_err("the store is down");
    house.store.set_online(true);
    house.expire_lock().await;
    app
}

#[tokio::test]
async fn what_a_marker_says_of_an_uncertain_change_stands_against_a_ruling() {
    // It was committed.
    let house = House::new();
    let app = cut_off(&house, false).await;
    refused(rule(&app, ruling(RolledBack)).await, "by its marker it has it");
    // Ruled without the application, and so without the target.
    operator(&house).rule(&ruling(Applied).force(true)).await.expect("rules");
    refused(rule(&app, ruling(RolledBack).correct(true)).await, "by its marker it has it");

    // It was not.
    let house = House::new();
    let app = cut_off(&house, true).await;
    refused(rule(&app, ruling(Applied)).await, "by its marker it has it not");
    assert_eq!(rule(&app, ruling(RolledBack)).await, Ok(Evidence::None));

    // It was undone.
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    let store = house.store.clone();
    let mut undone = put("a", "1");
    undone.rollback = Some(on_db(move |db| {
        store.set_online(false);
        Ok(db.remove("a")?)
    }));
    let app = house.builder([undone]).operation_timeout(SHORT).build().expect("is wired");
    app.undo(&["a"]).await.expect_err("the store is down");
    house.store.set_online(true);
    house.expire_lock().await;
    refused(rule(&app, ruling(Applied)).await, "by its marker it has it not");
    assert_eq!(rule(&app, ruling(RolledBack)).await, Ok(Evidence::None));
}

#[tokio::test]
async fn force_never_overrules_what_the_target_says() {
    // Typed as it is printed for whoever has no application, which cannot ask the target.
    let house = House::new();
    let app = cut_off(&house, false).await;
    refused(rule(&app, ruling(RolledBack).force(true)).await, "--against-target");
    assert_eq!(rule(&app, ruling(Applied).force(true)).await, Ok(Evidence::None));

    let house = House::new();
    let app = cut_off(&house, true).await;
    refused(rule(&app, ruling(Applied).force(true)).await, "--against-target");
    assert_eq!(rule(&app, ruling(Applied).against_target(true)).await, Ok(Evidence::Overruled));
}

#[tokio::test]
async fn a_marker_that_was_overruled_says_nothing_any_more() {
    let house = House::new();
    let app = house.app([put("a", "1")]);
    app.run().await.expect("applies");
    let overruled = ruling(RolledBack).correct(true).against_target(true);
    assert_eq!(rule(&app, overruled).await, Ok(Evidence::Overruled));
    refused(rule(&app, ruling(Applied).correct(true)).await, "by its marker it has it not");
}

#[tokio::test]
async fn where_the_target_cannot_tell_an_issue_is_for_the_operator_to_rule_on() {
    for resolution in [Applied, RolledBack] {
        let house = House::new();
        let app = house.app([quota()]);
        app.run().await.expect_err("fails");
        assert_eq!(rule(&app, ruling(resolution)).await, Ok(Evidence::None));
    }
    let house = House::new();
    house.app([quota()]).run().await.expect_err("fails");
    let app = house.app([says(quota(), TargetState::Applied)]);
    refused(rule(&app, ruling(RolledBack)).await, "by its verify it has it.");
    assert_eq!(rule(&app, ruling(Applied)).await, Ok(Evidence::None));
}

#[tokio::test]
async fn only_the_target_of_the_change_itself_is_asked() {
    let house = House::new();
    let mut other = says(count("other", "0"), TargetState::NotApplied);
    other.target_system = "flags".to_owned();
    let app = house.app([other, quota()]);
    app.run().await.expect_err("fails");
    assert_eq!(rule(&app, ruling(Applied)).await, Ok(Evidence::None));
}

#[tokio::test]
async fn a_change_that_may_be_retried_is_ruled_on_where_its_target_agrees() {
    let retried = |state: Option<TargetState>| {
        let mut change = quota();
        change.recovery = RecoveryStrategy::AlwaysRetry;
        state.into_iter().fold(change, says)
    };
    let fails = async |state| {
        let house = House::new();
        house.app([retried(None)]).run().await.expect_err("fails");
        house.app([retried(state)])
    };
    let app = fails(None).await;
    refused(rule(&app, ruling(Applied)).await, "may be retried");
    refused(rule(&app, ruling(Applied).correct(true)).await, "may be retried");
    assert_eq!(rule(&app, ruling(Applied).force(true)).await, Ok(Evidence::None));
    let app = fails(Some(TargetState::Applied)).await;
    refused(rule(&app, ruling(RolledBack)).await, "may be retried");
    assert_eq!(rule(&app, ruling(Applied)).await, Ok(Evidence::None));
    let app = fails(Some(TargetState::NotApplied)).await;
    refused(rule(&app, ruling(Applied)).await, "may be retried");
    assert_eq!(rule(&app, ruling(RolledBack)).await, Ok(Evidence::None));
}

#[tokio::test]
async fn what_is_rolled_back_already_is_no_issue() {
    let fails = async || {
        let house = House::new();
        house.app([tx("a", "1", |_| Err("no".into()))]).run().await.expect_err("fails");
        house
    };
    let house = fails().await;
    let app = house.app([put("a", "1")]);
    for ruling in [ruling(RolledBack), ruling(RolledBack).force(true)] {
        refused(rule(&app, ruling).await, "is no issue");
    }
    assert_eq!(rule(&app, ruling(RolledBack).correct(true)).await, Ok(Evidence::None));

    // Ruled so: a second time only against the target's marker.
    for ruling in [ruling(RolledBack), ruling(RolledBack).correct(true).force(true)] {
        refused(rule(&app, ruling).await, "was ruled rolled back already");
    }
    for ruling in [ruling(Applied), ruling(Applied).force(true)] {
        refused(rule(&app, ruling).await, "is settled: MANUAL_MARKED_AS_ROLLED_BACK");
    }
    assert_eq!(rule(&app, ruling(RolledBack).against_target(true)).await, Ok(Evidence::Overruled));
    app.run().await.expect("applies");
}

#[tokio::test]
async fn held_changes_are_released_together_each_once() {
    let house = House::new();
    let undoable = |id: &str, order: &str| {
        let mut change = count(id, order);
        change.rollback = Some(on_flags(|_| Ok(())));
        change
    };
    let app = house.app([undoable("a", "1"), undoable("b", "2")]);
    app.run().await.expect("applies");
    let ids = ["a".to_owned(), "b".to_owned()];
    app.undo_with(&Undo { changes: ids.to_vec(), hold: true, ..Undo::default() }).await.expect("holds");
    let twice = [&ids[..], &ids[..]].concat();
    let released = operator(&house).release(&twice, "jane", "").await.expect("releases");
    let told: Vec<_> =
        released.iter().map(|entry| (entry.change.as_str(), entry.operation, entry.state)).collect();
    let state = Some(AuditState::RolledBack);
    assert_eq!(told, [("a", Operation::Release, state), ("b", Operation::Release, state)]);
}

/// The rulings that an error proposes, in its words.
fn proposed(error: &str) -> Vec<(String, Ruling)> {
    let commands = error.split('`').filter(|text| text.starts_with("flamingock audit fix "));
    let parse = |command: &str| {
        let has = |flag: &str| command.split(' ').any(|word| word == flag);
        let after =
            |flag: &str| command.split(' ').skip_while(|word| *word != flag).nth(1).expect("is there");
        let resolution = Resolution::parse(after("-r")).expect("is one");
        let ruling = Ruling::new(after("-c"), resolution, after("--reason"))
            .seen(after("--seen").parse().expect("a number"))
            .correct(has("--override"))
            .force(has("--force"))
            .against_target(has("--against-target"));
        (command.to_owned(), ruling)
    };
    commands.map(parse).collect()
}

#[derive(Debug, Clone, Copy)]
enum Issue {
    Plain,
    PartiallyApplied,
    Removed,
    OfAStageThatIsGone,
    Moved,
    RemovedAndAlwaysRetried,
    RuledAgainstTheMarker,
}

/// Leaves `a` as an issue, and returns the application that finds it so.
async fn leaves(house: &House, issue: Issue) -> Flamingock {
    match issue {
        Issue::Plain => {
            house.app([quota()]).run().await.expect_err("fails");
            house.app([quota()])
        }
        Issue::PartiallyApplied => {
            let store = house.store.clone();
            let half = tx("a", "1", move |db| {
                db.implicit_commit()?;
                store.set_online(false);
                Err("no".into())
            });
            let app = house.builder([half]).operation_timeout(SHORT).build().expect("is wired");
            app.run().await.expect_err("the store is down");
            house.store.set_online(true);
            house.expire_lock().await;
            house.app([put("a", "1")])
        }
        Issue::Removed => {
            cut_off(house, false).await;
            house.app([put("b", "2")])
        }
        Issue::OfAStageThatIsGone => {
            cut_off(house, false).await;
            let mut other = put("b", "2");
            other.stage = Some("other".to_owned());
            house.builder([other]).stage(Stage::new("other")).build().expect("is wired")
        }
        Issue::Moved => {
            cut_off(house, false).await;
            house.app([count("a", "1")])
        }
        Issue::RemovedAndAlwaysRetried => {
            let mut retried = quota();
            retried.recovery = RecoveryStrategy::AlwaysRetry;
            house.app([retried]).run().await.expect_err("fails");
            house.app([put("b", "2")])
        }
        Issue::RuledAgainstTheMarker => {
            house.app([put("a", "1")]).run().await.expect("applies");
            operator(house).rule(&ruling(RolledBack).correct(true)).await.expect("rules");
            house.app([put("a", "1")])
        }
    }
}

#[tokio::test]
async fn what_a_start_proposes_for_an_issue_is_accepted_with_and_without_the_application() {
    let issues = [
        Issue::Plain,
        Issue::PartiallyApplied,
        Issue::Removed,
        Issue::OfAStageThatIsGone,
        Issue::Moved,
        Issue::RemovedAndAlwaysRetried,
        Issue::RuledAgainstTheMarker,
    ];
    for (issue, index, asked) in issues
        .into_iter()
        .flat_map(|issue| [(issue, 0, false), (issue, 1, false), (issue, 0, true), (issue, 1, true)])
    {
        let house = House::new();
        let app = leaves(&house, issue).await;
        let error = app.run().await.expect_err("is an issue");
        assert_eq!(error.kind(), RunErrorKind::Issue);
        let text = error.to_string();
        assert!(!text.contains("on ``"), "{text}");
        let [applied, rolled_back] = &proposed(&text)[..] else { panic!("{issue:?}: {text}") };
        let (command, ruling) = [applied, rolled_back][index];
        let ruled = match asked {
            true => rule(&app, ruling.clone()).await.map(drop),
            false => operator(&house).rule(ruling).await.map(drop).map_err(|error| error.to_string()),
        };
        ruled.unwrap_or_else(|refused| panic!("{issue:?}: {command}: {refused}"));
        if let Err(error) = app.run().await {
            assert_ne!(error.kind(), RunErrorKind::Issue, "{issue:?}: {command}: {error}");
        }
    }
}

#[tokio::test]
async fn what_is_proposed_is_quoted_for_a_shell_and_says_whose_it_is() {
    for (tenant, whose) in [("", " --service orders"), ("acme", " --service orders --tenant acme")] {
        let house = House::new();
        let broken = plain("add index", "1", |_| Err("no".into()));
        let app = house.builder([broken]).tenant(tenant).build().expect("is wired");
        app.run().await.expect_err("fails");
        let error = app.run().await.expect_err("is an issue").to_string();
        let fix = format!("`flamingock audit fix -c 'add index'{whose} -r APPLIED --seen 2 --reason ..`");
        assert!(error.contains(&fix), "{error}");
        assert!(error.contains(&format!("`flamingock issue get -c 'add index'{whose}`")), "{error}");
    }
}

#[tokio::test]
async fn a_baseline_that_is_refused_says_which_ruling_is_accepted() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    operator(&house).rule(&ruling(RolledBack).correct(true)).await.expect("rules");
    let app = house.app([put("a", "1")]);
    let baseline = Baseline { to: "a".to_owned(), reason: None, operator: None };
    let error = app.baseline(&baseline).await.expect_err("is refused").to_string();
    assert!(
        error.contains("`flamingock audit fix -c a --service orders -r APPLIED --override --reason ..`"),
        "{error}"
    );
}
