use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::target::{Fence, Survey, TargetSystem};

use super::context::{Targets, fence, fence_of, mark, markers, undo, update};
use super::{TargetCase, transactional};
use crate::conformance::case::cases;

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        a_survey_before_the_first_fence_finds_nothing if transactional,
        a_survey_counts_what_is_done if transactional,
        a_survey_counts_its_own_history_alone if transactional,
        a_survey_names_other_services_that_have_one_of_the_ids if transactional,
        a_survey_of_many_and_awkward_ids_works if transactional,
    ]
}

async fn survey(target: &dyn TargetSystem, ids: &[&str]) -> Survey {
    markers(target).survey(&History::new("orders"), ids).await.expect("survey")
}

async fn a_survey_before_the_first_fence_finds_nothing(targets: Arc<Targets>) {
    let target = targets.open().await;
    assert_eq!(survey(&*target, &["a"]).await, Survey::default());
    targets.fenced(&fence(1, "run-1")).await;
    assert_eq!(survey(&*target, &["a"]).await, Survey::default());
}

async fn a_survey_counts_what_is_done(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    for (change, sequence) in ["a", "b", "c", "d"].into_iter().zip(1..) {
        mark(&*target, &fence, &update(change, sequence)).await;
    }
    mark(&*target, &fence, &undo("d", 9)).await;
    // Whatever was asked about.
    for ids in [&["a"] as &[&str], &[], &["x", "y"]] {
        assert_eq!(survey(&*target, ids).await, Survey { done: 3, other_services: Vec::new() });
    }
}

/// One change done in the history of another.
async fn done(targets: &Targets, history: &History, change: &str) -> (Arc<dyn TargetSystem>, Fence) {
    let fence = fence_of(history, 1, "run-1");
    let target = targets.fenced(&fence).await;
    mark(&*target, &fence, &update(change, 1)).await;
    (target, fence)
}

async fn a_survey_counts_its_own_history_alone(targets: Arc<Targets>) {
    done(&targets, &History::new("orders"), "a").await;
    done(&targets, &History::new("orders").tenant("t1"), "a").await;
    done(&targets, &History::new("orders").tenant("t1"), "b").await;
    done(&targets, &History::new("Orders"), "b").await;
    assert_eq!(survey(&*targets.open().await, &[]).await.done, 1);
}

async fn a_survey_names_other_services_that_have_one_of_the_ids(targets: Arc<Targets>) {
    done(&targets, &History::new("shop"), "a").await;
    done(&targets, &History::new("shop"), "b").await;
    done(&targets, &History::new("billing"), "b").await;
    done(&targets, &History::new("archive"), "B").await;
    done(&targets, &History::new("stock"), "c").await;
    let (target, fence) = done(&targets, &History::new("undone"), "a").await;
    mark(&*target, &fence, &undo("a", 2)).await;
    // The same service's other tenants have the same changes: that is no other service.
    done(&targets, &History::new("orders").tenant("t1"), "a").await;
    done(&targets, &History::new("orders"), "a").await;
    let target = targets.open().await;
    assert_eq!(survey(&*target, &["a", "b"]).await.other_services, ["billing", "shop"]);
    assert_eq!(survey(&*target, &["c"]).await.other_services, ["stock"]);
    assert_eq!(survey(&*target, &["x"]).await.other_services, Vec::<String>::new());
    assert_eq!(survey(&*target, &[]).await.other_services, Vec::<String>::new());
}

async fn a_survey_of_many_and_awkward_ids_works(targets: Arc<Targets>) {
    let awkward = ["it's", "say \"hi\"", "back\\slash", "🦩", "'; DROP TABLE x; --", "$1", "?", ""];
    for id in awkward {
        done(&targets, &History::new("shop"), id).await;
    }
    let target = targets.open().await;
    for id in awkward {
        assert_eq!(survey(&*target, &[id]).await.other_services, ["shop"], "`{id}`");
    }
    let many: Vec<_> = (0..5000).map(|n| format!("change-{n}")).collect();
    let mut many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(survey(&*target, &many).await.other_services, Vec::<String>::new());
    many.push("it's");
    assert_eq!(survey(&*target, &many).await.other_services, ["shop"]);
}
