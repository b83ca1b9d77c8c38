//! The servers that tests are given, and what stands between them and a test.
#![expect(dead_code, reason = "no test needs all of it")]

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod proxy;

/// Adds functions to a suite, each by its name.
macro_rules! add_cases {
    ($suite:expr, $($case:ident),* $(,)?) => {
        $($suite.case(stringify!($case), || Box::pin($case()));)*
    };
}
pub(crate) use add_cases;
