use flamingock::prelude::*;

use crate::flags::Flags;

pub(crate) struct SeedDiscountsFlag;

const FLAG: &str = "discounts";

/// Discounts can be switched on, and are off at first.
#[change(id = "seed-discounts-flag", target_system = "flags", author = "inventory")]
impl SeedDiscountsFlag {
    #[apply]
    async fn apply(flags: &Flags) -> ChangeResult {
        flags.create(FLAG, false).await?;
        Ok(())
    }

    #[rollback]
    async fn rollback(flags: &Flags) -> ChangeResult {
        flags.delete(FLAG).await?;
        Ok(())
    }

    #[verify]
    async fn verify(flags: &Flags) -> Result<TargetState, BoxError> {
        let there = flags.get(FLAG).await?.is_some();
        Ok(if there { TargetState::Applied } else { TargetState::NotApplied })
    }
}
