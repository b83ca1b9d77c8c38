use std::error::Error;
use std::fmt;
use std::io;

use flamingock_core::{BackendError, BackendErrorKind};
use redis::{ErrorKind, RedisError};

/// One operation of a store: words its errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) name: &'static str,
    pub(crate) address: &'a str,
    /// What must show up nowhere.
    pub(crate) secret: Option<&'a str>,
}

impl Operation<'_> {
    /// An error that did not come from the driver.
    pub(crate) fn fail(&self, kind: BackendErrorKind, message: impl Into<String>) -> BackendError {
        BackendError::new(kind, self.name, message).context("server", self.address)
    }

    /// What is stored cannot be read.
    pub(crate) fn corrupt(&self, what: impl fmt::Display, problem: impl fmt::Display) -> BackendError {
        self.fail(BackendErrorKind::Corrupt, format!("{what} cannot be read: {problem}"))
    }

    /// The driver's error, mapped.
    pub(crate) fn error(&self, error: RedisError) -> BackendError {
        let Diagnosis { kind, remedy } = diagnose(&error);
        let said = error.to_string();
        let hidden = self.hide(&said);
        let message = if remedy.is_empty() { hidden.clone() } else { format!("{hidden}: {remedy}") };
        let mapped = self.fail(kind, message);
        // An old server repeats a command that it does not know, with the password in it.
        if hidden == said && self.is_clean(&error) { mapped.source(error) } else { mapped }
    }

    fn hide(&self, text: &str) -> String {
        match self.secret {
            Some(secret) => text.replace(secret, "***"),
            None => text.to_owned(),
        }
    }

    fn is_clean(&self, error: &RedisError) -> bool {
        let Some(secret) = self.secret else { return true };
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            if format!("{error} {error:?}").contains(secret) {
                return false;
            }
            cause = error.source();
        }
        true
    }
}

/// What an error means, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) kind: BackendErrorKind,
    /// Empty where the message says enough.
    pub(crate) remedy: &'static str,
}

/// A word of a server's, what it means and what to do.
type Row = (&'static str, BackendErrorKind, &'static str);

const PERMIT: &str = "the user needs the commands and keys that the documentation of the store lists";

/// By the code that begins a server's error.
const CODES: &[Row] = {
    use BackendErrorKind::{Corrupt, Denied, Misconfigured, ReadOnly, Schema, StorageFull, Unavailable};
    const CLUSTER: &str = "this is a node of a cluster: use `connect_cluster`, or a URL `redis-cluster://..`";
    const ADMIT: &str = "check user and password";
    const WRITE: &str = "this is a replica: connect to the primary";
    &[
        ("NOAUTH", Denied, ADMIT),
        ("WRONGPASS", Denied, ADMIT),
        ("NOPERM", Denied, PERMIT),
        ("DENIED", Denied, "the server is in protected mode: it admits only clients on its own machine"),
        ("READONLY", ReadOnly, WRITE),
        ("OOM", StorageFull, "the server's `maxmemory` is reached"),
        ("MISCONF", StorageFull, "the server cannot write to its disk"),
        ("LOADING", Unavailable, ""),
        ("CLUSTERDOWN", Unavailable, ""),
        ("MASTERDOWN", Unavailable, ""),
        ("TRYAGAIN", Unavailable, ""),
        ("NOREPLICAS", Unavailable, "too few replicas are connected (`min-replicas-to-write`)"),
        ("UNBLOCKED", Unavailable, ""),
        ("BUSY", Unavailable, "another client's script runs for too long"),
        ("MOVED", Misconfigured, CLUSTER),
        ("ASK", Misconfigured, CLUSTER),
        ("CROSSSLOT", Misconfigured, CLUSTER),
        ("WRONGTYPE", Schema, "a key of this name holds something else: choose another prefix"),
        ("NOPROTO", Misconfigured, "leave out `protocol=resp3`"),
        ("CORRUPT", Corrupt, ""),
    ]
};

