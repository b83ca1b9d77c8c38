use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flamingock_core::operate::{Answer, Asked, Notice, Operator, Outcome, Request};
use flamingock_core::{CancellationToken, Flamingock, History};

use crate::args::Global;
use crate::child::{Child, Launch};
use crate::config::Config;
use crate::error::{Problem, Result};
use crate::output::Output;
use crate::place::{Naming, Place};
use crate::render::quoted;
use crate::secret::Secrets;

/// What a command works with: the arguments that all share, and whoever can be asked.
pub(crate) struct Session {
    pub(crate) global: Global,
    pub(crate) output: Output,
    config: Config,
    secrets: Secrets,
    url: Option<String>,
    lock_url: Option<String>,
    app: Option<Flamingock>,
    cancel: CancellationToken,
}

impl Session {
    pub(crate) fn open(global: Global, app: Option<Flamingock>, output: Output) -> Result<Self> {
        if app.is_some()
            && let Some((flag, _)) = typed_stores(&global).next()
        {
            return Err(Problem::usage(format!(
                "{flag} is not for the application's own commands: they use the audit store and the lock of the \
                 application. Leave it out, or use the `flamingock` binary"
            )));
        }
        let mut secrets = Secrets::default();
        global.app_args.iter().for_each(|arg| secrets.add_url(&arg.to_string_lossy()));
        let config = Config::read(global.config.as_deref(), &mut secrets)?;
        config.app.iter().flat_map(|app| &app.args).for_each(|arg| secrets.add_url(arg));
        let url = global.audit_store.clone().or_else(|| config.audit_store.clone());
        let lock_url = global.lock_store.clone().or_else(|| config.lock_store.clone());
        url.iter().chain(&lock_url).for_each(|url| secrets.add_url(url));
        let names = [&global.service, &global.tenant, &config.service, &config.tenant].into_iter().flatten();
        let paths =
            [&global.config, &global.app].into_iter().flatten().map(|path| path.display().to_string());
        let program = std::iter::once(crate::output::program(app.is_some()));
        names.cloned().chain(paths).chain(program).for_each(|name| secrets.show(&name));
        let cancel = CancellationToken::new();
        Ok(Self { global, output, config, secrets, url, lock_url, app, cancel })
    }

    pub(crate) fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Who works here: as configured, or the user's name.
    pub(crate) fn operator_name(&self, named: Option<&str>) -> String {
        let from_env = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        let host = || gethostname::gethostname().to_string_lossy().into_owned();
        named
            .map(str::to_owned)
            .or_else(|| self.config.operator.clone())
            .unwrap_or_else(|| format!("{}@{}", from_env().unwrap_or_else(|| "unknown".to_owned()), host()))
    }

    // ---- the audit store ----

    async fn place(&self) -> Result<Place> {
        let Some(url) = &self.url else {
            return Err(Problem::usage(
                "which audit store? Give --audit-store URL, set FLAMINGOCK_AUDIT_STORE, or write \
                 `audit_store = \"..\"` in flamingock.toml",
            ));
        };
        let Config { table_prefix, schema, lock_prefix, .. } = self.config.clone();
        let place = Place::open(url, &Naming { what: "audit store", table_prefix, schema }).await?;
        match &self.lock_url {
            Some(url) => {
                let naming = Naming { what: "lock store", table_prefix: lock_prefix, schema: None };
                place.locked_by(url, &naming).await
            }
            None => Ok(place),
        }
    }

    /// Where the audit store is; [`None`] also where that cannot be told soon.
    async fn address(&self) -> Option<String> {
        let place = tokio::time::timeout(Duration::from_secs(3), self.place()).await.ok()?.ok()?;
        Some(place.audit.address())
    }

