//! Target system on Amazon S3, and on every server that speaks its protocol, for Flamingock.
//!
//! [`S3Target`] gives changes the SDK's own [`Client`](aws_sdk_s3::Client), and [`S3Changes`] for what
//! a change needs and the SDK lacks: operations that can be repeated, and answers for `#[verify]`.

mod bucket;
mod bulk;
mod client;
mod error;
mod handed;
mod listing;
mod object;
mod origin;
mod place;
mod running;
mod s3;
mod session;
mod setting;
mod target;

pub use bucket::BucketState;
pub use bulk::{Bulk, Copied, Prefix};
pub use error::{S3Error, S3ErrorKind};
pub use object::{Content, Stored};
pub use s3::{Done, S3Changes};
pub use setting::{BucketPolicy, Setting};
pub use target::S3Target;
