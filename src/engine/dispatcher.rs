//! Waiting runs to workers.
//!
//! Whenever a slot or a run becomes free the dispatcher claims as many waiting runs as there are free slots, companies in
//! turn and within a company first come, first served, and starts an attempt for each.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{AFTER_ERROR, NET, Shared, attempt};
use crate::clock::Wait;
use crate::model::id::CompanyId;
use crate::store::StoreError;
use crate::store::jobs::claim::Lease;

pub(super) async fn run(shared: Arc<Shared>, attempts: TaskTracker) {
    let mut last_served = CompanyId::SYSTEM;
    while !shared.closing.is_cancelled() {
        let wait = match fill(&shared, &attempts, &mut last_served).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the dispatcher could not claim; it tries again");
                Wait::of(shared.clock.now(), AFTER_ERROR)
            }
        };
        if shared.closing.is_cancelled() {
            // Claimed while the door closed: these attempts go back like the others.
            shared.running.leave_all(super::running::Leave::Shutdown);
            return;
        }
        tokio::select! {
            () = shared.store.signals().waiting.notified() => {}
            () = shared.clock.wait(wait) => {}
            () = shared.closing.cancelled() => {}
        }
    }
}

/// Starts an attempt in each free slot for which there is a run, and says when to look again.
async fn fill(shared: &Arc<Shared>, attempts: &TaskTracker, last_served: &mut CompanyId) -> Result<Wait, StoreError> {
    // Attempts whose ends shared a commit leave their slots one after the other: they are filled in one go.
    tokio::task::yield_now().await;
    let now = shared.clock.now();
    let free = shared.running.free(&shared.policy);
    // The end of an attempt rings. A slot that is free as the door closes is not for what would only be put back.
    if free.total == 0 || shared.closing.is_cancelled() {
        return Ok(Wait::of(now, NET));
    }
    let (owner, length, clock) = (shared.owner.clone(), shared.policy.lease, shared.clock.clone());
    // A lease runs from when it is written, or it is over before it begins where the machine slept in between.
    let begin = move || {
        let now = clock.now();
        (Lease { owner, expires_at: now + length }, now)
    };
    let _door = shared.running.door().await;
    let claims = shared.store.claim(free, *last_served, begin).await?;
    for claimed in claims.runs {
        *last_served = claimed.company;
        let (leash, entered) = shared.running.enter(claimed.fence, claimed.spec.kind());
        attempts.spawn(attempt::run(shared.clone(), claimed, leash, entered));
    }
    Ok(Wait::of(now, NET).or(claims.next_retry))
}
