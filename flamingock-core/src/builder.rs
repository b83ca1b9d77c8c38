use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::History;
use crate::audit::AuditStore;
use crate::change::{Change, ChangeSet, Resources};
use crate::event::{Event, Listeners};
use crate::host::{Host, ThisProcess};
use crate::lock::LockStore;
use crate::pipeline::{Assembly, BuildError, Pipeline, Problem, Stage, Targets, assemble, bad_name};
use crate::plan::Policies;
use crate::target::TargetSystem;

/// What a run is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunMode {
    /// Apply what is pending.
    #[default]
    Apply,
    /// Change nothing; fail when anything is pending.
    Check,
    /// Change nothing; wait until another instance has applied everything, at most so long. Needs
    /// read access only.
    Wait(Duration),
}

/// Change-as-Code, wired and checked: [`run`](Self::run) it when the application starts.
#[derive(Debug, Clone)]
pub struct Flamingock {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn AuditStore>,
    pub(crate) lock: Arc<dyn LockStore>,
    /// Whether the lock has to be set up besides the store.
    pub(crate) own_lock: bool,
    pub(crate) targets: Targets,
    pub(crate) resources: Arc<Resources>,
    pub(crate) pipeline: Pipeline,
    pub(crate) listeners: Arc<Listeners>,
}

/// Everything about a run that is not a part of the house.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) history: History,
    pub(crate) owner: String,
    pub(crate) hostname: String,
    pub(crate) enabled: bool,
    pub(crate) mode: RunMode,
    pub(crate) lease: Duration,
    pub(crate) lock_wait: Duration,
    pub(crate) operation_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) cancel: CancellationToken,
    pub(crate) profiles: Vec<String>,
    pub(crate) policies: Policies,
    pub(crate) accept_restored: bool,
    pub(crate) application_version: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) metadata: Option<String>,
    /// Who asked for this run, where it was asked for by a person.
    pub(crate) operator: Option<String>,
    /// Why.
    pub(crate) reason: Option<String>,
    pub(crate) host: Arc<dyn Host>,
}

impl Flamingock {
    /// Begins to wire an application.
    pub fn builder() -> FlamingockBuilder {
        FlamingockBuilder::new()
    }

    /// The same application with one more listener.
    #[must_use]
    pub fn listened_to(&self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        let mut listeners = (*self.listeners).clone();
        listeners.add(listener);
        Self { listeners: Arc::new(listeners), ..self.clone() }
    }

    /// The same for a person, whose name and reason are recorded with each entry.
    pub(crate) fn asked_by(&self, operator: Option<&str>, reason: Option<&str>) -> Self {
        let text = |text: &str| text.replace('\0', "");
        let mut app = self.clone();
        app.settings.operator = operator.map(text);
        app.settings.reason = reason.map(text);
        app
    }

    /// What is to be run.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }
}

/// Wires an application; [`build`](Self::build) checks it.
#[derive(Debug)]
#[must_use = "call `.build()?` and then `.run().await?`"]
pub struct FlamingockBuilder {
    settings: Settings,
    changes: Option<Vec<Change>>,
    stages: Vec<Stage>,
    strict: bool,
    store: Option<Arc<dyn AuditStore>>,
    lock: Option<Arc<dyn LockStore>>,
    own_lock: bool,
    targets: Vec<Arc<dyn TargetSystem>>,
    resources: Resources,
    listeners: Listeners,
}

impl FlamingockBuilder {
    fn new() -> Self {
        let settings = Settings::new();
        Self {
            settings,
            changes: None,
            stages: Vec::new(),
            strict: true,
            store: None,
            lock: None,
            own_lock: false,
            targets: Vec::new(),
            resources: Resources::new(),
            listeners: Listeners::default(),
        }
    }

