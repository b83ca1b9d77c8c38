use std::sync::LazyLock;

use redis::{Cmd, Script};

/// A script that the server knows by its hash, once it has seen it.
#[derive(Debug)]
pub(crate) struct Lua {
    code: &'static str,
    hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])* pub(crate) static $name: Lua = Lua {
            code: include_str!($file),
            hash: LazyLock::new(|| Script::new(include_str!($file)).get_hash().to_owned()),
        };)*
    };
}

scripts! {
    /// Audit.
    APPEND = "lua/append.lua";
    TAKE_OFFICE = "lua/take_office.lua";
    ENTRIES_AT = "lua/entries_at.lua";
    /// Lock.
    ACQUIRE = "lua/acquire.lua";
    EXTEND = "lua/extend.lua";
    RELEASE = "lua/release.lua";
    INSPECT = "lua/inspect.lua";
    BREAK = "lua/break.lua";
}

/// A script with its keys and arguments.
#[derive(Debug)]
pub(crate) struct Call {
    lua: &'static Lua,
    keys: Vec<String>,
    arguments: Vec<String>,
}

impl Lua {
    pub(crate) fn on(&'static self, keys: impl IntoIterator<Item = String>) -> Call {
        Call { lua: self, keys: keys.into_iter().collect(), arguments: Vec::new() }
    }
}

impl Call {
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// By its hash: short, and unknown to a server that has not seen it since it started.
    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.lua.hash)
    }

    /// With its code, which the server then keeps.
    pub(crate) fn in_full(&self) -> Cmd {
        self.command("EVAL", self.lua.code)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.arguments);
        command
    }
}
