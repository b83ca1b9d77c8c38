//! What large appends left for later: the newest entry of each of their changes.

use std::time::Duration;

use flamingock_core::audit::EntryFilter;
use flamingock_core::{BackendError, BackendErrorKind, History};
use tokio::time::timeout;

use crate::DynamoAuditStore;
use crate::append::{Latest, MOST_BYTES, MOST_ITEMS, in_office, latest, newest};
use crate::contention::Contention;
use crate::entries::{Much, Range};
use crate::expression::Expression;
use crate::head::Stored;
use crate::item::{HEAD, key, number, partition};
use crate::operation::Operation;

/// How long a run that takes office spends on it. The next one goes on from there.
const AT_MOST: Duration = Duration::from_secs(10);

impl DynamoAuditStore {
    /// After taking office: brings `latest#` up to date, if an earlier append was too large for that.
    /// Whatever becomes of it, readers look at what is missing.
    pub(crate) async fn fold(&self, operation: Operation<'_>, history: &History, stored: &Stored) {
        let Some(from) = stored.fold_from else { return };
        match timeout(AT_MOST, self.fold_from(operation, history, stored, from)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the newest entries are brought up to date later"),
            Err(_) => tracing::debug!("the newest entries are brought up to date in several runs"),
        }
    }

    /// By sequence, in steps. Each is on condition that the head is as it was, so that nobody else has
    /// written newer ones, and moves the note in the head on.
    async fn fold_from(
        &self,
        operation: Operation<'_>,
        history: &History,
        stored: &Stored,
        mut from: u64,
    ) -> Result<(), BackendError> {
        let (partition, head) = (partition(history), &stored.head);
        let range = Range { after: from, through: head.sequence };
        let entries = self.read_range(operation, history, range, Much::All, &EntryFilter::default()).await?;
        let newest =
            newest(&entries).map_err(|problem| operation.fail(BackendErrorKind::InvalidData, problem))?;
        let build = |error| operation.build(&error);
        let mut steps = steps(latest(&partition, &newest)).into_iter().peekable();
        while let Some(step) = steps.next() {
            let through = step.last().map_or(from, |latest| latest.sequence);
            let left = steps.peek().map(|_| number(through));
            let note = in_office(Expression::new(), head.token.0, &head.execution, head.sequence)
                .when_equal("fold_from", number(from))
                .put("fold_from", left);
            let mut items = vec![note.update_in(&self.table, key(&partition, HEAD)).map_err(build)?];
            for latest in step {
                items.push(Expression::new().put_in(&self.table, latest.item).map_err(build)?);
            }
            let mut contention = Contention::begin();
            while let Err(failure) = self.transact_once(operation, items.clone()).await {
                if !contention.goes_on_after(&failure).await {
                    return Err(failure.into());
                }
            }
            from = through;
        }
        Ok(())
    }
}

/// As many at once as DynamoDB takes, beside the head.
fn steps(latest: Vec<Latest>) -> Vec<Vec<Latest>> {
    // One at least, which takes the note away.
    let mut steps: Vec<Vec<Latest>> = vec![Vec::new()];
    let mut bytes = 0;
    for latest in latest {
        bytes += latest.bytes;
        match steps.last_mut() {
            Some(step) if step.len() + 1 < MOST_ITEMS && bytes <= MOST_BYTES => step.push(latest),
            _ => {
                bytes = latest.bytes;
                steps.push(vec![latest]);
            }
        }
    }
    steps
}
