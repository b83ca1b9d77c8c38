use std::fmt;

/// How many tests ended how, over all test binaries of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Adds what a line says, if it is the last line of a test binary. libtest and libtest-mimic
    /// write the same: `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; ..`.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for (number, word) in counts.split(';').filter_map(|count| count.trim().split_once(' ')) {
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Whether any test ran.
    pub(crate) fn any(self) -> bool {
        self.passed + self.failed > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn the_last_lines_of_all_binaries_are_added_up() {
        let tally = tally(&[
            "running 3 tests",
            "test order::tests::a_prefix_comes_first ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ]);
        assert_eq!(tally, Tally { passed: 7, failed: 2, skipped: 1 });
        assert_eq!(tally.to_string(), "7 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_line_that_only_resembles_a_result_does_not_count() {
        let tally = tally(&[
            "test result_is_kept ... ok",
            "  test result: ok. 3 passed; 0 failed",
            "test result: ok",
            "test result: ok. many passed; 0 failed",
        ]);
        assert!(!tally.any());
    }

    #[test]
    fn filtering_everything_out_is_not_a_test_that_ran() {
        assert!(
            !tally(&["test result: ok. 0 passed; 0 failed; 3 ignored; 0 measured; 9 filtered out"]).any()
        );
    }
}
