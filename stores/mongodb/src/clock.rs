use flamingock_core::BackendError;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::ReturnDocument;

use crate::MongoAuditStore;
use crate::error::Operation;

/// The `_id` of the document by which a shard tells its time. No history has it: theirs are documents.
const CLOCK: &str = "clock";

impl MongoAuditStore {
    /// Now, by the clock of the server that keeps the lock.
    ///
    /// `$$NOW` would save a round trip, but only in update pipelines, which not every server has, and
    /// behind a `mongos` it would be the clock of that one, of which there may be many. The time that is
    /// told here lies between the moment at which the caller asked and that of the write that follows.
    /// So what it finds expired is expired, and a lease that is counted from it is no longer than its
    /// holder believes, and not over before.
    pub(crate) async fn now(&self, operation: &Operation<'_>) -> Result<DateTime, BackendError> {
        let hello = self.hello(operation).await?;
        if !hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid") {
            return time(operation, &hello, "localTime");
        }
        let clock = self
            .locks()
            .find_one_and_update(doc! { "_id": CLOCK }, doc! { "$currentDate": { "now": true } })
            .upsert(true)
            .return_document(ReturnDocument::After)
            .await
            .map_err(|error| operation.error(error))?;
        time(operation, &clock.unwrap_or_default(), "now")
    }

    /// The same, for those who only look: behind a `mongos`, by its own clock.
    pub(crate) async fn roughly_now(&self, operation: &Operation<'_>) -> Result<DateTime, BackendError> {
        time(operation, &self.hello(operation).await?, "localTime")
    }

    async fn hello(&self, operation: &Operation<'_>) -> Result<Document, BackendError> {
        self.database.run_command(doc! { "hello": 1 }).await.map_err(|error| operation.error(error))
    }
}

fn time(operation: &Operation<'_>, answer: &Document, field: &str) -> Result<DateTime, BackendError> {
    answer.get_datetime(field).copied().map_err(|error| operation.corrupt("the server's time", error))
}
