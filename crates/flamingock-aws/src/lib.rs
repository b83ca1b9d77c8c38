//! What Flamingock's stores and targets on AWS services share: how clients are completed, how URLs are
//! read, and what it means that no answer came.

mod client;
mod failure;
mod url;

pub use client::{Limits, configuration, endpoint, http_client, retries, timeouts};
pub use failure::{is_denied, presentable, unanswered};
pub use url::{check_endpoint, encode, parameters};
