#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    fn apply(_: &Db) -> ChangeResult {
        Ok(())
    }
}

struct S2;

#[change(id = "s2", order = 2, target_system = "t")]
impl S2 {
    #[apply]
    fn apply((a, b): &(u8, u8)) -> ChangeResult {
        Ok(())
    }
}

struct S3;

#[change(id = "s3", order = 3, target_system = "t")]
impl S3 {
    #[apply]
    fn apply(ref db: &Db) -> ChangeResult {
        Ok(())
    }
}

struct S4;

#[change(id = "s4", order = 4, target_system = "t")]
impl S4 {
    #[apply]
    fn apply(Db: &Db) -> ChangeResult {
        Ok(())
    }
}

struct S5;

#[change(id = "s5", order = 5, target_system = "t")]
impl S5 {
    #[apply]
    fn apply(all @ Db: &Db) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
