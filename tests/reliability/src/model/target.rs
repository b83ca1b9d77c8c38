use super::append::Answer;
use super::state::{
    At, Change, Ending, Entry, Flight, Locked, Mark, Marker, Purpose, Role, Runner, Said, State,
};
use super::{Mutant, Protocol};

impl Protocol {
    /// Whether a look or a fence would have to wait.
    pub(super) fn fence_is_free(&self, state: &State) -> bool {
        self.mutant == Some(Mutant::NoFence) || state.target.locked == Locked::No
    }

    /// Locks the fence, compares it, and writes the marker. `false`: it waits.
    pub(super) fn begin(&self, state: &mut State, runner: u8) -> bool {
        if state.target.locked != Locked::No {
            return false;
        }
        let this = state.runners[usize::from(runner)];
        let fenced = state.target.fence != (this.token, runner) && self.mutant != Some(Mutant::NoFence);
        if fenced {
            state.runners[usize::from(runner)].at = At::Release(Ending::LeaseLost);
            return true;
        }
        let marker = state.target.marker;
        let stands = marker.mark == Mark::Done && marker.sequence > this.outranks;
        if stands && this.role == Role::Apply {
            Self::done(state, runner);
            return true;
        }
        state.target.locked = Locked::By(runner);
        state.runners[usize::from(runner)].session_gone = false;
        state.runners[usize::from(runner)].at = At::Body;
        true
    }

    /// The change itself. What it does shows at the commit, except what commits by itself.
    pub(super) fn body(&self, state: &mut State, runner: u8) {
        if Self::session_gone(state, runner) {
            return;
        }
        let this = &mut state.runners[usize::from(runner)];
        if this.at == At::Body && self.bounds.ddl {
            this.at = At::SecondPart;
            let sequence = this.sequence;
            let mark = if this.role == Role::Apply { Mark::Begun } else { Mark::Undoing };
            state.target.half = true;
            self.mark(state, Marker { mark, runner, sequence });
            state.target.locked = Locked::No;
        } else {
            this.at = At::Finish;
        }
    }

    /// The change fails: its transaction is rolled back, and the marker decides.
    pub(super) fn fail(state: &mut State, runner: u8) {
        state.failures -= 1;
        if state.runners[usize::from(runner)].at == At::PlainBody {
            state.target.plain_runs += 1;
            state.runners[usize::from(runner)].at = At::Append(Purpose::Failed(Change::Plain));
            return;
        }
        Self::roll_back(state, runner);
        state.runners[usize::from(runner)].at = At::Look;
    }

    /// The marker is finished; where something committed by itself, under the fence again.
    pub(super) fn finish(&self, state: &mut State, runner: u8) -> bool {
        if Self::session_gone(state, runner) {
            return true;
        }
        if state.target.locked != Locked::By(runner) {
            if state.target.locked != Locked::No {
                return false;
            }
            let this = state.runners[usize::from(runner)];
            let fenced = state.target.fence != (this.token, runner) && self.mutant != Some(Mutant::NoFence);
            if fenced {
                state.runners[usize::from(runner)].at = At::Release(Ending::LeaseLost);
                return true;
            }
            state.target.locked = Locked::By(runner);
        }
        state.runners[usize::from(runner)].at = At::Commit;
        true
    }

    pub(super) fn commit(&self, state: &mut State, runner: u8, answer: Answer) {
        if Self::session_gone(state, runner) {
            return;
        }
        let Runner { role, sequence, .. } = state.runners[usize::from(runner)];
        let request = Flight::Commit { runner, role, sequence };
        match answer {
            Answer::Comes => {
                self.land_commit(state, &request);
                Self::done(state, runner);
                return;
            }
            Answer::Lost => self.land_commit(state, &request),
            Answer::Never => Self::roll_back(state, runner),
            Answer::Late => {
                state.target.locked = Locked::InFlight;
                state.flight = Some(request);
            }
        }
        state.runners[usize::from(runner)].at = At::Look;
    }

    /// The target's side of a commit.
    pub(super) fn land_commit(&self, state: &mut State, request: &Flight) {
        let Flight::Commit { runner, role, sequence } = *request else { return };
        let mark = match role {
            Role::Apply => {
                state.target.times += 1;
                state.target.half = false;
                Mark::Done
            }
            _ => {
                state.target.times = state.target.times.saturating_sub(1);
                state.target.half = false;
                if self.mutant == Some(Mutant::UndoDeletesMarker) { Mark::None } else { Mark::Undone }
            }
        };
        self.mark(state, Marker { mark, runner, sequence });
        state.target.locked = Locked::No;
    }

    fn mark(&self, state: &mut State, marker: Marker) {
        if self.mutant != Some(Mutant::NoMarker) {
            state.target.marker = marker;
        }
    }

    /// After a commit without an answer, or a failure: the marker decides. `false`: it waits.
    pub(super) fn look(&self, state: &mut State, runner: u8) -> bool {
        if !self.fence_is_free(state) && self.mutant != Some(Mutant::PlainLook) {
            return false;
        }
        let Runner { role, sequence, .. } = state.runners[usize::from(runner)];
        let marker = state.target.marker;
        let own = marker.runner == runner && marker.sequence == sequence;
        let purpose = match (own.then_some(marker.mark), role.undoes()) {
            (Some(Mark::Done), false) | (Some(Mark::Undone), true) => {
                Self::done(state, runner);
                return true;
            }
            (Some(Mark::Begun), false) => Purpose::Failed(Change::Transactional),
            (Some(Mark::Undoing), true) => Purpose::UndoFailed,
            (_, false) => Purpose::NothingDone,
            (_, true) => Purpose::StillApplied,
        };
        state.runners[usize::from(runner)].at = At::Append(purpose);
        true
    }

    /// The transactional change is done: noted for the next append.
    pub(super) fn done(state: &mut State, runner: u8) {
        let this = &mut state.runners[usize::from(runner)];
        let said = if this.role == Role::Apply { Said::Applied } else { Said::RolledBack };
        this.noted =
            Some(Entry { change: Change::Transactional, said, role: this.role, runner, epoch: this.epoch });
        this.at = if this.role == Role::Apply && this.plain_pending {
            At::Append(Purpose::Started(Change::Plain))
        } else {
            At::Append(Purpose::Close)
        };
    }

    pub(super) fn plain_body(state: &mut State, runner: u8) {
        state.target.plain += 1;
        state.target.plain_runs += 1;
        let this = &mut state.runners[usize::from(runner)];
        let role = Role::Apply;
        // The plain change is never undone here, so its attempts are counted from the beginning.
        this.noted = Some(Entry { change: Change::Plain, said: Said::Applied, role, runner, epoch: 0 });
        this.at = At::Append(Purpose::Close);
    }

    /// The target ended the session while the runner stood still: what it does there fails.
    fn session_gone(state: &mut State, runner: u8) -> bool {
        let gone = state.runners[usize::from(runner)].session_gone;
        if gone {
            state.runners[usize::from(runner)].at = At::Look;
        }
        gone
    }

    /// What a session did and did not commit is gone, and its locks with it.
    pub(super) fn roll_back(state: &mut State, runner: u8) {
        if state.target.locked == Locked::By(runner) {
            state.target.locked = Locked::No;
        }
    }
}
