#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    async fn apply(a: &mut Db, b: &mut Db, c: &mut u8) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
