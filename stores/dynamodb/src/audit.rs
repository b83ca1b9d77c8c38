use std::collections::HashMap;

use async_trait::async_trait;
use flamingock_core::audit::{Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, Office};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, History};

use crate::DynamoAuditStore;
use crate::entries::{Entry, Items, Much, Range};
use crate::item::{HISTORIES, Item, LATEST, partition};
use crate::operation::Operation;

#[async_trait]
impl AuditStore for DynamoAuditStore {
    fn kind(&self) -> &str {
        "dynamodb"
    }

    fn address(&self) -> String {
        self.location().to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        self.set_up().await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        let stored = self.stored_head(self.operation("read head"), history).await?;
        Ok(stored.map(|stored| stored.head))
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        let operation = self.operation("list histories");
        let items = self.query_all(operation, HISTORIES, Items::All).await?;
        let read = |item: &Item| Ok(History::new(item.text("service")?).tenant(item.text("tenant")?));
        let histories: Result<Vec<History>, String> = items.iter().map(read).collect();
        let mut histories =
            histories.map_err(|problem| operation.corrupt("the list of histories", problem))?;
        // Their keys sort by tenant where one service's name begins another's.
        histories.sort_unstable();
        Ok(histories)
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let operation = self.operation("take office");
        let stored = self.put_in_office(operation, history, lease, execution).await?;
        self.fold(operation, history, &stored).await;
        let (head, execution) = (stored.head, execution.clone());
        Ok(Office { history: history.clone(), execution, token: head.token, head })
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        self.append_at_once(self.operation("append"), office, append).await
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.operation("read latest entries");
        let Some(stored) = self.stored_head(operation, history).await? else { return Ok(Vec::new()) };
        let mut newest = HashMap::new();
        for item in self.query_all(operation, &partition(history), Items::Prefixed(LATEST)).await? {
            let entry = read_latest(operation, history, &item)?;
            newest.insert(entry.change.clone(), entry);
        }
        // What the head counts, and the items above may not show yet.
        let range = Range { after: stored.folded(), through: stored.head.sequence };
        for entry in self.read_range(operation, history, range, Much::All, &EntryFilter::default()).await? {
            let is_newer = newest.get(&entry.change).is_none_or(|known| known.sequence < entry.sequence);
            if is_newer && !entry.change.is_empty() {
                newest.insert(entry.change.clone(), entry);
            }
        }
        let mut newest: Vec<_> = newest.into_values().collect();
        newest.sort_unstable_by_key(|entry| entry.sequence);
        Ok(newest)
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.operation("read entries");
        let Some(stored) = self.stored_head(operation, history).await? else { return Ok(Vec::new()) };
        let much = if filter.limit == 0 { Much::APage } else { Much::AtMost(filter.limit) };
        let range = Range { after: filter.after, through: stored.head.sequence };
        self.read_range(operation, history, range, much, filter).await
    }
}

fn read_latest(operation: Operation<'_>, history: &History, item: &Item) -> Result<AuditEntry, BackendError> {
    let entry =
        item.text("entry").and_then(|text| Entry::parse(text).ok_or_else(|| "it is no entry".to_owned()));
    let corrupt = |problem| operation.corrupt(format_args!("a newest entry of {history}"), problem);
    entry.map_err(corrupt)?.read(operation, history)
}
