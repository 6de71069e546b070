//! One attempt at a run.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::Shared;
use super::completer::{self, Result as Completion};
use super::running::{Entered, Leash, Leave};
use crate::clock;
use crate::executors::{Context, Failure, ProgressBoard, RunInfo};
use crate::store::jobs::attempt::AttemptError;
use crate::store::jobs::claim::Claimed;

/// Carries out `claimed`, writes what came of it, and frees the slot.
pub(super) async fn run(shared: Arc<Shared>, claimed: Claimed, leash: Leash, entered: Entered) {
    tracing::info!(run = %claimed.run_name, id = %claimed.fence.instance, attempt = claimed.fence.attempt, kind = %claimed.spec.kind(), "begins");
    let board = ProgressBoard::default();
    let context = context(&shared, &claimed, &leash, board.clone());
    let work = async { shared.registry.executor(&claimed.spec).run(&context).await };
    let work = AssertUnwindSafe(work).catch_unwind();
    let result = tokio::select! {
        result = work => match result {
            Ok(Ok(())) => Completion::Done,
            Ok(Err(failure)) => Completion::Failed(failure),
            Err(panic) => Completion::Panicked(panic_text(&*panic)),
        },
        // Dropping the work ends it wherever it is; what it had not committed was never done.
        () = out_of_patience(&shared, &leash) => Completion::Failed(Failure::Interrupted),
        never = show_progress(&shared, &claimed, &board, &leash) => match never {},
    };
    completer::complete(&shared, &claimed, &leash, result).await;
    drop(entered);
    shared.store.signals().waiting.notify_one();
}

fn context(shared: &Shared, claimed: &Claimed, leash: &Leash, board: ProgressBoard) -> Context {
    let run = RunInfo {
        fence: claimed.fence,
        company: claimed.company,
        job_name: claimed.job_name.clone(),
        run_name: claimed.run_name.clone(),
        spec: claimed.spec.clone(),
        responsible: claimed.responsible,
        locale: claimed.locale.clone(),
    };
    Context::new(run, shared.store.clone(), shared.clock.clone(), leash.token.clone(), board)
        .cut_off_by(leash.hard.clone())
}

/// Returns when an attempt that was told to leave off has not done so within its grace period.
async fn out_of_patience(shared: &Shared, leash: &Leash) {
    tokio::select! {
        () = leash.token.cancelled() => {}
        () = timeout(shared) => leash.pull(Leave::Timeout),
    }
    match leash.reason() {
        Some(Leave::Shutdown) => shutdown_grace(shared).await,
        // A shutdown does not wait longer for an attempt because it was told to leave off before.
        Some(Leave::Stop | Leave::LeaseLost | Leave::Timeout) | None => tokio::select! {
            () = clock::sleep(&*shared.clock, shared.policy.stop_grace) => {}
            () = shutdown_grace(shared) => {}
        },
    }
}

async fn shutdown_grace(shared: &Shared) {
    shared.closing.cancelled().await;
    clock::sleep(&*shared.clock, shared.policy.shutdown_grace).await;
}

async fn timeout(shared: &Shared) {
    match shared.policy.job_timeout {
        // A clock that is set forwards makes nobody slow.
        Some(limit) => shared.clock.run_for(limit).await,
        None => std::future::pending().await,
    }
}

/// Carries the progress board to the database, at a bounded rate.
async fn show_progress(
    shared: &Shared,
    claimed: &Claimed,
    board: &ProgressBoard,
    leash: &Leash,
) -> std::convert::Infallible {
    loop {
        clock::sleep(&*shared.clock, shared.policy.progress_every).await;
        let Some(progress) = board.take_changed() else { continue };
        match shared.store.show_progress(claimed.fence, progress, shared.clock.now()).await {
            Ok(()) => {}
            Err(AttemptError::LeaseLost) => leash.pull(Leave::LeaseLost),
            Err(AttemptError::Store(error)) => {
                tracing::warn!(run = %claimed.run_name, %error, "progress was not written")
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
