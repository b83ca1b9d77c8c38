#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    fn apply(#[cfg(unix)] db: &Db) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
