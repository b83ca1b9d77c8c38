use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::audit::AuditState::{
    self, Applied, Failed, ManualMarkedAsApplied, ManualMarkedAsRolledBack, RollbackFailed, RolledBack,
    Started,
};
use flamingock_core::audit::{AuditEntry, ErrorDetail, Evidence, Operation, TxStrategy};
use flamingock_core::change::{ChangeKind, RecoveryStrategy};
use jiff::Timestamp;

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, all, head, orders};
use crate::entries::entry;

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        an_entry_with_every_field_comes_back_as_it_was_appended,
        an_entry_with_no_optional_field_comes_back_as_it_was_appended,
        empty_text_and_no_text_stay_apart,
        every_word_comes_back,
        awkward_text_comes_back_as_it_was_appended,
        an_error_of_16_kibibytes_comes_back_whole,
        an_id_of_255_bytes_comes_back_whole,
        times_keep_their_microseconds,
        large_numbers_come_back,
        ids_that_differ_in_case_or_trailing_space_are_different_changes,
        histories_that_differ_in_case_or_trailing_space_are_different,
        service_and_tenant_are_not_run_together,
    ]
}

/// Ids that a lenient comparison takes for one another.
pub(super) const SIMILAR: [&str; 8] =
    ["add", "Add", "ADD", "add ", " add", "ädd", "a\u{308}dd", "add\u{200b}"];

const AWKWARD: [&str; 14] = [
    "it's",
    "say \"hi\"",
    "back\\slash",
    "\\",
    "'; DROP TABLE flamingock_audit; --",
    "$1 ? :name %s {} {{ }} @p1",
    "two\nlines",
    "carriage\r\nreturn\tand tab",
    " leading and trailing ",
    "🦩 flamingo, 漢字, עברית",
    "e\u{301} is not \u{e9}",
    "\u{1}\u{7f}\u{feff}\u{fffd}",
    "{\"json\": [1, null]}",
    "NULL",
];

/// An entry in which no field is empty.
pub(super) fn full(history: &History) -> AuditEntry {
    let text = |name: &str| Some(format!("the {name}, 'quoted' \"twice\" \\ 🦩"));
    AuditEntry {
        operation: Operation::Ruling,
        refers_to: Some(7),
        author: text("author"),
        description: text("description"),
        step: text("step"),
        attempt: 3,
        tx_strategy: TxStrategy::NonTx,
        evidence: Evidence::Verify,
        recovery: RecoveryStrategy::AlwaysRetry,
        kind: ChangeKind::Template,
        duration: Some(1_234_567),
        application: text("application"),
        profiles: vec!["cloud".to_owned(), "eu west".to_owned()],
        trace: text("trace"),
        operator: text("operator"),
        reason: text("reason"),
        error: Some(ErrorDetail::new("sqlx::Error", ["refused".to_owned(), "by\nits cause".to_owned()])),
        metadata: Some("{\"team\": \"shipping\"}".to_owned()),
        ..entry(history, 1, "add-tracking-code", ManualMarkedAsApplied)
    }
}

/// Appends these, and they must come back as they were.
async fn assert_come_back(stores: &Stores, entries: Vec<AuditEntry>) {
    let mut run = Recorder::start(&stores.audit().await, &orders(), "run-1").await;
    let appended = run.record_entries(entries).await;
    let store = stores.audit().await;
    let read = all(&store, &orders()).await;
    assert_eq!(read.len(), appended.len());
    for (read, appended) in read.iter().zip(&appended) {
        assert_eq!(read, appended);
    }
}

async fn an_entry_with_every_field_comes_back_as_it_was_appended(stores: Arc<Stores>) {
    assert_come_back(&stores, vec![full(&orders())]).await;
}

async fn an_entry_with_no_optional_field_comes_back_as_it_was_appended(stores: Arc<Stores>) {
    let bare = AuditEntry { author: None, state: None, ..entry(&orders(), 1, "", Applied) };
    assert_come_back(&stores, vec![bare]).await;
}

async fn empty_text_and_no_text_stay_apart(stores: Arc<Stores>) {
    let empty = || Some(String::new());
    let entry = AuditEntry {
        author: empty(),
        description: empty(),
        step: empty(),
        application: empty(),
        trace: empty(),
        operator: empty(),
        reason: empty(),
        metadata: empty(),
        error: Some(ErrorDetail::new("", [String::new()])),
        order: String::new(),
        stage: String::new(),
        ..entry(&orders(), 1, "a", Failed)
    };
    assert_come_back(&stores, vec![entry]).await;
}

