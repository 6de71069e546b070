//! The mark beside the blobs: written again once a minute, when numbers have changed.

use std::sync::Arc;

use chrono::TimeDelta;

use super::Shared;
use crate::clock;

const EVERY: TimeDelta = TimeDelta::minutes(1);

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = clock::sleep(&*shared.clock, EVERY) => {}
            () = shared.closed.cancelled() => return,
        }
        if let Err(error) = shared.mark.keep().await {
            tracing::warn!(%error, "the mark beside the stored files was not written; it is tried again in a minute");
        }
    }
}
