//! Stops what is left of jobs with very many runs, some at a time, so that others write in between.

use std::sync::Arc;

use super::{AFTER_ERROR, NET, Shared};
use crate::clock;

pub(super) async fn run(shared: Arc<Shared>) {
    while !shared.closing.is_cancelled() {
        let wait = match shared.store.carry_out_stop_orders(shared.clock.now()).await {
            Ok(true) => continue,
            Ok(false) => NET,
            Err(error) => {
                tracing::error!(%error, "runs that were to be stopped could not be");
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = clock::sleep(&*shared.clock, wait) => {}
            () = shared.store.signals().stop_orders.notified() => {}
            () = shared.closing.cancelled() => {}
        }
    }
}
