use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;

use crate::house::{Flaw, House, guard};

/// The house, in which time is counted in effects.
pub(super) struct World {
    pub(super) house: Arc<House>,
    /// Effects so far, of all processes: by them the late ones are due.
    effects: AtomicU64,
    late: Mutex<Vec<Late>>,
    /// Whether something landed late after all processes were done.
    outlived: AtomicBool,
}

/// A request that is still on its way.
struct Late {
    due: u64,
    what: String,
    land: BoxFuture<'static, ()>,
}

impl World {
    pub(super) fn new(traced: bool, flaw: Option<Flaw>) -> Self {
        Self {
            house: Arc::new(House::new(traced, flaw)),
            effects: AtomicU64::new(0),
            late: Mutex::default(),
            outlived: AtomicBool::new(false),
        }
    }

    /// Counts an effect, after letting land what is due before it.
    pub(super) async fn next_effect(&self) {
        let now = self.effects.fetch_add(1, Ordering::Relaxed);
        self.land(|late| late.due <= now).await;
    }

    /// Everything that was on its way has arrived.
    pub(super) async fn settle(&self) {
        let any = !guard(&self.late).is_empty();
        self.outlived.store(any, Ordering::Relaxed);
        self.land(|_| true).await;
    }

    /// Whether something was late for everybody: a longer delay makes no difference.
    pub(super) fn outlived(&self) -> bool {
        self.outlived.load(Ordering::Relaxed)
    }

    async fn land(&self, is_due: impl Fn(&Late) -> bool) {
        let due: Vec<Late> = {
            let mut late = guard(&self.late);
            let all = std::mem::take(&mut *late);
            let (due, rest) = all.into_iter().partition(is_due);
            *late = rest;
            due
        };
        for Late { what, land, .. } in due {
            self.house.note(|| format!("      lands now: {what}"));
            land.await;
        }
    }

    pub(super) fn send_late(&self, delay: u64, what: String, land: BoxFuture<'static, ()>) {
        let due = self.effects.load(Ordering::Relaxed) + delay;
        guard(&self.late).push(Late { due, what, land });
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("effects", &self.effects).finish_non_exhaustive()
    }
}
