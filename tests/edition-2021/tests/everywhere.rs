//! The macros work wherever a change may stand.

use std::process::Command;

use flamingock::prelude::*;

flamingock::change_set!(CHANGES);

struct InTest;

#[change(id = "in-test", order = 3, target_system = "files")]
impl InTest {
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

fn ids(set: ChangeSet) -> Vec<String> {
    set.changes().into_iter().map(|change| change.id).collect()
}

#[test]
fn changes_of_a_dependency_are_found_through_its_set() {
    assert_eq!(ids(flamingock_edition_2021::CHANGES), ["in-library"]);
}

#[test]
fn changes_of_a_test_are_its_own() {
    assert_eq!(ids(CHANGES), ["in-test"]);
}

#[test]
fn changes_of_a_binary_are_found() {
    let output = Command::new(env!("CARGO_BIN_EXE_flamingock-edition-2021")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "in-binary\nin-library\n");
}
