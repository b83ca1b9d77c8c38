#![allow(unused_variables)]

use flamingock::prelude::*;

use std::cell::Cell;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    fn apply(db: &mut *const u8, counter: &Cell<u8>, other: Option<&dyn Fn()>) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
