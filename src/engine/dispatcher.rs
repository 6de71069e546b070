//! Waiting runs to workers.
//!
//! Whenever a slot or a run becomes free the dispatcher claims as many waiting runs as there are free slots, companies in
//! turn and within a company first come, first served, and starts an attempt for each.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{NET, Shared, attempt};
use crate::model::id::CompanyId;
use crate::store::jobs::claim::Lease;

pub(super) async fn run(shared: Arc<Shared>, attempts: TaskTracker) {
    let mut last_served = CompanyId::SYSTEM;
    while !shared.closing.is_cancelled() {
        let now = shared.clock.now();
        let lease = Lease { owner: shared.owner.clone(), expires_at: now + shared.policy.lease };
        let mut wait_until = now + NET;
        match shared.store.claim(shared.running.free(&shared.policy), last_served, lease, now).await {
            Ok(claims) => {
                wait_until = claims.next_retry.map_or(wait_until, |retry| retry.min(wait_until));
                for claimed in claims.runs {
                    last_served = claimed.company;
                    let (leash, entered) = shared.running.enter(claimed.fence, claimed.spec.kind());
                    attempts.spawn(attempt::run(shared.clone(), claimed, leash, entered));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the dispatcher could not claim; it tries again");
                wait_until = now + chrono::TimeDelta::seconds(5);
            }
        }
        if shared.closing.is_cancelled() {
            // Claimed while the door closed: these attempts go back like the others.
            shared.running.leave_all(super::running::Leave::Shutdown);
            return;
        }
        tokio::select! {
            () = shared.store.signals().waiting.notified() => {}
            () = shared.clock.sleep_until(wait_until) => {}
            () = shared.closing.cancelled() => {}
        }
    }
}
