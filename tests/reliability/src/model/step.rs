use super::append::Answer;
use super::state::{At, Digest, Ending, Entry, Flight, Role, Runner, State, length};
use super::{Mutant, Protocol};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A runner starts.
    Start(u8, Role),
    /// A runner does its next step.
    Step(u8),
    /// A runner sends an append or a commit, and the answer does not come.
    Unanswered(u8, Answer),
    /// The change itself fails.
    Fail(u8),
    /// What is on its way arrives.
    Land,
    /// The process dies.
    Crash(u8),
    /// The process stands still, for longer than its lease.
    Pause(u8),
    /// It goes on and does not know that it stood still.
    Resume(u8),
    /// The target ends the session of a process that stands still.
    EndSession(u8),
    /// The lease of a process that stands still or is dead expires.
    Expire,
    /// The lock forgets holder and token.
    Forget,
}

impl Protocol {
    /// What a runner may be started for.
    fn roles(&self, state: &State, runner: u8) -> Vec<Role> {
        let number = usize::from(runner);
        let recorded = |any: fn(&Entry) -> bool| state.log.iter().any(any);
        // Whoever has nothing to undo, or to release, goes away again: it does not matter.
        let roles: &[(Role, bool)] = match (self.bounds.hold, state.runners.len() - number) {
            (true, 1) => &[(Role::Hold, recorded(|_| true))],
            (true, 2) => &[(Role::Release, recorded(|entry| entry.role == Role::Hold))],
            (false, 1) => &[(Role::Apply, true), (Role::Undo, recorded(|_| true))],
            // These are all the same: it does not matter which of them comes first.
            _ => &[(Role::Apply, number == 0 || state.runners[number - 1].at != At::NotStarted)],
        };
        roles.iter().filter(|(_, may)| *may).map(|(role, _)| *role).collect()
    }

