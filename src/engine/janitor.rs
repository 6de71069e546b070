//! Retention: forgets, once an hour, what has been kept long enough.

use std::sync::Arc;

use chrono::TimeDelta;

use super::Shared;
use crate::clock;
use crate::store::StoreError;
use crate::store::jobs::retention::{Forgotten, Horizon};

const EVERY: TimeDelta = TimeDelta::hours(1);

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        if let Err(error) = sweep(&shared).await {
            tracing::warn!(%error, "old logs were not removed");
        }
        tokio::select! {
            () = clock::sleep(&*shared.clock, EVERY) => {}
            () = shared.closing.cancelled() => return,
        }
    }
}

async fn sweep(shared: &Shared) -> Result<(), StoreError> {
    let (now, retention) = (shared.clock.now(), shared.policy.retention);
    if let Some(doubt) = shared.store.clock_doubt(now).await? {
        tracing::info!(seen = %doubt.seen, until = %doubt.until, "nothing is removed for being old, as the clock has jumped");
        return Ok(());
    }
    let horizon =
        Horizon { logs: now - retention.logs, instances: now - retention.instances, outbox: now - retention.outbox };
    let mut forgotten = Forgotten::default();
    while !shared.closing.is_cancelled() {
        let some = shared.store.forget(horizon).await?;
        if some.is_nothing() {
            break;
        }
        forgotten += some;
    }
    if !forgotten.is_nothing() {
        tracing::info!(?forgotten, "what has been kept long enough was removed");
    }
    Ok(())
}
