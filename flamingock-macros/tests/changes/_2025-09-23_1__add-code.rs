use flamingock::prelude::*;

pub(crate) struct AddCode;

#[change(id = "add-code", target_system = "orders-db")]
impl AddCode {
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}
