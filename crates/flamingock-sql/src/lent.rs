use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};

/// How long a pool may take to lend one of its idle connections before all of them are taken for dead. One
/// that died without a word (a firewall forgot it, its server's machine is gone) answers no test, and the
/// test has no limit.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// A connection that a pool has lent. It goes back when [`finish`](Self::finish) is told that all went well.
/// Else it is closed, also where what is done on it is cancelled: given back, it would be tested, and where
/// nothing answers the pool would miss it for ever.
#[derive(Debug)]
pub struct Lent<DB: Database>(Option<PoolConnection<DB>>);

impl<DB: Database> Lent<DB> {
    /// A connection that works: tested, if the pool does that, or new.
    ///
    /// # Errors
    /// What the pool says.
    pub async fn from(pool: &Pool<DB>) -> Result<Self, sqlx::Error> {
        if pool.num_idle() > 0 {
            match tokio::time::timeout(PATIENCE, pool.acquire()).await {
                // Not the pool's own patience, where that is shorter.
                Err(_) | Ok(Err(sqlx::Error::PoolTimedOut)) => {}
                Ok(lent) => return Ok(Self(Some(lent?))),
            }
            while let Some(idle) = pool.try_acquire() {
                drop(idle.detach());
            }
        }
        Ok(Self(Some(pool.acquire().await?)))
    }

    /// An idle connection, untested.
    #[must_use]
    pub fn idle(pool: &Pool<DB>) -> Option<Self> {
        pool.try_acquire().map(|idle| Self(Some(idle)))
    }

    /// Gives it back after a success. After an error it is closed: whatever was left open on it is gone for certain, and
    /// nobody finds it in the pool.
    pub async fn finish<T, E>(mut self, outcome: Result<T, E>) -> Result<T, E> {
        if let Some(connection) = self.0.take()
            && outcome.is_err()
        {
            // It is gone also where that fails.
            let _ = connection.close().await;
        }
        outcome
    }
}

#[expect(clippy::expect_used, reason = "only what consumes it takes the connection out")]
impl<DB: Database> Deref for Lent<DB> {
    type Target = PoolConnection<DB>;

    fn deref(&self) -> &PoolConnection<DB> {
        self.0.as_ref().expect("is there until the end")
    }
}

#[expect(clippy::expect_used, reason = "only what consumes it takes the connection out")]
impl<DB: Database> DerefMut for Lent<DB> {
    fn deref_mut(&mut self) -> &mut PoolConnection<DB> {
        self.0.as_mut().expect("is there until the end")
    }
}

impl<DB: Database> Drop for Lent<DB> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}
