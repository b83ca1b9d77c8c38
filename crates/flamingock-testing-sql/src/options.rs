use flamingock_core::change::ChangeSet;

/// What `#[flamingock::test(..)]` says.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) url: Option<&'static str>,
    pub(crate) variable: Option<&'static str>,
    pub(crate) changes: Option<ChangeSet>,
    pub(crate) service: Option<&'static str>,
    pub(crate) should_panic: Option<&'static str>,
}

impl Options {
    /// An empty database, on the server that the environment names.
    pub fn new() -> Self {
        Self::default()
    }

    /// `url = ".."`: URL of the server.
    #[must_use]
    pub fn url(mut self, url: &'static str) -> Self {
        self.url = Some(url);
        self
    }

    /// `env = ".."`: the variable that has the URL of the server.
    #[must_use]
    pub fn env(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }

    /// `changes = ..`: these changes are applied when the test begins.
    #[must_use]
    pub fn changes(mut self, changes: ChangeSet) -> Self {
        self.changes = Some(changes);
        self
    }

    /// `service = ".."`: whose changes they are; `test` unless told.
    #[must_use]
    pub fn service(mut self, service: &'static str) -> Self {
        self.service = Some(service);
        self
    }

    /// `#[should_panic]`: the test passes when it panics with a message that contains this.
    #[must_use]
    pub fn should_panic(mut self, expected: &'static str) -> Self {
        self.should_panic = Some(expected);
        self
    }
}
