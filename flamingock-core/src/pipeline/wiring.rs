use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Problem;
use crate::change::{Change, ChangeContext, IdempotencyKey, Method, Param, ParamKind, Resources};
use crate::lock::FencingToken;
use crate::target::{Mode, TargetSystem};

/// The target systems by id.
pub(crate) type Targets = BTreeMap<String, Arc<dyn TargetSystem>>;

/// How the change will run, or why it cannot.
pub(super) fn mode(change: &Change, target: &dyn TargetSystem) -> Result<Mode, Problem> {
    let supports = |mode| target.session_types(mode).is_some();
    let wanted = match change.transactional {
        Some(true) => Mode::Transactional,
        Some(false) => Mode::Plain,
        None if supports(Mode::Transactional) => Mode::Transactional,
        None => Mode::Plain,
    };
    if supports(wanted) {
        return Ok(wanted);
    }
    let (kind, id) = (target.kind(), target.id());
    Err(Problem::of(
        change,
        match wanted {
            Mode::Transactional => format!(
                "`transactional = true`, but target system `{id}` ({kind}) has no transactions: \
                 leave it out and write a #[rollback] that compensates"
            ),
            Mode::Plain => format!("target system `{id}` ({kind}) runs changes only in a transaction"),
        },
    ))
}

/// Every parameter of every method must be found, before anything runs.
pub(super) fn check(
    change: &Change,
    mode: Mode,
    target: &dyn TargetSystem,
    shared: &Resources,
) -> Vec<Problem> {
    let wiring = Wiring { change, mode, target, shared };
    let mut problems = wiring.method("apply", &change.apply);
    problems.extend(change.rollback.iter().flat_map(|method| wiring.method("rollback", method)));
    problems.extend(change.verify.iter().flat_map(|method| wiring.method("verify", method)));
    problems
}

struct Wiring<'a> {
    change: &'a Change,
    mode: Mode,
    target: &'a dyn TargetSystem,
    shared: &'a Resources,
}

impl Wiring<'_> {
    fn method<T>(&self, name: &str, method: &Method<T>) -> Vec<Problem> {
        method.params.iter().filter_map(|param| self.param(name, param)).collect()
    }

    fn param(&self, method: &str, param: &Param) -> Option<Problem> {
        let missing = match param.kind {
            ParamKind::OptionalShared => None,
            ParamKind::Shared => (!self.finds(param.type_id)).then(|| self.why_not_shared(param)),
            ParamKind::Exclusive => {
                let types = self.target.session_types(self.mode).unwrap_or_default();
                let known = types.iter().any(|session| session.id == param.type_id);
                (!known).then(|| self.why_not_exclusive(param, types.iter().map(|session| session.name)))
            }
        }?;
        let message = format!("#[{method}] parameter `{}`: {missing}", param.name);
        Some(Problem::of(self.change, message).at(param.line))
    }

    fn finds(&self, type_id: TypeId) -> bool {
        let from_run =
            [TypeId::of::<ChangeContext>(), TypeId::of::<FencingToken>(), TypeId::of::<IdempotencyKey>()];
        from_run.contains(&type_id)
            || self.target.resources(self.mode).contains(type_id)
            || self.shared.contains(type_id)
    }

    fn why_not_shared(&self, param: &Param) -> String {
        let (name, id) = (param.type_name, self.target.id());
        let offered = || self.target.resources(self.mode).type_names().chain(self.shared.type_names());
        if offered().any(|offered| offered == name) {
            return format!(
                "there is a `{name}`, but of another version of its crate: \
                 look for two versions with `cargo tree --duplicates`"
            );
        }
        if self.mode == Mode::Transactional && self.target.resources(Mode::Plain).contains(param.type_id) {
            return format!(
                "`&{name}` would get around the change's transaction: take the session (`&mut ..`), \
                 or set `transactional = false`"
            );
        }
        let session = |mode| self.target.session_types(mode).unwrap_or_default();
        if session(self.mode).iter().any(|session| session.id == param.type_id) {
            return format!("`{name}` is the session of target system `{id}`: take it as `&mut`");
        }
        format!(
            "there is no dependency `{name}`: add it with `.dependency(..)` to the builder, \
             or to target system `{id}`"
        )
    }

    fn why_not_exclusive(&self, param: &Param, offered: impl Iterator<Item = &'static str>) -> String {
        let (name, id, kind) = (param.type_name, self.target.id(), self.target.kind());
        let mode = match self.mode {
            Mode::Transactional => "transactional",
            Mode::Plain => "not transactional",
        };
        let offered: Vec<String> = offered.map(|offered| format!("`&mut {offered}`")).collect();
        if self.finds(param.type_id) {
            return format!("`{name}` is a shared dependency: take it as `&`");
        }
        if offered.is_empty() {
            return format!(
                "target system `{id}` ({kind}) has no session to take as `&mut {name}`: \
                 take what you gave it as `&`"
            );
        }
        if offered.iter().any(|offered| offered.trim_matches('`').trim_start_matches("&mut ") == name) {
            return format!(
                "target system `{id}` has a `{name}`, but of another version of its crate: \
                 look for two versions with `cargo tree --duplicates`"
            );
        }
        format!(
            "target system `{id}` ({kind}) has no `&mut {name}` for a change that is {mode}; it has {}",
            offered.join(", ")
        )
    }
}