async fn every_word_comes_back(stores: Arc<Stores>) {
    let states: [AuditState; 7] = [
        Started,
        Applied,
        Failed,
        RolledBack,
        RollbackFailed,
        ManualMarkedAsApplied,
        ManualMarkedAsRolledBack,
    ];
    let operations = [
        Operation::Apply,
        Operation::Rollback,
        Operation::Undo,
        Operation::Hold,
        Operation::Release,
        Operation::Ruling,
        Operation::Baseline,
        Operation::AcceptChecksum,
        Operation::Import,
        Operation::Tag,
        Operation::Unlock,
    ];
    let evidence = [Evidence::None, Evidence::Marker, Evidence::Verify, Evidence::Overruled];
    let kinds = [ChangeKind::Code, ChangeKind::Template, ChangeKind::Imported];
    let entries = operations.into_iter().enumerate().map(|(n, operation)| AuditEntry {
        operation,
        state: Some(states[n % states.len()]),
        evidence: evidence[n % evidence.len()],
        kind: kinds[n % kinds.len()],
        ..entry(&orders(), n as u64 + 1, "a", Started)
    });
    assert_come_back(&stores, entries.collect()).await;
}

async fn awkward_text_comes_back_as_it_was_appended(stores: Arc<Stores>) {
    let entries = AWKWARD.iter().map(|text| {
        let text = || (*text).to_owned();
        AuditEntry {
            stage: text(),
            order: text(),
            author: Some(text()),
            description: Some(text()),
            target_address: text(),
            source: text(),
            hostname: text(),
            reason: Some(text()),
            metadata: Some(text()),
            error: Some(ErrorDetail::new(text(), [text(), text()])),
            ..entry(&orders(), 1, &text(), Failed)
        }
    });
    assert_come_back(&stores, entries.collect()).await;
}

async fn an_error_of_16_kibibytes_comes_back_whole(stores: Arc<Stores>) {
    let of = |text: &str, repeat| AuditEntry {
        error: Some(ErrorDetail::new("E", [text.repeat(repeat), text.repeat(repeat)])),
        ..entry(&orders(), 1, "a", Failed)
    };
    // Half a limit each in message and causes, then all of it in the message.
    let entries = vec![of("é", 4096), of("🦩", 20_000), of("'\\\"", 20_000)];
    assert_come_back(&stores, entries).await;
}

async fn an_id_of_255_bytes_comes_back_whole(stores: Arc<Stores>) {
    let (ascii, wide) = ("x".repeat(255), "漢".repeat(85));
    assert_come_back(
        &stores,
        vec![entry(&orders(), 1, &ascii, Started), entry(&orders(), 2, &wide, Started)],
    )
    .await;
}

async fn times_keep_their_microseconds(stores: Arc<Stores>) {
    let entries = [0, 1, 999_999, 1_767_225_600_123_456, 4_102_444_799_999_999].map(|microsecond| {
        let recorded_at = Timestamp::from_microsecond(microsecond).expect("a time");
        AuditEntry { recorded_at, ..entry(&orders(), 1, "a", Started) }
    });
    assert_come_back(&stores, entries.to_vec()).await;
}

async fn large_numbers_come_back(stores: Arc<Stores>) {
    let large = i64::MAX.unsigned_abs();
    let entry = AuditEntry {
        duration: Some(large),
        refers_to: Some(large),
        attempt: u32::MAX,
        ..entry(&orders(), 1, "a", Started)
    };
    assert_come_back(&stores, vec![entry]).await;
}

async fn ids_that_differ_in_case_or_trailing_space_are_different_changes(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&SIMILAR.map(|id| (id, Started))).await;
    for (id, sequence) in SIMILAR.into_iter().zip(1..) {
        let filter =
            flamingock_core::audit::EntryFilter { change: Some(id.to_owned()), ..Default::default() };
        let entries = store.entries(&orders(), &filter).await.expect("entries");
        let found: Vec<_> = entries.iter().map(|entry| (entry.change.as_str(), entry.sequence)).collect();
        assert_eq!(found, [(id, sequence)]);
    }
}

async fn histories_that_differ_in_case_or_trailing_space_are_different(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let histories: Vec<_> =
        SIMILAR.iter().flat_map(|name| [History::new(*name), orders().tenant(*name)]).collect();
    for history in &histories {
        Recorder::start(&store, history, "run-1").await.record(&[("a", Started)]).await;
    }
    for history in &histories {
        assert_eq!(head(&store, history).await.sequence, 1, "{history}");
        let entries = all(&store, history).await;
        let found: Vec<_> = entries.iter().map(|entry| (&entry.service, &entry.tenant)).collect();
        assert_eq!(found, [(&history.service, &history.tenant)]);
    }
}

async fn service_and_tenant_are_not_run_together(stores: Arc<Stores>) {
    let store = stores.audit().await;
    let histories = [("a", "b/c"), ("a/b", "c"), ("ab", "c"), ("a", "bc"), ("abc", "")];
    for (service, tenant) in histories {
        let history = History::new(service).tenant(tenant);
        assert_eq!(store.head(&history).await.expect("head"), None, "{history:?}");
        Recorder::start(&store, &history, "run-1").await.record(&[("a", Started)]).await;
    }
}
