use super::state::{At, Change, Ending, Entry, Mark, Purpose, Role, Said, State, length};
use super::{Mutant, Protocol};

/// What is to be done about a change.
enum Decision {
    Skip,
    Held,
    Apply,
    RecordApplied,
    RecordUndone,
    RecordHeld,
    Issue,
}

impl Protocol {
    /// Reads the latest entries and, where they are uncertain, the marker; then plans.
    pub(super) fn read(&self, state: &mut State, runner: u8) -> bool {
        let role = state.runners[usize::from(runner)].role;
        if role != Role::Release && !self.fence_is_free(state) {
            return false;
        }
        let latest = state.latest(Change::Transactional);
        let plain = state.latest(Change::Plain);
        let decision = self.decide(state, latest.map(|(_, entry)| entry));
        let this = &mut state.runners[usize::from(runner)];
        state.read = state.read.max(this.reign);
        (this.epoch, this.outranks) = attempt_after(latest);
        if self.mutant == Some(Mutant::NoOffice) {
            this.sequence = length(&state.log);
        }
        if role != Role::Apply {
            this.at = match latest.map(|(_, entry)| (entry.said, entry)) {
                Some((Said::Applied, entry)) if role.undoes() => {
                    (this.epoch, this.outranks) = (entry.epoch, entry.epoch);
                    At::Append(Purpose::Started(Change::Transactional))
                }
                Some((Said::RolledBack, entry)) => match (role, entry.role) {
                    (Role::Release, Role::Hold) => At::Append(Purpose::Release),
                    (Role::Hold, Role::Apply | Role::Undo | Role::Release) => At::Append(Purpose::RecordHeld),
                    _ => At::Release(Ending::Refused),
                },
                _ => At::Release(Ending::Refused),
            };
            return true;
        }
        let plain_is_open = match plain.map(|(_, entry)| entry.said) {
            Some(Said::Applied) => false,
            None | Some(Said::RolledBack) => true,
            // Nothing tells what the target without transactions has.
            Some(_) => {
                this.at = At::Release(Ending::Issue);
                return true;
            }
        };
        (this.plain_pending, this.held) = (plain_is_open, matches!(decision, Decision::Held));
        this.at = match decision {
            Decision::Issue => At::Release(Ending::Issue),
            Decision::Apply => At::Append(Purpose::Started(Change::Transactional)),
            Decision::RecordUndone => At::Append(Purpose::RecordUndone),
            Decision::RecordHeld => At::Append(Purpose::RecordHeld),
            Decision::RecordApplied => {
                Self::done(state, runner);
                return true;
            }
            Decision::Skip | Decision::Held if plain_is_open => At::Append(Purpose::Started(Change::Plain)),
            Decision::Skip | Decision::Held => At::Append(Purpose::Close),
        };
        true
    }

    /// The decision table, for a transactional change under manual_intervention.
    fn decide(&self, state: &State, latest: Option<Entry>) -> Decision {
        let Some(latest) = latest else { return Decision::Apply };
        let marker = state.target.marker;
        let counts = marker.sequence > latest.epoch;
        match (latest.said, latest.role) {
            (Said::Applied, _) => Decision::Skip,
            (Said::RolledBack, Role::Hold) if self.mutant != Some(Mutant::HoldIgnored) => Decision::Held,
            (Said::RolledBack, _) => Decision::Apply,
            (_, Role::Apply | Role::Release) => match marker.mark {
                Mark::Done if counts => Decision::RecordApplied,
                Mark::Begun | Mark::Undoing if counts => Decision::Issue,
                _ => Decision::Apply,
            },
            (_, role) => match marker.mark {
                Mark::Undone if !counts => Decision::Issue,
                Mark::Undone if role == Role::Undo || self.mutant == Some(Mutant::HoldSettledAsUndo) => {
                    Decision::RecordUndone
                }
                Mark::Undone => Decision::RecordHeld,
                Mark::Done => Decision::RecordApplied,
                _ => Decision::Issue,
            },
        }
    }
}

/// Epoch of the next attempt, and the sequence that outranks older markers.
fn attempt_after(latest: Option<(u8, Entry)>) -> (u8, u8) {
    match latest {
        None => (0, 0),
        Some((sequence, entry)) if entry.said == Said::RolledBack => {
            (if entry.role == Role::Apply { entry.epoch } else { sequence }, sequence)
        }
        Some((_, entry)) => (entry.epoch, entry.epoch),
    }
}
