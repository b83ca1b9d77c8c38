#![allow(unused_variables)]

use flamingock::prelude::*;

struct Db;

struct S1;

#[change(id = "s1", order = 1, target_system = "t")]
impl S1 {
    #[apply]
    unsafe fn apply() -> ChangeResult {
        Ok(())
    }
}

struct S2;

#[change(id = "s2", order = 2, target_system = "t")]
impl S2 {
    #[apply]
    extern "C" fn apply() -> ChangeResult {
        Ok(())
    }
}

struct S3;

#[change(id = "s3", order = 3, target_system = "t")]
impl S3 {
    #[apply]
    unsafe extern "C" fn apply(count: &u8, ...) -> ChangeResult {
        Ok(())
    }
}

fn main() {}
