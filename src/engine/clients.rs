//! HTTP uploads whose client has gone: what it posted is filed all the same, once it has been silent for long enough.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{AFTER_ERROR, NET, Shared};
use crate::store::StoreError;

pub(super) async fn run(shared: Arc<Shared>) {
    while !shared.closing.is_cancelled() {
        let wait_until = close_silent(&shared).await.unwrap_or_else(|error| {
            tracing::error!(%error, "uploads that wait for their clients could not be looked at");
            shared.clock.now() + AFTER_ERROR
        });
        tokio::select! {
            () = shared.clock.sleep_until(wait_until) => {}
            () = shared.closing.cancelled() => {}
        }
    }
}

/// Closes what is overdue, and says when to look again. A post that comes meanwhile is due later than the slow look.
async fn close_silent(shared: &Shared) -> Result<DateTime<Utc>, StoreError> {
    let now = shared.clock.now();
    let next = shared.store.next_silence().await?;
    if next.is_some_and(|next| next <= now) {
        let closed = shared.store.close_silent_uploads(now).await?;
        tracing::info!(uploads = closed, "clients were silent for too long; their uploads go on without them");
        return Ok(now);
    }
    Ok(next.map_or(now + NET, |next| next.min(now + NET)))
}
