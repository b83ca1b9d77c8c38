use flamingock::prelude::*;

struct Foo;

fn id<T: CodeChange>() -> &'static str {
    T::ID
}

fn main() {
    id::<Foo>();
}
