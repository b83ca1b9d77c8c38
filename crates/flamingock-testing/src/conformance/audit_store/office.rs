use std::sync::Arc;

use flamingock_core::BackendErrorKind;
use flamingock_core::audit::AuditState::Started;

use super::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Recorder, Stores, assert_fails, orders};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        head_is_none_before_initialize if |c| c.several_handles,
        an_append_after_a_newer_runner_took_office_is_refused,
    ]
}

async fn head_is_none_before_initialize(stores: Arc<Stores>) {
    let store = stores.open().await.audit.expect("audit store");
    assert_eq!(store.head(&orders()).await.expect("head"), None);
}

async fn an_append_after_a_newer_runner_took_office_is_refused(stores: Arc<Stores>) {
    let (old, new) = (stores.audit().await, stores.audit().await);
    let mut first = Recorder::start(&old, &orders(), "run-1").await;
    Recorder::start(&new, &orders(), "run-2").await;
    assert_fails(first.append(&[("a", Started)]).await, BackendErrorKind::LeaseLost);
    assert_eq!(new.head(&orders()).await.expect("head").expect("a head").sequence, 0);
}
