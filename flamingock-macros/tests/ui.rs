//! What compiles, and what each mistake is told. `TRYBUILD=overwrite` rewrites the expected errors.

#[test]
fn mistakes_are_told_where_they_stand() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
