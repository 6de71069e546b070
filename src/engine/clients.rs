//! HTTP uploads whose client has gone: what it posted is filed all the same, once it has been silent for long enough.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{AFTER_ERROR, NET, Shared};
use crate::clock::Wait;
use crate::store::StoreError;

pub(super) async fn run(shared: Arc<Shared>) {
    let mut patience = Patience::new(&shared);
    while !shared.closing.is_cancelled() {
        let wait = match patience.is_kept(&shared) {
            true => Wait::of(shared.clock.now(), NET),
            false => close_silent(&shared).await.unwrap_or_else(|error| {
                tracing::error!(%error, "uploads that wait for their clients could not be looked at");
                Wait::of(shared.clock.now(), AFTER_ERROR)
            }),
        };
        tokio::select! {
            () = shared.clock.wait(wait) => {}
            () = shared.closing.cancelled() => {}
        }
    }
}

/// A clock that leaps ahead makes no client silent for longer than it was.
struct Patience {
    /// What the clock showed, and how long the process had run then.
    seen: (DateTime<Utc>, TimeDelta),
    /// Nobody is given up before the process has run for so long.
    until: TimeDelta,
}

impl Patience {
    fn new(shared: &Shared) -> Self {
        Self { seen: shared.clock.now_and_uptime(), until: TimeDelta::MIN }
    }

    fn is_kept(&mut self, shared: &Shared) -> bool {
        let (now, uptime) = shared.clock.now_and_uptime();
        let (before, uptime_before) = std::mem::replace(&mut self.seen, (now, uptime));
        if (now - before) - (uptime - uptime_before) > NET {
            self.until = uptime + shared.policy.client_timeout;
            tracing::warn!(%before, %now, "the clock has leapt ahead: uploads wait for their clients for as long again");
        }
        uptime < self.until
    }
}

/// Closes what is overdue, and says when to look again. A post that comes meanwhile is due later than the slow look.
async fn close_silent(shared: &Shared) -> Result<Wait, StoreError> {
    let now = shared.clock.now();
    let next = shared.store.next_silence().await?;
    if next.is_some_and(|next| next <= now) {
        let closed = shared.store.close_silent_uploads(now).await?;
        tracing::info!(uploads = closed, "clients were silent for too long; their uploads go on without them");
        return Ok(Wait { since: now, until: now });
    }
    Ok(Wait::of(now, NET).or(next))
}
