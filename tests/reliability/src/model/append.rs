use super::state::{At, Change, Digest, Ending, Entry, Flight, Purpose, Role, Said, State, length};
use super::{Mutant, Protocol};

/// What becomes of a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It is carried out and answered.
    Comes,
    /// It is carried out, and the answer is lost.
    Lost,
    /// It never arrives.
    Never,
    /// It is carried out at some later time.
    Late,
}

impl Protocol {
    /// What a runner appends: what it noted, and what the append is for.
    fn entries(state: &State, runner: u8, purpose: Purpose) -> Vec<Entry> {
        let this = &state.runners[usize::from(runner)];
        let line = |change, said, role| Entry { change, said, role, runner, epoch: this.epoch };
        let tx = |said, role| line(Change::Transactional, said, role);
        let mut entries: Vec<Entry> = this.noted.into_iter().collect();
        match purpose {
            Purpose::Started(Change::Transactional) => entries.push(tx(Said::Started, this.role)),
            Purpose::Started(Change::Plain) => entries.push(line(Change::Plain, Said::Started, Role::Apply)),
            Purpose::NothingDone => {
                entries.extend([tx(Said::Failed, Role::Apply), tx(Said::RolledBack, Role::Apply)]);
            }
            Purpose::Failed(change) => entries.push(line(change, Said::Failed, Role::Apply)),
            Purpose::RecordUndone => entries.push(tx(Said::RolledBack, Role::Undo)),
            Purpose::RecordHeld => entries.push(tx(Said::RolledBack, Role::Hold)),
            Purpose::Release => entries.push(tx(Said::RolledBack, Role::Release)),
            Purpose::StillApplied => entries.push(tx(Said::Applied, this.role)),
            Purpose::UndoFailed => entries.push(tx(Said::RollbackFailed, this.role)),
            Purpose::Close => {}
        }
        entries
    }

    fn digest(&self, state: &State, runner: u8, purpose: Purpose) -> Digest {
        let this = &state.runners[usize::from(runner)];
        match (purpose, this.role) {
            (Purpose::Close, Role::Apply) if this.held && self.mutant != Some(Mutant::DigestWithoutHolds) => {
                Digest::AllButHeld
            }
            (Purpose::Close, Role::Apply) => Digest::All,
            _ => Digest::None,
        }
    }

    pub(super) fn send_append(&self, state: &mut State, runner: u8, purpose: Purpose, answer: Answer) {
        let entries = Self::entries(state, runner, purpose);
        let this = state.runners[usize::from(runner)];
        let digest = self.digest(state, runner, purpose);
        let request = Flight::Append {
            runner,
            token: this.token,
            reign: this.reign,
            expected: this.sequence,
            entries,
            digest,
        };
        match answer {
            Answer::Comes => {
                if self.store_append(state, &request) {
                    Self::acknowledged(state, runner, purpose);
                } else {
                    state.runners[usize::from(runner)].at = At::Release(Ending::LeaseLost);
                }
                return;
            }
            Answer::Lost => {
                self.store_append(state, &request);
            }
            Answer::Never => {}
            Answer::Late => state.flight = Some(request),
        }
        state.runners[usize::from(runner)].at = At::AppendUnknown(purpose);
    }

    /// The store's side: atomic, fenced and linear.
    pub(super) fn store_append(&self, state: &mut State, request: &Flight) -> bool {
        let Flight::Append { runner, token, reign, expected, entries, digest } = request else {
            return false;
        };
        let in_office = match self.mutant {
            Some(Mutant::NoTokenCheck) => true,
            Some(Mutant::NoOffice) => *token >= state.head.token,
            _ => state.head.token == *token && state.head.owner == *runner,
        };
        let fits = self.mutant == Some(Mutant::NoSequenceCheck) || length(&state.log) == *expected;
        if !in_office || !fits {
            return false;
        }
        if self.mutant == Some(Mutant::NoOffice) {
            (state.head.token, state.head.owner) = (*token, *runner);
        }
        state.stale |= *reign < state.read;
        let from = usize::from(*expected).min(state.log.len());
        let cut = u32::MAX << from;
        state.lost |= state.acknowledged & cut != 0;
        state.acknowledged &= !cut;
        state.log.truncate(from);
        state.log.extend_from_slice(entries);
        state.head.digest = *digest;
        true
    }

    /// No answer came: the head tells whether it landed.
    pub(super) fn look_at_head(&self, state: &mut State, runner: u8, purpose: Purpose) {
        let entries = Self::entries(state, runner, purpose);
        let this = &state.runners[usize::from(runner)];
        let expected = usize::from(this.sequence);
        let in_office = self.mutant == Some(Mutant::NoOffice)
            || state.head.owner == runner && state.head.token == this.token;
        let landed = !entries.is_empty() && state.log.get(expected..) == Some(entries.as_slice());
        if self.mutant == Some(Mutant::BlindRetry) {
            let sequence = length(&state.log);
            let this = &mut state.runners[usize::from(runner)];
            (this.sequence, this.at) = (sequence, At::Append(purpose));
        } else if landed {
            Self::acknowledged(state, runner, purpose);
        } else {
            let again = in_office && state.log.len() == expected;
            state.runners[usize::from(runner)].at =
                if again { At::Append(purpose) } else { At::Release(Ending::LeaseLost) };
        }
    }

    /// The runner knows that it is durable, and goes on.
    fn acknowledged(state: &mut State, runner: u8, purpose: Purpose) {
        let entries = Self::entries(state, runner, purpose);
        let this = &mut state.runners[usize::from(runner)];
        for entry in entries {
            if entry.said == Said::Applied {
                state.acknowledged |= 1 << this.sequence;
            }
            this.sequence += 1;
        }
        this.noted = None;
        this.at = match purpose {
            Purpose::Started(Change::Transactional) => At::Begin,
            Purpose::Started(Change::Plain) => At::PlainCheck,
            Purpose::RecordUndone => {
                (this.epoch, this.outranks) = (this.sequence, this.sequence);
                At::Append(Purpose::Started(Change::Transactional))
            }
            Purpose::RecordHeld if this.role == Role::Hold => At::Release(Ending::Undone),
            Purpose::RecordHeld => {
                this.held = true;
                At::Append(if this.plain_pending { Purpose::Started(Change::Plain) } else { Purpose::Close })
            }
            Purpose::Release => At::Release(Ending::Released),
            Purpose::NothingDone | Purpose::Failed(_) | Purpose::StillApplied | Purpose::UndoFailed => {
                At::Release(Ending::Failed)
            }
            Purpose::Close if this.role.undoes() => At::Release(Ending::Undone),
            Purpose::Close => At::Release(Ending::UpToDate),
        };
    }
}