/// By words in answers that begin with the general code `ERR`.
const MESSAGES: &[Row] = {
    use BackendErrorKind::{Corrupt, Denied, Misconfigured, Unavailable};
    &[
        ("max number of clients reached", Unavailable, ""),
        ("cluster support disabled", Misconfigured, "the URL of a single server begins with `redis://`"),
        ("DB index is out of range", Misconfigured, "the server has no database of this number"),
        ("without any password configured", Denied, "the server has no password: leave it out of the URL"),
        ("no password is set", Denied, "the server has no password: leave it out of the URL"),
        ("invalid password", Denied, "check user and password"),
        ("The user executing the script can't", Denied, PERMIT),
        ("unknown command", Misconfigured, "Redis 5 or newer is needed, and none of its commands renamed"),
        // A script met something else than a number.
        ("attempt to ", Corrupt, ""),
    ]
};

/// The one mapping of the driver's errors.
pub(crate) fn diagnose(error: &RedisError) -> Diagnosis {
    let detail = error.detail().unwrap_or_default();
    let row = coded(error).or_else(|| MESSAGES.iter().find(|row| detail.contains(row.0)));
    if let Some((_, kind, remedy)) = row {
        return Diagnosis { kind: *kind, remedy };
    }
    let (kind, remedy) = match error.kind() {
        ErrorKind::Io if is_refused_by_the_system(error) => (BackendErrorKind::Denied, ""),
        ErrorKind::Io if error.to_string().contains("certificate") => {
            (BackendErrorKind::Misconfigured, "the server's certificate is not one that this machine trusts")
        }
        ErrorKind::Io
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel => (BackendErrorKind::Unavailable, ""),
        ErrorKind::AuthenticationFailed => (BackendErrorKind::Denied, "check user and password"),
        ErrorKind::Parse => (BackendErrorKind::Misconfigured, "is this the address of a Redis server?"),
        ErrorKind::RESP3NotSupported => (BackendErrorKind::Misconfigured, "leave out `protocol=resp3`"),
        ErrorKind::InvalidClientConfig | ErrorKind::Client | ErrorKind::EmptySentinelList => {
            (BackendErrorKind::Misconfigured, "")
        }
        _ => (BackendErrorKind::Other, ""),
    };
    Diagnosis { kind, remedy }
}

/// Whether a replica says it, or a server that is becoming one.
pub(crate) fn is_from_replica(error: &RedisError) -> bool {
    coded(error).is_some_and(|row| matches!(row.0, "READONLY" | "MASTERDOWN" | "LOADING"))
}

fn coded(error: &RedisError) -> Option<&'static Row> {
    let row = |code: &str| CODES.iter().find(|row| row.0 == code);
    // What a script or the greeting met may stand within another error's text.
    let words = || error.detail().unwrap_or_default().split_ascii_whitespace();
    error.code().and_then(row).or_else(|| words().find_map(|word| row(word.trim_matches(['-', ':']))))
}

