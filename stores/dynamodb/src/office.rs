use aws_sdk_dynamodb::types::ReturnValue;
use flamingock_core::audit::{ChainHash, Execution, FORMAT, Head};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};

use crate::DynamoAuditStore;
use crate::contention::Contention;
use crate::error::{Failure, Verdict, failure, transaction_failure};
use crate::expression::Expression;
use crate::head::{Stored, read_head, write_head};
use crate::item::{HEAD, HISTORIES, Item, key, number, partition, text};
use crate::operation::Operation;

impl DynamoAuditStore {
    /// Raises the head's token and names the run in it: one conditional write.
    pub(crate) async fn put_in_office(
        &self,
        operation: Operation<'_>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Stored, BackendError> {
        let mut contention = Contention::begin();
        loop {
            // By far most often the head's token is not lower than the lock's.
            let next = Expression::new().raise("token").when_at_least("token", number(lease));
            let failure = match self.write_office(operation, history, next, execution).await? {
                Ok(stored) => return Ok(stored),
                Err(failure) if matches!(failure.verdict, Verdict::ConditionFailed(_)) => {
                    match self.office_otherwise(operation, history, lease, execution).await? {
                        Ok(stored) => return Ok(stored),
                        Err(failure) => failure,
                    }
                }
                Err(failure) => failure,
            };
            // Others are taking office as well, or the head was made just now.
            let lost = matches!(failure.verdict, Verdict::ConditionFailed(_));
            let goes_on =
                if lost { contention.pause().await } else { contention.goes_on_after(&failure).await };
            if !goes_on {
                let message = "others take office faster than this run can: try again";
                return Err(if lost {
                    operation.fail(BackendErrorKind::Unavailable, message)
                } else {
                    failure.error
                });
            }
        }
    }

    /// Where the head's token is lower, there is no head, or it cannot be understood.
    async fn office_otherwise(
        &self,
        operation: Operation<'_>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Result<Stored, Failure>, BackendError> {
        let Some(stored) = self.stored_head(operation, history).await? else {
            return Ok(self.make_head(operation, history, lease, execution).await);
        };
        let token = stored.head.token;
        let next = token.max(lease).0.saturating_add(1);
        let next = Expression::new().set("token", number(next)).when_equal("token", number(token));
        self.write_office(operation, history, next, execution).await
    }

    async fn write_office(
        &self,
        operation: Operation<'_>,
        history: &History,
        next: Expression,
        execution: &Execution,
    ) -> Result<Result<Stored, Failure>, BackendError> {
        let update = next
            .set("owner", text(&execution.owner))
            .set("execution_id", text(&execution.id))
            .when_at_most("format", number(FORMAT));
        let request = self.client.update_item().table_name(&self.table).return_values(ReturnValue::AllNew);
        match update.on(request, key(&partition(history), HEAD)).send().await {
            Ok(answer) => {
                let item = Item(answer.attributes.unwrap_or_default());
                read_head(operation, history, &item).map(Ok)
            }
            Err(error) => Ok(Err(failure(operation, &error))),
        }
    }

    /// The first office of a history: its head, and its place in the list of histories.
    async fn make_head(
        &self,
        operation: Operation<'_>,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Stored, Failure> {
        let head = Head {
            format: FORMAT,
            token: FencingToken(lease.0.saturating_add(1)),
            owner: execution.owner.clone(),
            execution: execution.id.clone(),
            sequence: 0,
            hash: ChainHash::GENESIS,
            digests: Vec::new(),
            verdict: None,
        };
        let partition = partition(history);
        let mut listed = key(HISTORIES, &partition);
        listed.insert("service".to_owned(), text(&history.service));
        listed.insert("tenant".to_owned(), text(&history.tenant));
        let build = |error| Failure { verdict: Verdict::Other, error: operation.build(&error) };
        let absent = Expression::new().when_absent("history");
        let head_item = absent.put_in(&self.table, write_head(&partition, &head)).map_err(build)?;
        let listed = Expression::new().put_in(&self.table, listed).map_err(build)?;
        let request = self.client.transact_write_items().transact_items(head_item).transact_items(listed);
        match request.send().await {
            Ok(_) => Ok(Stored { head, previous: 0, fold_from: None }),
            Err(error) => Err(transaction_failure(operation, &error)),
        }
    }
}
