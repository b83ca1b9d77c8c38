use flamingock::prelude::*;

struct Foo;

#[change(id = "", target = "t", timeout = "soon")]
impl Foo {
    #[apply]
    async fn apply(self, db: Db, tx: &'static Tx) {}

    #[rollback]
    fn rollback<T>() -> ChangeResult {
        // Bodies are checked all the same.
        let text: String = 5;
        Ok(())
    }
}

fn main() {}
