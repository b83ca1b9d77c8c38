use super::*;
use crate::changes::mixed::specs;
use crate::kinds::{Fresh, Kind as PlaceKind};

const SEED: u64 = 1;

/// What is there after undisturbed starts.
async fn undisturbed() -> Evidence {
    let Fresh { place, .. } = &PlaceKind::Sqlite.fresh().await.expect("a place");
    let builder = place.builder().await.expect("opens");
    let app = place.mixed(SEED, builder).expect("a folder").build().expect("is right");
    // What fails at first does so one after the other.
    while app.run().await.is_err() {}
    Evidence::gather(place, &specs(SEED)).await.expect("is readable")
}

fn broken(evidence: &Evidence, acknowledged: &Acknowledged) -> String {
    Rules { specs: &specs(SEED), evidence, ddl_commits: false }.broken(acknowledged).join("\n")
}

fn first_of(wanted: impl Fn(&Spec) -> bool) -> Spec {
    specs(SEED).into_iter().find(|spec| wanted(spec)).expect("each kind is there")
}

#[tokio::test]
async fn whatever_is_tampered_with_is_seen() {
    let nothing = Acknowledged::default();
    let mut evidence = undisturbed().await;
    assert_eq!(broken(&evidence, &nothing), "");
    let rules = Rules { specs: &specs(SEED), evidence: &evidence, ddl_commits: false };
    assert_eq!((rules.open().count(), rules.ambiguous().len()), (0, 0));
    let (entries, traces) = (evidence.entries.clone(), evidence.traces.clone());

    let lost = entries.len() / 2;
    evidence.entries.remove(lost);
    assert!(broken(&evidence, &nothing).contains("chain is broken"));
    evidence.entries.clone_from(&entries);

    evidence.entries.pop();
    assert!(broken(&evidence, &nothing).contains("the head does not fit"));
    evidence.entries.clone_from(&entries);

    let other = Acknowledged { heads: vec![(1, ChainHash::GENESIS)], ..Acknowledged::default() };
    assert!(broken(&evidence, &other).contains("acknowledged entry 1 is lost"));
    let attempts = [("run".to_owned(), entries[0].change.clone(), 1)].into();
    let other = Acknowledged { attempts, ..Acknowledged::default() };
    assert!(broken(&evidence, &other).contains("acknowledged STARTED"));

    for kind in [Kind::Rows, Kind::Table, Kind::PlainRows, Kind::Lines] {
        let id = first_of(|spec| spec.kind == kind && !spec.fails_first).id;
        let own = traces.iter().find(|trace| trace.change == id).expect("has one").clone();
        evidence.traces.push(own.clone());
        assert!(broken(&evidence, &nothing).contains("happened twice in one attempt"), "{kind:?}");
        evidence.traces.pop();
        evidence.traces.push(Trace { execution: "another".to_owned(), ..own });
        assert!(broken(&evidence, &nothing).contains("no STARTED is recorded"), "{kind:?}");
        evidence.traces.retain(|trace| trace.change != id);
        assert!(broken(&evidence, &nothing).contains("does not fit the target"), "{kind:?}");
        evidence.traces.clone_from(&traces);
    }
}

#[tokio::test]
async fn a_change_that_runs_again_without_being_settled_is_seen() {
    let mut evidence = undisturbed().await;
    let plain = |settled| {
        first_of(|spec| !spec.kind.is_transactional() && spec.settled == settled && !spec.fails_first).id
    };
    for (settled, allowed) in
        [(Settled::ByOperator, false), (Settled::ByVerify, false), (Settled::ByRetry, true)]
    {
        let id = plain(settled);
        let before = evidence.entries.clone();
        let started = evidence.entries.iter().position(|entry| entry.change == id).expect("was started");
        let again = evidence.entries[started].clone();
        evidence.entries.insert(started, again);
        let silently = broken(&evidence, &Acknowledged::default()).contains("runs it again, silently");
        assert_eq!(silently, !allowed, "{settled:?}");
        evidence.entries = before;
    }
    let id = plain(Settled::ByOperator);
    let index = evidence.entries.iter().rposition(|entry| entry.change == id).expect("was applied");
    evidence.entries[index].state = Some(AuditState::Started);
    let rules = Rules { specs: &specs(SEED), evidence: &evidence, ddl_commits: false };
    assert!(rules.ambiguous().contains(id.as_str()));
}
