//! What a person reads: the report and the errors.

use crate::support::{House, count, plain, put, tx};
use flamingock_core::report::Report;

/// Without what differs from run to run.
fn stable(report: &Report) -> String {
    let lines = report.to_string();
    let volatile = ["Execution:", "Started:", "Finished:", "Duration:", "Audit:"];
    let kept = lines.lines().filter(|line| !volatile.iter().any(|word| line.contains(word)));
    let mut text: String = kept.map(|line| format!("{line}\n")).collect();
    // Times are in parentheses, or before one.
    while let Some(start) = text.find("ms") {
        let digits =
            text[..start].rfind(|c: char| !c.is_ascii_digit() && c != '<').map_or(0, |before| before + 1);
        text.replace_range(digits..start + 2, "T");
    }
    text
}

#[tokio::test]
async fn the_report_tells_what_was_done_where_and_what_is_left() {
    let house = House::new();
    let broken = tx("b", "2", |_| Err("no such column: code".into()));
    let error = house.app([put("a", "1"), broken, count("c", "3")]).run().await.expect_err("fails");
    assert_eq!(
        stable(error.report()),
        "\
========================================================================
 Flamingock execution report — FAILED
========================================================================
 Service:   orders
 Stages:    1 total — 0 completed, 1 failed, 0 blocked, 0 up to date, 0 not reached
 Changes:   3 total — 1 newly applied, 0 already applied, 1 failed, 1 not reached

 Per-stage breakdown:
   [FAILED] default (T)
     changes: 3 total — 1 newly applied, 0 already applied, 1 failed, 1 not reached
     [APPLIED]     a  (db, T)  tests/run.rs:1
     [ROLLED_BACK] b  (db, T)  tests/run.rs:1
         error: no such column: code
         nothing of it is left in the target; the next start tries it again
========================================================================
"
    );
}

#[tokio::test]
async fn an_error_says_what_happened_to_which_change_where_and_what_to_do_next() {
    let house = House::new();
    let broken = || plain("b", "2", |_| Err("quota".into()));
    house.app([broken()]).run().await.expect_err("fails");
    let error = house.app([broken()]).run().await.expect_err("is blocked").to_string();
    for part in
        ["manual intervention required for: b", "tests/run.rs:1: change `b` on `flags`", "look at the target"]
    {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn an_error_is_readable_where_main_returns_it() {
    let house = House::new();
    house.store.set_online(false);
    let app = house.builder([put("a", "1")]).operation_timeout(std::time::Duration::from_millis(50)).build();
    let error = app.expect("is right").run().await.expect_err("the store is down");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(format!("{error:#?}").contains("report"), "{error:#?}");
    let error = house.builder([]).change(put("", "1")).build().expect_err("is wrong");
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[tokio::test]
async fn the_report_is_data_too() {
    let house = House::new();
    let report = house.app([put("a", "1")]).run().await.expect("applies");
    let data = serde_json::to_value(&report).expect("is data");
    assert_eq!(data["status"], "SUCCESS");
    assert_eq!(data["changes"]["applied"], 1);
    assert_eq!(data["stages"][0]["details"][0]["outcome"], "APPLIED");
    assert_eq!(data["head"]["sequence"], 2);
}
