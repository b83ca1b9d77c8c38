use flamingock::prelude::*;

struct Boxed;

#[change(id = "boxed", order = 1, target_system = "t")]
impl Boxed {
    #[apply]
    async fn apply() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("text".into())
    }

    #[rollback]
    async fn rollback() -> Result<(), &'static str> {
        Err("text")
    }
}

struct NotApplied;

#[change(id = "not-applied", order = 2, target_system = "t")]
impl NotApplied {
    #[apply]
    fn apply() -> ChangeResult<ChangeError> {
        Err(ChangeError::not_applied("refused"))
    }
}

fn main() {}