/// Such as a Unix socket of another user's.
fn is_refused_by_the_system(error: &RedisError) -> bool {
    let cause =
        error.source().and_then(|cause| cause.downcast_ref::<std::sync::Arc<dyn Error + Send + Sync>>());
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    cause
        .or_else(|| error.source()?.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use BackendErrorKind::{
        Corrupt, Denied, Misconfigured, Other, ReadOnly, Schema, StorageFull, Unavailable,
    };

    const OPERATION: Operation<'_> =
        Operation { name: "append", address: "redis://cache:6379", secret: Some("hunter2") };

    /// As a server says it.
    fn said(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn what_a_server_says_is_mapped() {
        let table = [
            ("NOAUTH Authentication required.", Denied),
            ("WRONGPASS invalid username-password pair or user is disabled.", Denied),
            ("NOPERM this user has no permissions to run the 'evalsha' command", Denied),
            ("NOPERM No permissions to access a key", Denied),
            ("ERR The user executing the script can't run this command or subcommand script: 1a", Denied),
            ("DENIED Redis is running in protected mode because protected mode is enabled", Denied),
            ("ERR AUTH <password> called without any password configured for the default user.", Denied),
            ("ERR Client sent AUTH, but no password is set", Denied),
            ("ERR invalid password", Denied),
            ("READONLY You can't write against a read only replica.", ReadOnly),
            ("OOM command not allowed when used memory > 'maxmemory'.", StorageFull),
            ("MISCONF Redis is configured to save RDB snapshots, but it's unable to persist", StorageFull),
            ("LOADING Redis is loading the dataset in memory", Unavailable),
            ("CLUSTERDOWN The cluster is down", Unavailable),
            ("MASTERDOWN Link with MASTER is down", Unavailable),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Unavailable),
            ("NOREPLICAS Not enough good replicas to write.", Unavailable),
            ("BUSY Redis is busy running a script.", Unavailable),
            ("ERR max number of clients reached", Unavailable),
            ("MOVED 3999 127.0.0.1:6381", Misconfigured),
            ("ASK 3999 127.0.0.1:6381", Misconfigured),
            ("CROSSSLOT Keys in request don't hash to the same slot", Misconfigured),
            ("ERR DB index is out of range", Misconfigured),
            ("ERR unknown command 'XADD'", Misconfigured),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Schema),
            ("ERR user_script:9: attempt to perform arithmetic on a nil value script: 1a", Corrupt),
            // As Redis 6 says what a script met.
            (
                "ERR Error running script (call to f_1a): @user_script:4: @user_script: 4: -READONLY You can't \
                 write against a read only replica.",
                ReadOnly,
            ),
            ("ERR Error running script (call to f_1a): @user_script:4: OOM command not allowed", StorageFull),
            ("ERR something new", Other),
            ("NEWCODE something new", Other),
        ];
        for (line, kind) in table {
            assert_eq!(diagnose(&said(line)).kind, kind, "{line}");
        }
    }

    #[test]
    fn what_a_replica_says_is_known_also_within_the_error_of_a_script() {
        let within =
            "ERR Error running script (call to f_1a): @user_script:4: @user_script: 4: -READONLY You";
        for line in [within, "READONLY You can't", "MASTERDOWN Link with", "LOADING Redis is loading"] {
            assert!(is_from_replica(&said(line)), "{line}");
        }
        for line in ["OOM command not allowed", "MISCONF Redis is configured", "ERR something new"] {
            assert!(!is_from_replica(&said(line)), "{line}");
        }
    }

    #[test]
    fn connection_loss_is_unavailable_and_may_be_tried_again() {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, NotFound,
            TimedOut, UnexpectedEof,
        };
        for kind in [
            BrokenPipe,
            ConnectionAborted,
            ConnectionRefused,
            ConnectionReset,
            NotConnected,
            NotFound,
            TimedOut,
            UnexpectedEof,
        ] {
            let mapped = OPERATION.error(RedisError::from(io::Error::from(kind)));
            assert_eq!(mapped.kind(), Unavailable, "{kind}");
            assert!(mapped.is_temporary());
        }
        let refused = RedisError::from(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(diagnose(&refused).kind, Denied);
        let untrusted = io::Error::new(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer");
        assert_eq!(diagnose(&RedisError::from(untrusted)).kind, Misconfigured);
    }

    #[test]
    fn what_the_driver_says_is_mapped() {
        let table = [
            (ErrorKind::InvalidClientConfig, Misconfigured),
            (ErrorKind::Parse, Misconfigured),
            (ErrorKind::RESP3NotSupported, Misconfigured),
            (ErrorKind::AuthenticationFailed, Denied),
            (ErrorKind::ClusterConnectionNotFound, Unavailable),
            (ErrorKind::UnexpectedReturnType, Other),
        ];
        for (kind, expected) in table {
            assert_eq!(diagnose(&RedisError::from((kind, "said"))).kind, expected, "{kind:?}");
        }
    }

    #[test]
    fn a_server_that_is_still_loading_when_it_is_greeted_is_unavailable() {
        let detail = "LOADING Redis is loading the dataset in memory".to_owned();
        let error =
            RedisError::from((ErrorKind::AuthenticationFailed, "Password authentication failed", detail));
        assert_eq!(diagnose(&error).kind, Unavailable);
    }

    #[test]
    fn a_password_that_a_server_repeats_is_hidden_with_its_cause() {
        let line = "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `app`, `hunter2`";
        let mapped = OPERATION.error(said(line));
        assert!(!format!("{mapped} {mapped:?} {mapped:#?}").contains("hunter2"), "{mapped:#?}");
        assert!(Error::source(&mapped).is_none());
        let plain = OPERATION.error(said("NOAUTH Authentication required."));
        assert!(Error::source(&plain).is_some());
        assert!(plain.to_string().contains("redis://cache:6379"), "{plain}");
    }
}
