//! Audit store and lock for Flamingock on Amazon DynamoDB.
//!
//! # The table
//!
//! One table holds everything. Its partition key is `history` (text), its sort key `item` (text);
//! there is no index, and nothing is ever scanned. A history's partition is named
//! `service/tenant`, with `%` and `/` escaped, and has these items:
//!
//! | `item` | what it is |
//! |---|---|
//! | `head` | where the history stands, and which run is in office |
//! | `lock` | who holds the lock |
//! | `entry#<sequence>` | the entries of one append, named after the last of them |
//! | `latest#<change id>` | the newest entry of each change |
//!
//! Two more partitions have no `/` in their names: `histories`, with an item per history, and
//! `flamingock`, whose item `format` says which releases can read the table.
//!
//! # An append
//!
//! is one `TransactWriteItems`: the head, on condition that the office and the expected sequence still
//! stand there, the entries, and the newest entry of each change. So it costs a handful of write
//! units, whatever the length of the audit. DynamoDB takes 100 items and 4 MB at once: an append of
//! more changes (a baseline of a large system) writes its entries and a note in the head, and brings
//! `latest#` up to date afterwards, in fenced steps; who reads in between, or after a crash, looks
//! at the entries since that note as well. More than 4 MB are refused as `InvalidData`.
//!
//! A `Query` may see one item of a transaction and not yet another. So readers read the head first,
//! and then exactly the entries up to there.
//!
//! # The lease
//!
//! DynamoDB has no clock that could be asked. The lock has a version, which rises whenever its holder
//! acquires or extends it; who finds the same version unchanged for a whole lease, by its own
//! stopwatch, takes the lock, on condition that the version is still the same. What contenders have
//! watched is noted in the item (`watched_us`): the greatest time that one of them knows to have
//! passed since the version was written. Whoever comes next starts from there, so a contender that
//! restarts often, or many that live shortly, still take over. The note is on condition of the
//! version, is removed by the holder's next extension, and touches neither its token nor its lease.
//! Times that were watched at once are not added: each contender starts from what it read and adds
//! its own. No two machines' clocks are ever compared.
//!
//! # Retries
//!
//! The SDK repeats what was throttled or not answered. An append is sent once: only what DynamoDB
//! says to have refused without effect (throttled, in conflict with another transaction) is sent
//! again, under a new request token, so that the answer to an old one never passes for a new
//! judgement of the office. After any other failure the runner reads the head.

mod append;
mod audit;
mod client;
mod contention;
mod entries;
mod error;
mod expression;
mod fold;
#[cfg(test)]
mod fuzz;
mod head;
mod item;
mod lock;
mod office;
mod operation;
mod store;
mod table;
mod url;
mod watch;

pub use store::DynamoAuditStore;
