use stateright::Property;

use super::state::{At, Change, Digest, Ending, Role, Said, State};
use super::{Bounds, Protocol, names};

pub(super) fn all(bounds: &Bounds) -> Vec<Property<Protocol>> {
    let mut all = vec![
        Property::always(names::TWICE, |_, state: &State| state.target.times <= 1),
        Property::always(names::LOST, |_, state: &State| !state.lost),
        Property::always(names::STALE, |_, state: &State| !state.stale),
        Property::always(names::RERUN, |_, state: &State| state.target.plain_runs <= 1),
        Property::always(names::AGREE, |_, state: &State| !state.is_quiet() || agree(state)),
        Property::always(names::DIGEST, |_, state: &State| is_as_the_digest_says(state)),
        Property::always(names::HALF, |_, state: &State| {
            let said = state.latest(Change::Transactional).map(|(_, entry)| entry.said);
            !state.target.half || !matches!(said, None | Some(Said::RolledBack))
        }),
        Property::always(names::HELD, |_, state: &State| !ran_while_held(state)),
        Property::always(names::ENDS, |protocol: &Protocol, state: &State| {
            if !state.is_quiet() {
                return true;
            }
            match protocol.undisturbed(state) {
                (after, Some(Ending::UpToDate)) => {
                    after.head.digest != Digest::None && is_as_the_digest_says(&after)
                }
                (_, Some(Ending::Issue)) => true,
                _ => false,
            }
        }),
        // Without these the rest would be true of a model in which nothing happens.
        Property::sometimes("a run ends up to date", |_, state| ended(state, Ending::UpToDate)),
        Property::sometimes("a run finds an issue", |_, state| ended(state, Ending::Issue)),
        Property::sometimes("a run loses its lease", |_, state| ended(state, Ending::LeaseLost)),
        Property::sometimes("a change fails", |_, state| ended(state, Ending::Failed)),
        Property::sometimes("an undo ends", |_, state| ended(state, Ending::Undone)),
        Property::sometimes("a change is applied again after an undo", |_, state: &State| {
            let undone =
                state.log.iter().position(|entry| entry.said == Said::RolledBack && entry.role.undoes());
            undone.is_some_and(|at| {
                state.log[at..]
                    .iter()
                    .any(|entry| entry.change == Change::Transactional && entry.said == Said::Applied)
            })
        }),
    ];
    if bounds.hold {
        all.extend([
            Property::sometimes("an operator releases", |_, state| ended(state, Ending::Released)),
            Property::sometimes("everything is up to date, and a change is held", |_, state: &State| {
                state.head.digest == Digest::AllButHeld
            }),
        ]);
    }
    all
}

fn ended(state: &State, ending: Ending) -> bool {
    state.runners.iter().any(|runner| runner.at == At::Ended(ending))
}

fn is_as_the_digest_says(state: &State) -> bool {
    let times = match state.head.digest {
        Digest::None => return true,
        Digest::All => 1,
        Digest::AllButHeld => 0,
    };
    state.target.times == times && !state.target.half && state.target.plain == 1
}

/// From the STARTED of the hold on, unless that left it applied.
fn ran_while_held(state: &State) -> bool {
    let mut held = false;
    let mut of_change = state.log.iter().filter(|entry| entry.change == Change::Transactional);
    of_change.any(|entry| {
        let ran = held && entry.said == Said::Started && entry.role == Role::Apply;
        held = match entry.role {
            Role::Hold => entry.said != Said::Applied,
            Role::Undo => held && entry.said != Said::Started,
            Role::Apply | Role::Release => false,
        };
        ran
    })
}

/// What the latest entry says is what the target has, and the log tells each effect once.
fn agree(state: &State) -> bool {
    let says = |change| state.latest(change).map(|(_, entry)| entry.said);
    let there = |said, times: u8, half: bool| match said {
        Some(Said::Applied) => times == 1 && !half,
        Some(Said::RolledBack) | None => times == 0 && !half,
        Some(_) => true,
    };
    there(says(Change::Transactional), state.target.times, state.target.half)
        && there(says(Change::Plain), state.target.plain, false)
        && told_once(state, Change::Transactional)
        && told_once(state, Change::Plain)
}

/// An APPLIED answers an attempt that is open. That an undo failed says APPLIED again.
fn told_once(state: &State, change: Change) -> bool {
    let mut before = None;
    state.log.iter().filter(|entry| entry.change == change).all(|entry| {
        let open = !matches!(before, None | Some(Said::Applied | Said::RolledBack));
        before = Some(entry.said);
        entry.said != Said::Applied || entry.role.undoes() || open
    })
}