    pub(super) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        for (runner, this) in (0_u8..).zip(&state.runners) {
            if this.at == At::NotStarted {
                let roles = self.roles(state, runner);
                actions.extend(roles.into_iter().map(|role| Action::Start(runner, role)));
            }
            if !this.is_running() {
                continue;
            }
            if this.sleeps {
                actions.push(Action::Resume(runner));
                let in_session = matches!(this.at, At::Body | At::SecondPart | At::Finish | At::Commit);
                if in_session && !this.session_gone {
                    actions.push(Action::EndSession(runner));
                }
            } else {
                actions.push(Action::Step(runner));
                let asks = matches!(this.at, At::Append(_) | At::Commit);
                if asks && state.answers > 0 && state.flight.is_none() && !this.session_gone {
                    for answer in [Answer::Lost, Answer::Never, Answer::Late] {
                        actions.push(Action::Unanswered(runner, answer));
                    }
                }
                let works = matches!(this.at, At::Body | At::SecondPart | At::PlainBody);
                if works && state.failures > 0 && !this.session_gone {
                    actions.push(Action::Fail(runner));
                }
                if state.pauses > 0 {
                    actions.push(Action::Pause(runner));
                }
            }
            if state.crashes > 0 {
                actions.push(Action::Crash(runner));
            }
        }
        if state.flight.is_some() {
            actions.push(Action::Land);
        }
        let holder = state.lock.holder.map(|holder| &state.runners[usize::from(holder)]);
        if holder.is_some_and(|holder| holder.sleeps || !holder.is_running()) {
            actions.push(Action::Expire);
        }
        if state.forgets > 0 {
            actions.push(Action::Forget);
        }
    }

    /// `false`: it cannot happen now, because the runner waits.
    pub(super) fn act(&self, state: &mut State, action: Action) -> bool {
        match action {
            Action::Start(runner, role) => {
                let complete = state.head.digest != Digest::None;
                let this = &mut state.runners[usize::from(runner)];
                this.role = role;
                if complete && role == Role::Apply {
                    this.end(At::Ended(Ending::UpToDate))
                } else {
                    this.at = At::Lock
                }
                true
            }
            Action::Step(runner) => self.step(state, runner),
            Action::Unanswered(runner, answer) => {
                state.answers -= 1;
                match state.runners[usize::from(runner)].at {
                    At::Append(purpose) => self.send_append(state, runner, purpose, answer),
                    _ => self.commit(state, runner, answer),
                }
                true
            }
            Action::Fail(runner) => {
                Self::fail(state, runner);
                true
            }
            Action::Land => {
                let Some(request) = state.flight.take() else { return false };
                match request {
                    Flight::Append { .. } => drop(self.store_append(state, &request)),
                    Flight::Commit { .. } => self.land_commit(state, &request),
                }
                true
            }
            Action::Crash(runner) => {
                state.crashes -= 1;
                Self::roll_back(state, runner);
                state.runners[usize::from(runner)].end(At::Dead);
                true
            }
            Action::Pause(runner) => {
                state.pauses -= 1;
                state.runners[usize::from(runner)].sleeps = true;
                true
            }
            Action::Resume(runner) => {
                state.runners[usize::from(runner)].sleeps = false;
                true
            }
            Action::EndSession(runner) => {
                Self::roll_back(state, runner);
                state.runners[usize::from(runner)].session_gone = true;
                true
            }
            Action::Expire => {
                state.lock.holder = None;
                true
            }
            Action::Forget => {
                state.forgets -= 1;
                (state.lock.token, state.lock.holder) = (0, None);
                true
            }
        }
    }

    fn step(&self, state: &mut State, runner: u8) -> bool {
        let this = state.runners[usize::from(runner)];
        match this.at {
            At::NotStarted | At::Ended(_) | At::Dead => false,
            At::Lock => Self::lock(state, runner),
            At::Office => {
                self.take_office(state, runner);
                true
            }
            At::Fence => self.raise_fence(state, runner),
            At::Read => self.read(state, runner),
            At::Append(purpose) => {
                self.send_append(state, runner, purpose, Answer::Comes);
                true
            }
            At::AppendUnknown(purpose) => {
                self.look_at_head(state, runner, purpose);
                true
            }
            At::Begin => self.begin(state, runner),
            At::Body | At::SecondPart => {
                self.body(state, runner);
                true
            }
            At::Finish => self.finish(state, runner),
            At::Commit => {
                self.commit(state, runner, Answer::Comes);
                true
            }
            At::Look => self.look(state, runner),
            At::PlainCheck => {
                let ours = state.lock.holder == Some(runner) && state.lock.token == this.lock_token;
                state.runners[usize::from(runner)].at =
                    if ours { At::PlainBody } else { At::Release(Ending::LeaseLost) };
                true
            }
            At::PlainBody => {
                Self::plain_body(state, runner);
                true
            }
            At::Release(ending) => {
                if state.lock.holder == Some(runner) && state.lock.token == this.lock_token {
                    state.lock.holder = None;
                }
                state.runners[usize::from(runner)].end(At::Ended(ending));
                true
            }
        }
    }

    fn lock(state: &mut State, runner: u8) -> bool {
        if state.lock.holder.is_some() {
            return false;
        }
        state.lock.token += 1;
        state.lock.holder = Some(runner);
        let this = &mut state.runners[usize::from(runner)];
        (this.lock_token, this.at) = (state.lock.token, At::Office);
        true
    }

    fn take_office(&self, state: &mut State, runner: u8) {
        state.reigns += 1;
        let this = &mut state.runners[usize::from(runner)];
        this.reign = state.reigns;
        if self.mutant == Some(Mutant::NoOffice) {
            this.token = this.lock_token;
        } else {
            state.head.token = state.head.token.max(this.lock_token) + 1;
            state.head.owner = runner;
            this.token = state.head.token;
        }
        this.sequence = length(&state.log);
        this.at = match this.role {
            Role::Apply if state.head.digest != Digest::None => At::Release(Ending::UpToDate),
            // An operator has nothing to do with the targets.
            Role::Release => At::Read,
            _ => At::Fence,
        };
    }

    fn raise_fence(&self, state: &mut State, runner: u8) -> bool {
        if !self.fence_is_free(state) {
            return false;
        }
        let this = &mut state.runners[usize::from(runner)];
        if state.target.fence.0 >= this.token && self.mutant != Some(Mutant::NoFence) {
            this.at = At::Release(Ending::LeaseLost);
        } else {
            state.target.fence = (this.token, runner);
            this.at = At::Read;
        }
        true
    }

    /// One more runner, alone, after all leases have expired.
    pub(super) fn undisturbed(&self, state: &State) -> (State, Option<Ending>) {
        let mut state = state.clone();
        state.lock.holder = None;
        let runner = u8::try_from(state.runners.len()).unwrap_or(u8::MAX);
        state.runners.push(Runner::new());
        self.act(&mut state, Action::Start(runner, Role::Apply));
        for _ in 0..64 {
            if let At::Ended(ending) = state.runners[usize::from(runner)].at {
                return (state, Some(ending));
            }
            if !self.step(&mut state, runner) {
                break;
            }
        }
        (state, None)
    }
}
