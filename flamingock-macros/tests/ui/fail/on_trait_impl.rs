use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Drop for Foo {
    #[apply]
    fn drop(&mut self) {}
}

fn main() {}