    /// An operator for the one history that is meant.
    pub(crate) async fn operator(&self) -> Result<Operator> {
        let mut all = self.operators().await?;
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            (last, _) => {
                let mut names: Vec<String> = all.iter().map(name).collect();
                names.extend(last.as_ref().map(name));
                let list = names.join("\n  ");
                Err(Problem::usage(format!(
                    "whose changes? Say --service NAME (and --tenant NAME). The audit store has:\n  {list}"
                )))
            }
        }
    }

    /// An operator for each history that may be meant; at least one.
    pub(crate) async fn operators(&self) -> Result<Vec<Operator>> {
        let (service, tenant) = self.meant();
        if let Some(app) = &self.app {
            let own = app.operator();
            let History { service: name, tenant: of } = own.history();
            if service.is_some_and(|wanted| wanted != name) || tenant.is_some_and(|wanted| wanted != of) {
                let message = format!("this application has the changes of `{}` alone", own.history());
                return Err(Problem::usage(message));
            }
            return Ok(vec![own.cancel_on(self.cancelled_by_signals())]);
        }
        let place = self.place().await?;
        let all = place.audit.histories().await?;
        if all.is_empty() {
            let address = place.audit.address();
            let message = format!(
                "there is no audit in {address}: has the application run with this store and these table names?"
            );
            return Err(Problem::new("NO_HISTORY", message));
        }
        let wanted = |history: &&History| {
            service.is_none_or(|name| *name == history.service)
                && tenant.is_none_or(|name| *name == history.tenant)
        };
        let found: Vec<&History> = all.iter().filter(wanted).collect();
        if found.is_empty() {
            let list: Vec<String> = all.iter().map(ToString::to_string).collect();
            let wanted = [service, tenant].into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
            return Err(Problem::usage(format!(
                "the audit store has no history `{}`. It has:\n  {}",
                wanted.join("/").escape_debug(),
                list.join("\n  ")
            )));
        }
        let token = self.cancelled_by_signals();
        let operator = |history: &History| {
            let (audit, lock) = (Arc::clone(&place.audit), Arc::clone(&place.lock));
            Operator::new(audit, lock, history.clone()).cancel_on(token.clone())
        };
        Ok(found.into_iter().map(operator).collect())
    }

    /// The same for a command that writes: waits so long for the lock, and says for whom.
    pub(crate) async fn waiting_operator(&self, wait: Duration) -> Result<Operator> {
        let output = self.output.clone();
        Ok(self.operator().await?.lock_wait(wait).on_event(move |event| {
            if let flamingock_core::event::Event::Waiting { holder } = event {
                output.note(&crate::progress::waiting(holder));
            }
        }))
    }

    /// Service and tenant that were named.
    fn meant(&self) -> (Option<&String>, Option<&String>) {
        let Global { service, tenant, .. } = &self.global;
        (service.as_ref().or(self.config.service.as_ref()), tenant.as_ref().or(self.config.tenant.as_ref()))
    }

    /// Whether there is an audit store to work on without the application.
    pub(crate) fn has_store(&self) -> bool {
        self.app.is_some() || self.url.is_some()
    }

    /// Whether the application can be asked.
    pub(crate) fn has_app(&self) -> bool {
        self.app.is_some() || self.global.app.is_some() || self.config.app.is_some()
    }

    /// Whether the application is there or was named, for what can be done with it and without.
    pub(crate) fn is_asked(&self) -> bool {
        self.app.is_some() || self.global.app.is_some()
    }

    /// What to type before a command's own arguments, for the guidance.
    pub(crate) fn typed(&self) -> String {
        let mut typed = crate::output::program(self.app.is_some());
        if self.app.is_some() {
            return typed;
        }
        let Global { service, tenant, config, .. } = &self.global;
        let config = config.as_ref().map(|path| path.display().to_string());
        let others = [
            ("--service", service.as_deref().filter(|name| !from_env("FLAMINGOCK_SERVICE", name))),
            ("--tenant", tenant.as_deref().filter(|name| !from_env("FLAMINGOCK_TENANT", name))),
        ];
        let others = others.into_iter().filter_map(|(flag, value)| Some((flag, quoted(value?))));
        let config = config.map(|path| ("--config", quoted(&path)));
        // What holds a password is typed again.
        let shown = |url: &str| if self.secrets.redact(url) == url { quoted(url) } else { "URL".to_owned() };
        let stores = typed_stores(&self.global).map(|(flag, url)| (flag, shown(url)));
        for (flag, value) in config.into_iter().chain(stores).chain(others) {
            typed.push_str(&format!(" {flag} {value}"));
        }
        // The application has its own; these commands need it.
        typed.push_str(if self.url.is_none() { " --audit-store URL" } else { "" });
        typed
    }

    /// What to type after a command that needs the application.
    pub(crate) fn typed_app(&self) -> String {
        let mut typed = match (&self.app, &self.global.app, &self.config.app) {
            (Some(_), ..) => return String::new(),
            (None, None, Some(_)) => String::new(),
            (None, None, None) => " --app PATH".to_owned(),
            (None, Some(path), _) => format!(" --app {}", quoted(&path.display().to_string())),
        };
        // Not what they are: one may be a password.
        typed.push_str(if self.global.app_args.is_empty() { "" } else { " -- ARGS" });
        typed
    }

    // ---- the application ----

    /// Asks the application, in this process or in one that is started for it.
    pub(crate) async fn ask(
        &self,
        request: Request,
        mut notice: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Outcome> {
        let (service, tenant) = self.meant();
        let asked = Asked { service: service.cloned(), tenant: tenant.cloned(), request };
        let answer = match &self.app {
            Some(app) => {
                let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
                let app = app.heard_by(move |event| {
                    if let Some(notice) = Notice::of(event) {
                        let _ = send.send(notice);
                    }
                });
                let shown = tokio::spawn(async move {
                    while let Some(event) = receive.recv().await {
                        notice(event);
                    }
                });
                let answer = app.stopped_by_signals().answer_asked(&asked).await;
                let _ = shown.await;
                answer
            }
            None => {
                let typed = |wanted| typed_stores(&self.global).any(|(flag, _)| flag == wanted);
                if typed("--lock-store") {
                    eprintln!(
                        "the application is asked, which uses its own lock: --lock-store is not for it"
                    );
                }
                // Where something is recorded, whatever is configured may be taken for its store.
                let records = matches!(
                    asked.request,
                    Request::Apply(_)
                        | Request::Undoable { .. }
                        | Request::Rule { .. }
                        | Request::Baseline(_)
                );
                let meant = self.url.is_some() && (typed("--audit-store") || records);
                let ours = if meant { self.address().await } else { None };
                let told = move |said| match said {
                    Notice::AuditStore { address } if meant => {
                        if ours.as_ref() != Some(&address) {
                            eprintln!("the application is asked, which uses its own audit store: {address}");
                        }
                    }
                    said => notice(said),
                };
                Child::ask(self.launch()?, &asked, told).await?
            }
        };
        match answer {
            Answer::Done(outcome) => Ok(outcome),
            Answer::Failed(failure) => Err((*failure).into()),
        }
    }

    fn launch(&self) -> Result<Launch> {
        let (path, args): (PathBuf, Vec<OsString>) = match (&self.global.app, &self.config.app) {
            (Some(path), _) => (path.clone(), self.global.app_args.clone()),
            (None, Some(app)) if self.global.app_args.is_empty() => {
                (app.path.clone(), app.args.iter().map(OsString::from).collect())
            }
            (None, Some(app)) => (app.path.clone(), self.global.app_args.clone()),
            (None, None) => {
                return Err(Problem::usage(format!(
                    "`{}` needs the application's code: give its binary with --app PATH -- ARGS, or write \
                     `[app]` in flamingock.toml",
                    self.output.name
                )));
            }
        };
        let level = self.global.log_level.map(|level| level.filter());
        let status = format!("{} status", self.typed());
        Ok(Launch {
            path,
            args,
            level,
            timeout: self.global.app_timeout,
            output: self.output.clone(),
            status,
        })
    }

    /// A token that SIGINT and SIGTERM cancel: waiting for the lock then ends.
    fn cancelled_by_signals(&self) -> CancellationToken {
        let (token, cancelled) = (self.cancel.clone(), self.cancel.clone());
        tokio::spawn(async move {
            flamingock_core::operate::signalled().await;
            cancelled.cancel();
        });
        token
    }
}

/// Where audit and lock are said to be, by who types; what the environment says, it says to the next
/// command, too.
fn typed_stores(global: &Global) -> impl Iterator<Item = (&'static str, &str)> {
    let stores = [
        ("--audit-store", "FLAMINGOCK_AUDIT_STORE", &global.audit_store),
        ("--lock-store", "FLAMINGOCK_LOCK_STORE", &global.lock_store),
    ];
    stores.into_iter().filter_map(|(flag, name, value)| {
        value.as_deref().filter(|value| !from_env(name, value)).map(|value| (flag, value))
    })
}

fn from_env(name: &str, value: &str) -> bool {
    std::env::var(name).is_ok_and(|set| !set.is_empty() && set == value)
}

fn name(operator: &Operator) -> String {
    operator.history().to_string()
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL: it may hold a password.
        f.debug_struct("Session").field("output", &self.output).finish_non_exhaustive()
    }
}
