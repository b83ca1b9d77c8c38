//! Changes in a folder of files.

#![expect(clippy::duplicate_mod, reason = "the folder is declared with and without `pub`")]

use flamingock::prelude::*;

mod changes {
    flamingock::include_changes!(pub "tests/changes");
    flamingock::change_set!(pub(crate) CHANGES);
}

mod private {
    flamingock::include_changes!("tests/changes");

    #[test]
    fn modules_are_as_visible_as_the_macro_says() {
        use flamingock::prelude::*;
        assert_eq!(_0001__create_orders::CreateOrders::ID, "create-orders");
    }
}

fn changes() -> Vec<flamingock::change::Change> {
    let mut changes = changes::CHANGES.changes();
    changes.sort_by(|a, b| a.order.cmp(&b.order));
    changes
}

#[test]
fn every_file_of_the_folder_is_a_module() {
    assert_eq!(changes::_0001__create_orders::CreateOrders::ID, "create-orders");
    assert_eq!(changes::_2025_09_23_1__add_code::AddCode::ID, "add-code");
    assert_eq!(changes().len(), 2);
}

#[test]
fn the_order_comes_from_the_name_of_the_file() {
    let orders: Vec<String> = changes().iter().map(|change| change.order_text().to_owned()).collect();
    assert_eq!(orders, ["0001", "2025-09-23_1"]);
}

#[test]
fn the_place_has_no_directory_of_this_machine() {
    let places: Vec<String> = changes().iter().map(|change| change.source.to_string()).collect();
    assert_eq!(
        places,
        ["tests/changes/_0001__create_orders.rs:6", "tests/changes/_2025-09-23_1__add-code.rs:5"]
    );
}
