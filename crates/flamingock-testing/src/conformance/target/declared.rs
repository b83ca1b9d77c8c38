use std::any::TypeId;
use std::sync::Arc;

use flamingock_core::BackendErrorKind;
use flamingock_core::target::{Mode, Session};

use super::TargetCase;
use super::context::{Targets, fence};
use crate::conformance::case::cases;
use crate::conformance::support::{assert_fails, assert_hidden, shown};

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        it_supports_the_modes_it_declares_and_no_other,
        what_is_fixed_at_construction_stays_the_same,
        a_session_has_a_handle_of_every_type_that_its_mode_names,
        a_session_has_no_handle_of_another_type,
        a_target_with_transactions_keeps_markers,
        check_reaches_the_target,
        check_changes_nothing_that_a_session_would_see,
        a_target_that_is_not_reached_is_unavailable if |c| c.unplugs,
        no_secret_is_shown if |c| c.secret.is_some(),
    ]
}

const MODES: [Mode; 2] = [Mode::Transactional, Mode::Plain];

async fn it_supports_the_modes_it_declares_and_no_other(targets: Arc<Targets>) {
    let target = targets.open().await;
    for mode in MODES {
        let named = target.session_types(mode).is_some();
        assert_eq!(named, targets.capabilities.supports(mode), "{mode:?}");
    }
}

async fn what_is_fixed_at_construction_stays_the_same(targets: Arc<Targets>) {
    let target = targets.open().await;
    let fixed = || {
        let types = MODES.map(|mode| target.session_types(mode));
        let resources = MODES.map(|mode| {
            let mut names: Vec<_> = target.resources(mode).type_names().collect();
            names.sort_unstable();
            names
        });
        (target.id().to_owned(), target.kind().to_owned(), target.address(), types, resources)
    };
    let before = fixed();
    assert!(!before.0.is_empty(), "no id");
    assert!(!before.1.is_empty(), "no kind");
    target.check().await.expect("check");
    for mode in &targets.capabilities.modes {
        target.open(*mode).await.expect("open a session").rollback().await.expect("close it");
    }
    assert_eq!(fixed(), before);
}

/// The types that the modes name, each once.
fn named(target: &dyn flamingock_core::target::TargetSystem, mode: Mode) -> Vec<TypeId> {
    target.session_types(mode).unwrap_or_default().into_iter().map(|session_type| session_type.id).collect()
}

async fn a_session_has_a_handle_of_every_type_that_its_mode_names(targets: Arc<Targets>) {
    let target = targets.open().await;
    for mode in &targets.capabilities.modes {
        let mut session = target.open(*mode).await.expect("open a session");
        for id in named(&*target, *mode) {
            let handle = session.handle(id).expect("a handle of the type it names");
            assert_eq!((*handle).type_id(), id, "the handle is of another type");
        }
        session.rollback().await.expect("close it");
    }
}

async fn a_session_has_no_handle_of_another_type(targets: Arc<Targets>) {
    struct Unknown;

    let target = targets.open().await;
    for mode in &targets.capabilities.modes {
        let mut session = target.open(*mode).await.expect("open a session");
        let of_this_mode = named(&*target, *mode);
        let mut others = vec![TypeId::of::<Unknown>(), TypeId::of::<()>(), TypeId::of::<Box<dyn Session>>()];
        others.extend(MODES.iter().flat_map(|mode| named(&*target, *mode)));
        for id in others.into_iter().filter(|id| !of_this_mode.contains(id)) {
            assert!(session.handle(id).is_none(), "a handle of a type that {mode:?} does not name");
        }
        session.rollback().await.expect("close it");
    }
}

async fn a_target_with_transactions_keeps_markers(targets: Arc<Targets>) {
    let kept = targets.open().await.markers().is_some();
    assert_eq!(kept, targets.capabilities.supports(Mode::Transactional));
}

async fn check_reaches_the_target(targets: Arc<Targets>) {
    targets.open().await.check().await.expect("check");
}

async fn check_changes_nothing_that_a_session_would_see(targets: Arc<Targets>) {
    let target = targets.open().await;
    for _ in 0..3 {
        target.check().await.expect("check");
    }
    assert!(!targets.has("a").await);
}

async fn a_target_that_is_not_reached_is_unavailable(targets: Arc<Targets>) {
    use BackendErrorKind::Unavailable;

    let target = targets.open().await;
    let mode = targets.capabilities.modes[0];
    targets.place.unplug().await.expect("the fixture unplugs its target");
    let mut errors = vec![assert_fails(target.check().await, Unavailable)];
    errors.push(assert_fails(target.open(mode).await.map(|_| "a session"), Unavailable));
    if let Some(markers) = target.markers() {
        let fence = fence(1, "run-1");
        errors.push(assert_fails(markers.raise_fence(&fence).await, Unavailable));
        // Not `None`: nothing may be concluded from a look that did not happen.
        errors.push(assert_fails(markers.marker(&fence.history, "a").await, Unavailable));
        errors.push(assert_fails(markers.survey(&fence.history, &["a"]).await, Unavailable));
    }
    if let Some(secret) = &targets.capabilities.secret {
        assert_hidden(secret, errors.iter().map(shown));
    }
}

async fn no_secret_is_shown(targets: Arc<Targets>) {
    let secret = targets.capabilities.secret.clone().expect("declared");
    let target = targets.open().await;
    assert_hidden(&secret, [target.address(), format!("{target:?}"), format!("{target:#?}")]);
}
