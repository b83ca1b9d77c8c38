/// How much may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Runners; the last one may undo instead, or, with `hold`, undoes and holds.
    pub runners: u8,
    /// Processes that die.
    pub crashes: u8,
    /// Processes that stand still for longer than their lease.
    pub pauses: u8,
    /// Answers that are lost or late, or requests that never arrive.
    pub answers: u8,
    /// Changes that fail by themselves.
    pub failures: u8,
    /// How often the lock forgets holder and token.
    pub forgets: u8,
    /// Whether the transactional change commits half-way by itself.
    pub ddl: bool,
    /// Whether the last runner undoes and holds, and the one before is an operator who releases.
    pub hold: bool,
}

impl Bounds {
    /// What the issue asks for.
    pub const FULL: Self = Self {
        runners: 3,
        crashes: 2,
        pauses: 1,
        answers: 1,
        failures: 1,
        forgets: 1,
        ddl: false,
        hold: false,
    };

    /// What a test can afford.
    pub const QUICK: Self = Self {
        runners: 3,
        crashes: 1,
        pauses: 1,
        answers: 1,
        failures: 1,
        forgets: 0,
        ddl: false,
        hold: false,
    };

    /// The same with two who apply, one who holds, and an operator who releases.
    #[must_use]
    pub fn with_hold(self) -> Self {
        Self { runners: 4, hold: true, ..self }
    }

    /// Each with and without DDL, and with undo or hold.
    pub fn variants(self) -> [Self; 4] {
        let held = self.with_hold();
        [self, Self { ddl: true, ..self }, held, Self { ddl: true, ..held }]
    }
}
