//! The servers that tests are given, and what stands between them and a test.
#![expect(dead_code, reason = "no test needs all of it")]

pub(crate) mod mysql;
pub(crate) mod postgres;

/// Adds functions to a suite, each by its name; `of` what they take, if they take anything.
#[allow(unused_macros, reason = "the conformance suites bring their own lists")]
macro_rules! add_cases {
    ($suite:ident of $given:ident, $($case:ident),* $(,)?) => {
        $($suite.case(stringify!($case), move || Box::pin($case($given)));)*
    };
    ($suite:expr, $($case:ident),* $(,)?) => {
        $($suite.case(stringify!($case), || Box::pin($case()));)*
    };
}
#[allow(unused_imports, reason = "the conformance suites bring their own lists")]
pub(crate) use add_cases;
