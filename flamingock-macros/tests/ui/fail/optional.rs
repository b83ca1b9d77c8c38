#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    fn apply(db: Option<&mut Db>) -> ChangeResult {
        Ok(())
    }
}

struct S2;

#[change(id = "s2", order = 2, target_system = "t")]
impl S2 {
    #[apply]
    fn apply(db: Option<Db>) -> ChangeResult {
        Ok(())
    }
}

struct S3;

#[change(id = "s3", order = 3, target_system = "t")]
impl S3 {
    #[apply]
    fn apply(db: &mut dyn Send) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
