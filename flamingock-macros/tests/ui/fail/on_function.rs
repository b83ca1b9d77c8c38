use flamingock::prelude::*;

#[change(id = "foo", order = 1, target_system = "t")]
async fn apply() -> ChangeResult {
    Ok(())
}

fn main() {}
