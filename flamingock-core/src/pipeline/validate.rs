use std::collections::HashMap;

use super::digest::digest;
use super::wiring::{self, Targets};
use super::{Pipeline, PipelineChange, PipelineStage, Problem, Stage};
use crate::change::{Change, Resources, within};
use crate::plan::Policies;

/// Longest id that every store can keep, in bytes.
const ID_LIMIT: usize = 255;

/// What a pipeline is made from.
pub(crate) struct Assembly<'a> {
    pub(crate) changes: Vec<Change>,
    pub(crate) stages: &'a [Stage],
    pub(crate) strict: bool,
    pub(crate) profiles: &'a [String],
    pub(crate) policies: &'a Policies,
    pub(crate) targets: &'a Targets,
    pub(crate) resources: &'a Resources,
}

/// Sorts changes into stages and checks everything. Pure: no I/O, and the same answer whatever the
/// order in which changes were linked.
pub(crate) fn assemble(assembly: Assembly<'_>) -> Result<Pipeline, Vec<Problem>> {
    let Assembly { mut changes, stages, strict, profiles, policies, targets, resources } = assembly;
    let mut problems = Vec::new();
    changes
        .sort_by(|a, b| (&a.source.file, a.source.line, &a.id).cmp(&(&b.source.file, b.source.line, &b.id)));

    if changes.is_empty() {
        problems.push(Problem::general(
            "there are no changes: is the crate that defines them named in your binary? Write \
             `flamingock::change_set!(pub CHANGES);` there and `.changes(that_crate::CHANGES)` here",
        ));
    }
    problems.extend(stage_names(stages));
    problems.extend(
        changes.iter().filter_map(|change| bad_name("id", &change.id).map(|bad| Problem::of(change, bad))),
    );
    problems.extend(same_id(&changes));

    let mut inactive = Vec::new();
    let mut sorted: Vec<PipelineStage> = declared(stages);
    for change in changes {
        if !change.is_for(profiles) {
            inactive.push(change.id);
            continue;
        }
        match stage_of(&change, stages) {
            Ok(Some(index)) => match place(change, targets, resources) {
                Ok(change) => sorted[index].changes.push(change),
                Err(found) => problems.extend(found),
            },
            Ok(None) if strict => problems.push(Problem::of(
                &change,
                format_args!(
                    "it is in no stage: module `{}` is at or below no module of {}; name one with `stage = \"..\"`",
                    change.module,
                    names(stages.iter().map(|stage| stage.name.as_str())),
                ),
            )),
            Ok(None) => tracing::warn!(change = change.id, "the change is in no stage and is left out"),
            Err(problem) => problems.push(problem),
        }
    }
    inactive.sort_unstable();
    for stage in &mut sorted {
        stage.changes.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.id.cmp(&b.id)));
        problems.extend(same_order(stage));
    }
    if problems.is_empty() {
        let empty = sorted.iter().filter(|stage| stage.changes.is_empty() && inactive.is_empty());
        problems.extend(empty.map(|stage| {
            Problem::general(format!(
                "stage `{}` has no changes: remove it, or correct its modules or the changes' `stage = \"..\"`",
                stage.name
            ))
        }));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    sorted.retain(|stage| !stage.changes.is_empty());
    let digest = digest(&sorted, profiles, policies);
    Ok(Pipeline { stages: sorted, inactive, digest })
}

/// What is wrong with a name that becomes part of a key.
pub(crate) fn bad_name(what: &str, name: &str) -> Option<String> {
    if name.trim().is_empty() {
        Some(format!("the {what} is empty"))
    } else if name.contains(char::is_control) {
        Some(format!("the {what} has a control character in it"))
    } else if name.len() > ID_LIMIT {
        Some(format!("the {what} is longer than {ID_LIMIT} bytes"))
    } else {
        None
    }
}

