//! Three changes in transactions, of which the second is killed.

macro_rules! transactional {
    ($module:ident, $connection:ident) => {
        #[doc = concat!("On a `", stringify!($connection), "`.")]
        pub mod $module {
            use flamingock::prelude::*;
            use flamingock::sqlx::$connection;

            use crate::changes::{Effects as _, Hold};

            flamingock::change_set!(pub CHANGES);

            struct One;

            #[change(id = "one", order = 1, target_system = "db")]
            impl One {
                #[apply]
                async fn apply(db: &mut $connection) -> ChangeResult {
                    Ok(db.effect("one").await?)
                }
            }

            struct Two;

            #[change(id = "two", order = 2, target_system = "db")]
            impl Two {
                #[apply]
                async fn apply(db: &mut $connection, hold: &Hold) -> ChangeResult {
                    db.effect("two").await?;
                    hold.at("two:applying");
                    Ok(())
                }
            }

            struct Three;

            #[change(id = "three", order = 3, target_system = "db")]
            impl Three {
                #[apply]
                async fn apply(db: &mut $connection) -> ChangeResult {
                    Ok(db.effect("three").await?)
                }
            }
        }
    };
}

transactional!(sqlite, SqliteConnection);
transactional!(postgres, PgConnection);
transactional!(mysql, MySqlConnection);
