use async_trait::async_trait;
use flamingock_core::audit::{
    Append, AuditEntry, AuditStore, ChainHash, EntryFilter, Execution, FORMAT, Head, Office,
};
use flamingock_core::lock::FencingToken;
use flamingock_core::{BackendError, BackendErrorKind, History};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use redis::Value;

use crate::entry::{Stored, arguments};
use crate::errors::Operation;
use crate::link::Again;
use crate::place::number;
use crate::script::{APPEND, ENTRIES_AT, TAKE_OFFICE};
use crate::{RedisAuditStore, durability, head, keys, reply};

/// Entries per page when nobody asks for another number, and per command in any case: Redis serves nobody
/// else meanwhile.
const PAGE: usize = 1000;

/// Heads that are asked for at once, over the one connection.
const AT_ONCE: usize = 100;

#[async_trait]
impl AuditStore for RedisAuditStore {
    fn kind(&self) -> &str {
        "redis"
    }

    fn address(&self) -> String {
        self.place.link.address().to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        let operation = self.place.operation("initialize");
        self.place.connect().await?;
        durability::check(&operation, &self.place.link, self.allow_volatile).await?;
        // There is nothing to create. What is there must be ours, and not a newer release's.
        for (_, format) in self.formats(&operation).await? {
            head::check_format(&operation, format.unwrap_or(0))?;
        }
        Ok(())
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        let operation = self.place.operation("read head");
        let command = head::read_command(&self.place.keys.head(history));
        head::read(&operation, history, self.place.read(&operation, &command).await?)
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        let operation = self.place.operation("list histories");
        let formats = self.formats(&operation).await?.into_iter();
        let mut histories: Vec<_> = formats.filter_map(|(history, format)| format.map(|_| history)).collect();
        histories.sort_unstable();
        Ok(histories)
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let operation = self.place.operation("take office");
        let lease = number(&operation, lease.0)?;
        // Before the head, so that none is ever missing in the list. In a cluster they are on different nodes.
        let mut list = redis::cmd("SADD");
        list.arg(self.place.keys.histories()).arg(keys::encode(history));
        self.place.read(&operation, &list).await?;
        let call = TAKE_OFFICE
            .on([self.place.keys.head(history)])
            .arg(lease)
            .args([execution.id.clone(), execution.owner.clone()])
            .args([FORMAT.to_string(), ChainHash::GENESIS.to_string()]);
        let answer = self.place.call(&operation, call, Again::Yes).await?;
        let corrupt = |problem| operation.corrupt(format_args!("the head of {history}"), problem);
        let (word, mut values) = reply::word(answer).map_err(corrupt)?;
        let found = head::read(&operation, history, values.pop().unwrap_or(Value::Nil))?;
        match found {
            Some(head) if word == "taken" => {
                let (history, execution) = (history.clone(), execution.clone());
                Ok(Office { history, execution, token: head.token, head })
            }
            _ => Err(operation.fail(
                BackendErrorKind::Schema,
                "a key of the head's name holds something else: choose another prefix",
            )),
        }
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let operation = self.place.operation("append");
        let (keys, history) = (&self.place.keys, &office.history);
        // Who is out of office hears that first, whatever it wanted to record.
        let misplaced = misplaced(office, append);
        let entries = if misplaced { &[] } else { append.entries };
        let call = APPEND
            .on([keys.head(history), keys.log(history), keys.latest(history)])
            .args([office.token.0.to_string(), office.execution.id.clone(), append.expected.to_string()])
            .arg(if misplaced { "misplaced" } else { "" })
            .args(head::assignments(&operation, &append.head)?)
            .args(entries.iter().flat_map(arguments));
        let answer = self.place.call(&operation, call, Again::No).await?;
        let corrupt = |problem| operation.corrupt("the answer", problem);
        let (word, values) = reply::word(answer).map_err(corrupt)?;
        let said: Vec<_> = values.iter().map(|value| reply::text(value).unwrap_or("none")).collect();
        match word.as_str() {
            "appended" => Ok(()),
            "misplaced" => Err(operation.fail(
                BackendErrorKind::InvalidData,
                "the entries do not follow the expected sequence, or are another history's",
            )),
            "log" => Err(operation.corrupt(
                format_args!("the log of {history}"),
                format_args!("it ends at {}, and the head at {}", said.join(" "), append.expected),
            )),
            _ => {
                let message =
                    "a newer run is in office, or the audit has moved on: this run may record nothing more";
                Err(operation.fail(BackendErrorKind::LeaseLost, message))
            }
        }
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.place.operation("read latest entries");
        let mut index = redis::cmd("HVALS");
        index.arg(self.place.keys.latest(history));
        let sequences = self.place.read(&operation, &index).await?;
        let corrupt = |problem| operation.corrupt(format_args!("the index of {history}"), problem);
        let sequences: Result<Vec<u64>, String> =
            reply::array(sequences).and_then(|values| values.iter().map(reply::number).collect());
        let mut sequences = sequences.map_err(corrupt)?;
        sequences.sort_unstable();
        // Entries never change, so all that the index named belong together.
        let mut latest = Vec::with_capacity(sequences.len());
        for page in sequences.chunks(PAGE) {
            let call = ENTRIES_AT.on([self.place.keys.log(history)]).args(page.iter().map(u64::to_string));
            let found = self.place.call(&operation, call, Again::Yes).await?;
            let found = reply::array(found).map_err(|problem| operation.corrupt("the log", problem))?;
            for (sequence, item) in page.iter().zip(found) {
                if item == Value::Nil {
                    let what = format!("entry {sequence} of {history}");
                    return Err(operation
                        .corrupt(what, "it is missing")
                        .context("sequence", sequence.to_string()));
                }
                latest.push(stored(&operation, history, item)?.entry(&operation, history)?);
            }
        }
        Ok(latest)
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let operation = self.place.operation("read entries");
        let log = self.place.keys.log(history);
        let limit = if filter.limit == 0 { PAGE } else { filter.limit };
        let is_whole = filter.change.is_none() && filter.state.is_none() && filter.since.is_none();
        let (mut after, mut entries) = (filter.after, Vec::new());
        while entries.len() < limit {
            let count = if is_whole { PAGE.min(limit - entries.len()) } else { PAGE };
            let mut range = redis::cmd("XRANGE");
            range.arg(&log).arg(format!("{}-0", after.saturating_add(1))).arg("+").arg("COUNT").arg(count);
            let items = self.place.read(&operation, &range).await?;
            let items = reply::array(items).map_err(|problem| operation.corrupt("the log", problem))?;
            let is_last = items.len() < count;
            for item in items {
                let stored = stored(&operation, history, item)?;
                let sequence = stored.sequence();
                after = sequence
                    .map_err(|problem| operation.corrupt(format_args!("the log of {history}"), problem))?;
                if stored.fits(filter) && entries.len() < limit {
                    entries.push(stored.entry(&operation, history)?);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(entries)
    }
}

/// Whether the entries are not those that follow.
fn misplaced(office: &Office, append: &Append<'_>) -> bool {
    let History { service, tenant } = &office.history;
    let mut places = append.entries.iter().zip(append.expected + 1..);
    let last = append.expected + append.entries.len() as u64;
    append.head.sequence != last
        || places.any(|(entry, place)| {
            entry.sequence != place || entry.service != *service || entry.tenant != *tenant
        })
}

fn stored(operation: &Operation<'_>, history: &History, item: Value) -> Result<Stored, BackendError> {
    Stored::read(item).map_err(|problem| operation.corrupt(format_args!("the log of {history}"), problem))
}

impl RedisAuditStore {
    /// The histories in the list, each with the format of its head if it has one.
    async fn formats(&self, operation: &Operation<'_>) -> Result<Vec<(History, Option<u64>)>, BackendError> {
        let mut list = redis::cmd("SMEMBERS");
        list.arg(self.place.keys.histories());
        let members = self.place.read(operation, &list).await?;
        let corrupt = |problem| operation.corrupt("the list of histories", problem);
        let members = reply::array(members).map_err(corrupt)?;
        let decoded = members.iter().map(|member| {
            let text = reply::text(member)?;
            keys::decode(text).ok_or_else(|| format!("`{}` is none", text.escape_debug()))
        });
        let histories: Vec<History> = decoded.collect::<Result<_, String>>().map_err(corrupt)?;
        stream::iter(histories)
            .map(|history| self.format(operation, history))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn format(
        &self,
        operation: &Operation<'_>,
        history: History,
    ) -> Result<(History, Option<u64>), BackendError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.place.keys.head(&history)).arg("format");
        let format = match self.place.read(operation, &command).await? {
            Value::Nil => None,
            value => Some(
                reply::number(&value)
                    .map_err(|problem| operation.corrupt(format_args!("the head of {history}"), problem))?,
            ),
        };
        Ok((history, format))
    }
}
