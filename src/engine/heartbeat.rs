//! Keeps the leases of running attempts, and hears of stops.

use std::collections::HashSet;
use std::sync::Arc;

use super::Shared;
use super::running::Leave;
use crate::clock;

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = clock::sleep(&*shared.clock, shared.policy.heartbeat) => {}
            () = shared.store.signals().stops.notified() => {}
            () = shared.closed.cancelled() => return,
        }
        beat(&shared).await;
    }
}

async fn beat(shared: &Shared) {
    // A stop may ask for an attempt that is claimed and about to begin.
    let door = shared.running.door().await;
    let fences = shared.running.fences();
    drop(door);
    if fences.is_empty() {
        return;
    }
    match shared.store.heartbeat(fences.clone(), shared.clock.now() + shared.policy.lease).await {
        Ok(heartbeat) => {
            for fence in &heartbeat.stop_asked {
                shared.running.leave(*fence, Leave::Stop);
            }
            let held: HashSet<_> = heartbeat.held.into_iter().collect();
            for fence in fences.into_iter().filter(|fence| !held.contains(fence)) {
                shared.running.leave(fence, Leave::LeaseLost);
            }
        }
        // The rescuer leaves attempts of this process alone, so a beat that fails costs nothing.
        Err(error) => tracing::warn!(%error, "the leases were not extended"),
    }
}
