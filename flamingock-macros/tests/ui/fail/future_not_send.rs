use flamingock::prelude::*;

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    async fn apply() -> ChangeResult {
        let shared = std::rc::Rc::new(5);
        std::future::ready(()).await;
        println!("{shared}");
        Ok(())
    }
}

fn main() {}
