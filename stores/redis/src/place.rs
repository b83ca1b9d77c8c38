use flamingock_core::{BackendError, BackendErrorKind};
use redis::{Cmd, Value};

use crate::errors::Operation;
use crate::keys::Keys;
use crate::link::{Again, Link};
use crate::script::Call;

/// Beyond this, a number is no longer exact in a script.
const GREATEST: u64 = 1 << 53;

/// Keys on a server: what audit store and lock have in common.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) link: Link,
    pub(crate) keys: Keys,
}

impl Place {
    pub(crate) fn operation(&self, name: &'static str) -> Operation<'_> {
        Operation { name, address: self.link.address(), secret: self.link.secret() }
    }

    /// The same place, over a connection of its own that is opened here and now.
    pub(crate) async fn apart(&self) -> Result<Self, BackendError> {
        let place = Self { link: self.link.apart(), keys: self.keys.clone() };
        place.connect().await?;
        Ok(place)
    }

    pub(crate) async fn connect(&self) -> Result<(), BackendError> {
        let operation = self.operation("connect");
        self.check(&operation)?;
        self.link.connect().await.map_err(|error| operation.error(error))
    }

    pub(crate) async fn call(
        &self,
        operation: &Operation<'_>,
        call: Call,
        again: Again,
    ) -> Result<Value, BackendError> {
        self.check(operation)?;
        self.link.call(&call, again).await.map_err(|error| operation.error(error))
    }

    /// A command that only reads.
    pub(crate) async fn read(&self, operation: &Operation<'_>, command: &Cmd) -> Result<Value, BackendError> {
        self.check(operation)?;
        self.link.send(command, Again::Yes).await.map_err(|error| operation.error(error))
    }

    /// Refuses what is set up in a way that cannot work, before anything is sent.
    fn check(&self, operation: &Operation<'_>) -> Result<(), BackendError> {
        match self.keys.problem() {
            Some(problem) => Err(operation.fail(BackendErrorKind::Misconfigured, problem)),
            None => Ok(()),
        }
    }
}

/// A number as a script's argument.
pub(crate) fn number(operation: &Operation<'_>, number: u64) -> Result<String, BackendError> {
    if number < GREATEST {
        return Ok(number.to_string());
    }
    Err(operation
        .fail(BackendErrorKind::InvalidData, format!("the number {number} is too great to be stored")))
}
