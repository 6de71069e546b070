//! Runs whose worker is gone: back in the queue, after a while.

use std::sync::Arc;

use super::Shared;
use crate::clock;
use crate::store::StoreError;
use crate::store::jobs::rescue::{Lost, Patience};

/// At the start: this process holds the lock of the data folder, so every lease of another owner is that of a process
/// that is gone, whether it has run out or not.
pub(super) async fn adopt(shared: &Shared) -> Result<(), StoreError> {
    let (owner, is_explained) = (shared.owner.clone(), shared.is_explained);
    rescue(shared, Lost::NotOwnedBy { owner, is_explained }).await
}

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = clock::sleep(&*shared.clock, shared.policy.lease) => {}
            () = shared.closed.cancelled() => return,
        }
        if let Err(error) = rescue(&shared, Lost::Expired { alive: shared.running.instances() }).await {
            tracing::warn!(%error, "could not look for lost runs");
        }
    }
}

async fn rescue(shared: &Shared, lost: Lost) -> Result<(), StoreError> {
    let patience = Patience { max_attempts: shared.policy.max_attempts, retry: shared.policy.retry };
    for rescued in shared.store.rescue(lost, patience, shared.clock.now()).await? {
        tracing::warn!(id = %rescued.instance, fate = ?rescued.fate, "a run had lost its worker");
    }
    Ok(())
}
