use flamingock::prelude::*;

struct Foo<T>(T);

#[change(id = "foo", order = 1, target_system = "t")]
impl<T> Foo<T>
where
    T: Send,
{
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }
}

fn main() {}
