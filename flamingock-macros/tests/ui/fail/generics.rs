#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    fn apply<T: Send>(t: &T) -> ChangeResult {
        Ok(())
    }
}

struct S2;

#[change(id = "s2", order = 2, target_system = "t")]
impl S2 {
    #[apply]
    fn apply<const N: usize>(a: &[u8; N]) -> ChangeResult {
        Ok(())
    }
}

struct S3;

#[change(id = "s3", order = 3, target_system = "t")]
impl S3 {
    #[apply]
    async fn apply<'a>(a: &'a mut Db) -> ChangeResult {
        Ok(())
    }
}

struct S4;

#[change(id = "s4", order = 4, target_system = "t")]
impl S4 {
    #[apply]
    fn apply() -> ChangeResult where Db: Send {
        Ok(())
    }
}

fn main() {}
