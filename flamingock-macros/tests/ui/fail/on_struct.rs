use flamingock::prelude::*;

#[change(id = "foo", order = 1, target_system = "t")]
pub struct Foo;

fn main() {}
