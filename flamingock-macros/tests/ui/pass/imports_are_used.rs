#![deny(unused_imports)]

use flamingock::{apply, change, rollback, verify};

struct Foo;

#[change(id = "foo", order = 1, target_system = "t")]
impl Foo {
    #[apply]
    fn apply() -> Result<(), String> {
        Ok(())
    }

    #[rollback]
    fn rollback() -> Result<(), String> {
        Ok(())
    }

    #[verify]
    fn verify() -> Result<flamingock::change::TargetState, String> {
        Err("unknown".to_owned())
    }
}

fn main() {}