fn stage_names(stages: &[Stage]) -> Vec<Problem> {
    let bad = stages.iter().filter_map(|stage| bad_name("name of a stage", &stage.name));
    let mut problems: Vec<Problem> = bad.map(Problem::general).collect();
    for (index, stage) in stages.iter().enumerate() {
        if stages[..index].iter().any(|other| other.name == stage.name) {
            problems.push(Problem::general(format!("stage `{}` is declared twice", stage.name)));
        }
    }
    problems
}

fn declared(stages: &[Stage]) -> Vec<PipelineStage> {
    let stage = |name: &str| PipelineStage { name: name.to_owned(), changes: Vec::new() };
    if stages.is_empty() {
        vec![stage(Stage::DEFAULT)]
    } else {
        stages.iter().map(|declared| stage(&declared.name)).collect()
    }
}

/// Index of the change's stage: the one it names, else the one with the most specific module.
fn stage_of(change: &Change, stages: &[Stage]) -> Result<Option<usize>, Problem> {
    if let Some(name) = &change.stage {
        let declared = stages.iter().position(|stage| stage.name == *name);
        let default = stages.is_empty() && name == Stage::DEFAULT;
        return declared.or(default.then_some(0)).map(Some).ok_or_else(|| {
            let known = names(stages.iter().map(|stage| stage.name.as_str()));
            Problem::of(
                change,
                format_args!(
                    "stage `{name}` is not declared: declare it with `.stage(..)`; there is {known}"
                ),
            )
        });
    }
    if stages.is_empty() {
        return Ok(Some(0));
    }
    let modules = stages
        .iter()
        .enumerate()
        .flat_map(|(index, stage)| stage.modules.iter().map(move |m| (m.len(), index, m)));
    Ok(modules
        .filter(|(_, _, module)| within(&change.module, module))
        .max_by_key(|(length, ..)| *length)
        .map(|(_, index, _)| index))
}

/// Binds the change to its target.
fn place(change: Change, targets: &Targets, resources: &Resources) -> Result<PipelineChange, Vec<Problem>> {
    let mut problems = Vec::new();
    if change.order.is_none() {
        let message = "it has no order: write `order = \"..\"`, or name the file `_<ORDER>__<name>.rs`";
        problems.push(Problem::of(&change, message));
    }
    let mode = match targets.get(&change.target_system) {
        None => {
            let known = names(targets.keys().map(String::as_str));
            let wanted = &change.target_system;
            Err(Problem::of(&change, format_args!("target system `{wanted}` is not known: there is {known}")))
        }
        Some(target) => wiring::mode(&change, target.as_ref()).inspect(|mode| {
            problems.extend(wiring::check(&change, *mode, target.as_ref(), resources));
        }),
    };
    match mode {
        Ok(mode) if problems.is_empty() => Ok(PipelineChange { change, mode }),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

/// A problem for each change with the id of an earlier one.
fn same_id(changes: &[Change]) -> Vec<Problem> {
    let mut first: HashMap<&str, &Change> = HashMap::with_capacity(changes.len());
    let mut problems = Vec::new();
    for change in changes {
        let other = *first.entry(&change.id).or_insert(change);
        if !std::ptr::eq(other, change) {
            let message = format!("the id is used twice, also at {}", other.source);
            problems.push(Problem::of(change, message));
        }
    }
    problems
}

/// A problem for each change with the order of an earlier one. They are sorted: the same stand side by side.
fn same_order(stage: &PipelineStage) -> Vec<Problem> {
    let mut problems = Vec::new();
    for same in stage.changes.chunk_by(|a, b| a.order == b.order) {
        let [other, rest @ ..] = same else { continue };
        problems.extend(rest.iter().map(|change| {
            let (order, stage) = (change.order_text(), &stage.name);
            let place = format!("`{}` at {}", other.id, other.source);
            let message = format_args!("order {order} is used twice in stage `{stage}`, also by {place}");
            Problem::of(change, message)
        }));
    }
    problems
}

/// "`a`, `b`", or "none".
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "none".to_owned() } else { quoted.join(", ") }
}
