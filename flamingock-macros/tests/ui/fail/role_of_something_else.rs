use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    const APPLY: u8 = { 5 };
}

fn main() {}
