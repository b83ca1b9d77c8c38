use std::fmt::Write as _;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// What a test expects of one thing that happened.
pub(super) trait Expected {
    /// What happened.
    type Actual;

    /// What the two are lined up by.
    fn key(&self, occurrence: Option<&Self::Actual>) -> String;

    /// The same of what happened.
    fn key_of(actual: &Self::Actual) -> String;

    /// Whether it may be about this one, when it does not say everything that keys are made of.
    fn is_about(&self, actual: &Self::Actual) -> bool;

    /// Whether it is as expected.
    fn fits(&self, actual: &Self::Actual) -> bool;

    /// As a line.
    fn line(&self) -> String;

    /// What happened, in the terms of what was expected.
    fn line_for(&self, actual: &Self::Actual) -> String;

    /// What happened, where nothing was expected.
    fn line_of(actual: &Self::Actual) -> String;
}

/// Compares sequences, strictly. The error has a line for each: `-` was expected and is not there, `+`
/// is there and was not expected.
pub(super) fn compare<E: Expected>(expected: &[E], actual: &[E::Actual]) -> Result<(), String> {
    let same = expected.len() == actual.len() && expected.iter().zip(actual).all(|(e, a)| e.fits(a));
    if same {
        return Ok(());
    }
    let wanted: Vec<String> = expected
        .iter()
        .enumerate()
        .map(|(index, one)| one.key(occurrence(&expected[..index], one, actual)))
        .collect();
    let found: Vec<String> = actual.iter().map(E::key_of).collect();
    let mut text = String::new();
    for op in capture_diff_slices(Algorithm::Myers, &wanted, &found) {
        let (_, old, new) = op.as_tag_tuple();
        if matches!(op, DiffOp::Equal { .. }) {
            for (one, other) in expected[old].iter().zip(&actual[new]) {
                if one.fits(other) {
                    line(&mut text, ' ', &one.line());
                } else {
                    line(&mut text, '-', &one.line());
                    line(&mut text, '+', &one.line_for(other));
                }
            }
        } else {
            expected[old].iter().for_each(|one| line(&mut text, '-', &one.line()));
            actual[new].iter().for_each(|other| line(&mut text, '+', &E::line_of(other)));
        }
    }
    Err(text)
}

/// The one that this expectation means: the second about a change means its second entry.
fn occurrence<'a, E: Expected>(before: &[E], one: &E, actual: &'a [E::Actual]) -> Option<&'a E::Actual> {
    let mut candidates = actual.iter().filter(|other| one.is_about(other));
    let taken = before
        .iter()
        .filter(|earlier| actual.iter().any(|other| earlier.is_about(other) && one.is_about(other)));
    candidates.nth(taken.count())
}

fn line(text: &mut String, sign: char, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {sign} {line}");
}
