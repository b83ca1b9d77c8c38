use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use flamingock_core::{BackendError, BackendErrorKind, History};

use crate::{Connection, Diagnosis, Dialect, Options, Row};

/// One operation of a store or target: runs its statements, and words its errors.
pub struct Operation<'a, D: Dialect> {
    name: &'static str,
    options: &'a Options<D>,
}

impl<'a, D: Dialect> Operation<'a, D> {
    /// The operation of this name, such as `append`, on the database that `options` lead to.
    pub fn new(name: &'static str, options: &'a Options<D>) -> Self {
        Self { name, options }
    }

    /// Runs a query.
    ///
    /// # Errors
    /// What the database says, mapped.
    pub async fn rows(&self, connection: &mut Connection<D>, sql: String) -> Result<Vec<Row>, BackendError> {
        D::rows(connection, sql).await.map_err(|error| self.error(error))
    }

    /// Runs a query; [`None`] when a table is not there.
    ///
    /// # Errors
    /// What else the database says, mapped.
    pub async fn rows_if_table(
        &self,
        connection: &mut Connection<D>,
        sql: String,
    ) -> Result<Option<Vec<Row>>, BackendError> {
        match D::rows(connection, sql).await {
            Ok(rows) => Ok(Some(rows)),
            Err(sqlx::Error::Database(error)) if D::is_missing_table(&*error) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Runs a statement; the number of rows it changed.
    ///
    /// # Errors
    /// What the database says, mapped.
    pub async fn execute(&self, connection: &mut Connection<D>, sql: String) -> Result<u64, BackendError> {
        D::execute(connection, sql).await.map_err(|error| self.error(error))
    }

    /// Runs a statement outside a transaction and reads its rows; again when it lost a race.
    ///
    /// # Errors
    /// What the database says, mapped.
    pub async fn rows_alone(
        &self,
        connection: &mut Connection<D>,
        sql: &str,
    ) -> Result<Vec<Row>, BackendError> {
        let mut race = Race::default();
        loop {
            match D::rows(connection, sql.to_owned()).await {
                Err(error) if race.lost::<D>(&error).await => {}
                outcome => return outcome.map_err(|error| self.error(error)),
            }
        }
    }

    /// Runs a statement outside a transaction; the number of rows it changed. Again when it lost a race.
    ///
    /// # Errors
    /// What the database says, mapped.
    pub async fn execute_alone(
        &self,
        connection: &mut Connection<D>,
        sql: &str,
    ) -> Result<u64, BackendError> {
        let mut race = Race::default();
        loop {
            match D::execute(connection, sql.to_owned()).await {
                Err(error) if race.lost::<D>(&error).await => {}
                outcome => return outcome.map_err(|error| self.error(error)),
            }
        }
    }

    /// A text literal.
    ///
    /// # Errors
    /// `InvalidData` for text with NUL, which would end the statement.
    pub fn text(&self, text: &str) -> Result<String, BackendError> {
        if text.contains('\0') {
            let message = format!("text with a NUL character cannot be stored: `{}`", text.escape_debug());
            return Err(self.fail(BackendErrorKind::InvalidData, message));
        }
        Ok(D::quote_text(text))
    }

    /// A number literal.
    ///
    /// # Errors
    /// `InvalidData` for a number that needs more than 63 bits.
    pub fn number(&self, number: u64) -> Result<String, BackendError> {
        i64::try_from(number).map(|number| number.to_string()).map_err(|_| {
            self.fail(BackendErrorKind::InvalidData, format!("the number {number} is too great to be stored"))
        })
    }

    /// The condition that picks a history's rows.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn of(&self, history: &History) -> Result<String, BackendError> {
        let (service, tenant) = (D::quote_name("service"), D::quote_name("tenant"));
        Ok(format!(
            "{service} = {} AND {tenant} = {}",
            self.text(&history.service)?,
            self.text(&history.tenant)?
        ))
    }

    /// What is stored cannot be read.
    pub fn corrupt(&self, what: impl fmt::Display, problem: impl fmt::Display) -> BackendError {
        self.fail(BackendErrorKind::Corrupt, format!("{what} cannot be read: {problem}"))
    }

    /// An error of this operation that did not come from the driver.
    pub fn fail(&self, kind: BackendErrorKind, message: impl Into<String>) -> BackendError {
        BackendError::new(kind, self.name, message).context("database", D::address(self.options))
    }

    /// The one mapping of the driver's errors.
    pub fn error(&self, error: sqlx::Error) -> BackendError {
        let Diagnosis { kind, remedy } = diagnose::<D>(&error, self.options);
        let said = match &error {
            sqlx::Error::Database(error) => error.message().to_owned(),
            other => other.to_string(),
        };
        let message = if remedy.is_empty() { said } else { format!("{said}; {remedy}") };
        self.fail(kind, message).source(error)
    }
}

/// How often a statement has lost a race against others.
#[derive(Debug, Default)]
pub(crate) struct Race {
    lost: u32,
}

impl Race {
    const PATIENCE: u32 = 10;

    /// Whether to try again, after a pause in which the others get done.
    pub(crate) async fn lost<D: Dialect>(&mut self, error: &sqlx::Error) -> bool {
        let lost = matches!(error, sqlx::Error::Database(error) if D::lost_race(&**error));
        if !lost || self.lost == Self::PATIENCE {
            return false;
        }
        self.lost += 1;
        // Not the same for all who lost, so that they do not meet again.
        let jitter = RandomState::new().hash_one(self.lost) % u64::from(20 * self.lost);
        tokio::time::sleep(Duration::from_millis(u64::from(5 * self.lost) + jitter)).await;
        true
    }
}

impl<D: Dialect> fmt::Debug for Operation<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the options: they may hold a password.
        f.debug_struct("Operation").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What an error of the driver means. What the database itself says is the dialect's to judge.
fn diagnose<D: Dialect>(error: &sqlx::Error, options: &Options<D>) -> Diagnosis {
    use BackendErrorKind::{Corrupt, InvalidData, Misconfigured, Other, Unavailable};
    let (kind, remedy) = match error {
        sqlx::Error::Database(error) => return D::diagnose(&**error, options),
        sqlx::Error::PoolTimedOut => {
            (Unavailable, "all connections of the pool are in use: give it more, or return them sooner")
        }
        sqlx::Error::PoolClosed => (Misconfigured, "keep the pool open until the run has ended"),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            (Unavailable, "the connection is lost, or was never made")
        }
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => {
            (Misconfigured, "")
        }
        sqlx::Error::Encode(_) => (InvalidData, ""),
        sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => (Corrupt, ""),
        // A connection that was left inside a transaction by whoever used it before.
        sqlx::Error::InvalidSavePointStatement | sqlx::Error::BeginFailed => (Unavailable, ""),
        _ => (Other, ""),
    };
    Diagnosis { kind, remedy }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests;
