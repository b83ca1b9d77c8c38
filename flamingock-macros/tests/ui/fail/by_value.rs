#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    fn apply(db: Db, count: usize) -> ChangeResult {
        Ok(())
    }
}

struct S2;

#[change(id = "s2", order = 2, target_system = "t")]
impl S2 {
    #[apply]
    fn apply(pool: std::sync::Arc<Db>, pair: (u8, u8), array: [u8; 2]) -> ChangeResult {
        Ok(())
    }
}

struct S3;

#[change(id = "s3", order = 3, target_system = "t")]
impl S3 {
    #[apply]
    fn apply(raw: *const Db) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