    /// Whose changes: the name of the service. Required, and part of every key: with another name
    /// everything is pending again.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.settings.history.service = name.into();
        self
    }

    /// The tenant, where each has a history of its own.
    pub fn tenant(mut self, name: impl Into<String>) -> Self {
        self.settings.history.tenant = name.into();
        self
    }

    /// Takes the changes of a set; may be called any number of times. Without it everything that is
    /// linked is taken.
    pub fn changes(mut self, set: ChangeSet) -> Self {
        self.changes.get_or_insert_default().extend(set.changes());
        self
    }

    /// Takes one change that was made by hand; may be called any number of times.
    pub fn change(mut self, change: Change) -> Self {
        self.changes.get_or_insert_default().push(change);
        self
    }

    /// Declares a stage; they run in the order in which they are declared. Without it all changes
    /// are in the one stage `default`.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Whether a change that is in no stage is an error (default) or is left out with a warning.
    pub fn strict_stage_mapping(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Where the audit is kept; the lock is kept there, too. Required.
    pub fn audit_store<S: AuditStore + LockStore>(mut self, store: S) -> Self {
        let store = Arc::new(store);
        if !self.own_lock {
            self.lock = Some(Arc::<S>::clone(&store));
        }
        self.store = Some(store);
        self
    }

    pub(crate) fn has_audit_store(&self) -> bool {
        self.store.is_some()
    }

    /// Keeps the lock elsewhere.
    pub fn lock_store(mut self, lock: impl LockStore) -> Self {
        self.lock = Some(Arc::new(lock));
        self.own_lock = true;
        self
    }

    /// Adds a target system.
    pub fn target(mut self, target: impl TargetSystem) -> Self {
        self.targets.push(Arc::new(target));
        self
    }

    /// Adds a dependency that changes take as `&T`.
    pub fn dependency<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.resources.insert(value);
        self
    }

    /// Adds a shared dependency that changes take as `&T`; `T` may be a trait object or `str`.
    pub fn dependency_arc<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.resources.insert_arc(value);
        self
    }

    /// Activates profiles: changes for other profiles are left out.
    pub fn profiles(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.profiles.extend(names.into_iter().map(Into::into));
        self
    }

    /// What to do when code and audit have drifted apart.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.settings.policies = policies;
        self
    }

    /// What the run is to do; [`RunMode::Apply`] unless told.
    pub fn mode(mut self, mode: RunMode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// `false`: the run looks at nothing and reports that it is disabled.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.settings.enabled = enabled;
        self
    }

    /// How long the lock is held without being extended, 100 ms to a day; 60 s unless told. It is
    /// extended at a third of it.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long to wait for another instance; 180 s unless told.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.settings.lock_wait = wait;
        self
    }

    /// How long one operation of a store or a target may take; 30 s unless told. An append that is
    /// not answered within a third of it is tried again.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.settings.operation_timeout = timeout;
        self
    }

    /// Stops the run at a safe point when the token is cancelled: a transactional change is rolled
    /// back, another may finish within [`shutdown_grace`](Self::shutdown_grace).
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        self.settings.cancel = token;
        self
    }

    /// How long a change without a transaction may go on after cancellation; 25 s unless told. If it
    /// fails or does not end, its compensation may take as long again: give the process twice that.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.settings.shutdown_grace = grace;
        self
    }

    /// Goes on although the targets are newer than the audit store, which was restored from a
    /// backup: what their markers say is taken over. For one run, after somebody looked: a change
    /// without a transaction has no marker and is applied again if the audit lost it.
    pub fn accept_restored(mut self, accept: bool) -> Self {
        self.settings.accept_restored = accept;
        self
    }

    /// Version of the application, for the audit.
    pub fn application_version(mut self, version: impl Into<String>) -> Self {
        self.settings.application_version = Some(version.into());
        self
    }

    /// Trace id of the start, for the audit.
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.settings.trace_id = Some(id.into());
        self
    }

    /// Facts of the application's own, kept with every entry. No secrets.
    pub fn metadata(mut self, metadata: serde_json::Value) -> Self {
        self.settings.metadata = Some(metadata.to_string());
        self
    }

    /// Runs as on another machine. For simulations.
    #[doc(hidden)]
    pub fn host(mut self, host: impl Host) -> Self {
        self.settings.host = Arc::new(host);
        self
    }

    /// Adds a listener. It is called on the run's own task and must not block.
    pub fn on_event(mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.listeners.add(listener);
        self
    }

    /// Checks the wiring: changes, orders, stages, targets, dependencies. No I/O.
    ///
    /// # Errors
    /// Everything that is wrong, at once, each with the place where it stands.
    pub fn build(self) -> Result<Flamingock, BuildError> {
        let Self {
            mut settings,
            changes,
            stages,
            strict,
            store,
            lock,
            own_lock,
            targets,
            resources,
            listeners,
        } = self;
        let mut problems = settings.problems();
        let mut by_id = Targets::new();
        for target in targets {
            let id = target.id().to_owned();
            problems.extend(bad_name("id of a target system", &id).map(Problem::general));
            if by_id.insert(id.clone(), target).is_some() {
                problems.push(Problem::general(format!("there are two target systems `{id}`")));
            }
        }
        let pipeline = assemble(Assembly {
            changes: changes.unwrap_or_else(ChangeSet::everything_linked),
            stages: &stages,
            strict,
            profiles: &settings.profiles,
            policies: &settings.policies,
            targets: &by_id,
            resources: &resources,
        });
        let (Some(store), Some(lock)) = (store, lock) else {
            problems.push(Problem::general("there is no audit store: add one with `.audit_store(..)`"));
            problems.extend(pipeline.err().unwrap_or_default());
            return Err(BuildError { problems });
        };
        match pipeline {
            Ok(pipeline) if problems.is_empty() => {
                settings.name_owner();
                let (resources, listeners) = (Arc::new(resources), Arc::new(listeners));
                Ok(Flamingock {
                    settings,
                    store,
                    lock,
                    own_lock,
                    targets: by_id,
                    resources,
                    pipeline,
                    listeners,
                })
            }
            pipeline => {
                problems.extend(pipeline.err().unwrap_or_default());
                Err(BuildError { problems })
            }
        }
    }
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            history: History::new(""),
            owner: String::new(),
            hostname: String::new(),
            enabled: true,
            mode: RunMode::Apply,
            lease: Duration::from_secs(60),
            lock_wait: Duration::from_secs(180),
            operation_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(25),
            cancel: CancellationToken::new(),
            profiles: Vec::new(),
            policies: Policies::default(),
            accept_restored: false,
            application_version: None,
            trace_id: None,
            metadata: None,
            operator: None,
            reason: None,
            host: Arc::new(ThisProcess),
        }
    }

    /// Gives the owner its name: unique to this builder in this process.
    pub(crate) fn name_owner(&mut self) {
        self.hostname = self.host.name();
        let (service, host) = (&self.history.service, &self.hostname);
        self.owner = format!("{service}@{host}#{}", self.host.id().simple());
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |message: String| problems.push(Problem::general(message));
        match bad_name("service's name", &self.history.service) {
            Some(_) if self.history.service.is_empty() => {
                refuse(
                    "there is no service name: add `.service(\"..\")`; it is part of every key".to_owned(),
                );
            }
            bad => bad.into_iter().for_each(&mut refuse),
        }
        if !self.history.tenant.is_empty() {
            bad_name("tenant's name", &self.history.tenant).into_iter().for_each(&mut refuse);
        }
        for profile in &self.profiles {
            bad_name("name of a profile", profile).into_iter().for_each(&mut refuse);
            if profile.starts_with('!') || profile.contains(',') {
                refuse(format!("profile `{profile}`: a name neither begins with `!` nor has a comma"));
            }
        }
        if self.lease < Duration::from_millis(100) {
            refuse(format!("a lease of {:?} is too short: 100 ms is the least", self.lease));
        }
        if self.lease > Duration::from_secs(24 * 60 * 60) {
            refuse(format!(
                "a lease of {:?} is too long: a day is the most. It is extended as long as the run goes on, \
                 and a process that dies keeps the others waiting until it ends",
                self.lease
            ));
        }
        problems
    }
}
