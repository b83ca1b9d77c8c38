#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    async fn apply(&self) -> ChangeResult {
        Ok(())
    }
}

struct S2;

#[change(id = "s2", order = 2, target_system = "t")]
impl S2 {
    #[apply]
    fn apply(self: Box<Self>, db: &mut Db) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
