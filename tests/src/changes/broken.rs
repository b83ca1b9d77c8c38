//! Changes that fail, and what they are when they are corrected.

macro_rules! broken {
    ($module:ident, $connection:ident) => {
        #[doc = concat!("On a `", stringify!($connection), "`.")]
        pub mod $module {
            use flamingock::prelude::*;
            use flamingock::sqlx::{$connection, raw_sql};

            use crate::changes::Effects as _;

            /// The second of two statements fails.
            pub mod second_statement {
                use super::*;

                flamingock::change_set!(pub CHANGES);

                struct Columns;

                #[change(id = "columns", order = 1, target_system = "db")]
                impl Columns {
                    #[apply]
                    async fn apply(db: &mut $connection) -> ChangeResult {
                        raw_sql("ALTER TABLE effects ADD COLUMN a INTEGER").execute(&mut *db).await?;
                        raw_sql("ALTER TABLE no_such_table ADD COLUMN b INTEGER").execute(db).await?;
                        Ok(())
                    }
                }
            }

            /// The first applies, the second fails.
            pub mod before {
                use super::*;

                flamingock::change_set!(pub CHANGES);

                struct First;

                #[change(id = "first", order = 1, target_system = "db")]
                impl First {
                    #[apply]
                    async fn apply(db: &mut $connection) -> ChangeResult {
                        Ok(db.effect("first").await?)
                    }
                }

                struct Second;

                #[change(id = "second", order = 2, target_system = "db")]
                impl Second {
                    #[apply]
                    async fn apply(db: &mut $connection) -> ChangeResult {
                        db.effect("second").await?;
                        raw_sql("INSERT INTO no_such_table VALUES (1)").execute(db).await?;
                        Ok(())
                    }
                }
            }

            /// Both apply.
            pub mod after {
                use super::*;

                flamingock::change_set!(pub CHANGES);

                struct First;

                #[change(id = "first", order = 1, target_system = "db")]
                impl First {
                    #[apply]
                    async fn apply(db: &mut $connection) -> ChangeResult {
                        Ok(db.effect("first").await?)
                    }
                }

                struct Second;

                #[change(id = "second", order = 2, target_system = "db")]
                impl Second {
                    #[apply]
                    async fn apply(db: &mut $connection) -> ChangeResult {
                        Ok(db.effect("second").await?)
                    }
                }
            }
        }
    };
}

broken!(sqlite, SqliteConnection);
broken!(postgres, PgConnection);
broken!(mysql, MySqlConnection);
