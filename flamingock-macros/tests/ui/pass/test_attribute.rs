//! Tests without databases, and what may stand around one.

mod facade {
    pub use ::flamingock;
}

#[flamingock::test]
async fn under_the_harness() {}

/// Documented.
#[flamingock::test(harness = false, crate = facade::flamingock)]
#[allow(clippy::unused_async, reason = "an attribute of the function's own")]
pub async fn renamed() -> Result<(), String> {
    Ok(())
}

#[flamingock::test(harness = false)]
async fn fails() -> Result<(), &'static str> {
    Err("as it should")
}

fn main() {
    renamed();
    let panic = std::panic::catch_unwind(fails).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("Error: \"as it should\""));
}
