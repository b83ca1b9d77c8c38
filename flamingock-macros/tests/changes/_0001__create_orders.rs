use flamingock::prelude::*;

pub(crate) struct CreateOrders;

/// The orders.
#[change(id = "create-orders", target_system = "orders-db")]
impl CreateOrders {
    #[apply]
    fn apply(name: &str) -> ChangeResult {
        println!("{name}");
        Ok(())
    }
}
