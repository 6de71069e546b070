//! The attempts of this process, and how they are told to leave off.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{self, watch};
use tokio_util::sync::CancellationToken;

use crate::model::id::InstanceId;
use crate::model::kind::JobKind;
use crate::store::jobs::Fence;
use crate::store::jobs::claim::FreeSlots;

use super::EnginePolicy;

/// Why an attempt is told to leave off. The first reason counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    Stop,
    Shutdown,
    LeaseLost,
    Timeout,
}

/// The string by which an attempt is pulled.
#[derive(Debug, Clone)]
pub(super) struct Leash {
    pub token: CancellationToken,
    /// Pulled too hard for what is under way to be finished.
    pub hard: CancellationToken,
    reason: Arc<OnceLock<Leave>>,
}

impl Leash {
    pub fn new() -> Self {
        Self { token: CancellationToken::new(), hard: CancellationToken::new(), reason: Arc::default() }
    }

    pub fn pull(&self, reason: Leave) {
        // Only the first reason is kept: a shutdown does not turn a stop into something else.
        let _ = self.reason.set(reason);
        self.token.cancel();
        match reason {
            // Running items may come to their end within the grace period.
            Leave::Shutdown => {}
            Leave::Stop | Leave::LeaseLost | Leave::Timeout => self.hard.cancel(),
        }
    }

    pub fn reason(&self) -> Option<Leave> {
        self.reason.get().copied()
    }
}

#[derive(Debug)]
struct Entry {
    kind: JobKind,
    leash: Leash,
}

/// All attempts that run.
#[derive(Debug, Clone)]
pub(super) struct Running {
    attempts: Arc<Mutex<HashMap<Fence, Entry>>>,
    door: Arc<sync::Mutex<()>>,
    count: watch::Sender<usize>,
}

impl Default for Running {
    fn default() -> Self {
        Self { attempts: Arc::default(), door: Arc::default(), count: watch::Sender::new(0) }
    }
}

impl Running {
    fn attempts(&self) -> MutexGuard<'_, HashMap<Fence, Entry>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held from a claim until its attempts are on the list. Whoever must not miss one that is claimed already waits here.
    pub async fn door(&self) -> sync::MutexGuard<'_, ()> {
        self.door.lock().await
    }

    /// Notes an attempt until the guard is dropped.
    pub fn enter(&self, fence: Fence, kind: JobKind) -> (Leash, Entered) {
        let leash = Leash::new();
        let mut attempts = self.attempts();
        attempts.insert(fence, Entry { kind, leash: leash.clone() });
        self.count.send_replace(attempts.len());
        (leash, Entered { fence, running: self.clone() })
    }

    pub fn len(&self) -> usize {
        self.attempts().len()
    }

    pub fn fences(&self) -> Vec<Fence> {
        self.attempts().keys().copied().collect()
    }

    pub fn instances(&self) -> Vec<InstanceId> {
        self.attempts().keys().map(|fence| fence.instance).collect()
    }

    pub fn free(&self, policy: &EnginePolicy) -> FreeSlots {
        let attempts = self.attempts();
        let used = |kind: JobKind| attempts.values().filter(|entry| entry.kind == kind).count();
        FreeSlots {
            total: policy.slots.saturating_sub(attempts.len()),
            by_kind: policy
                .slots_by_kind
                .iter()
                .map(|(kind, most)| (*kind, most.saturating_sub(used(*kind))))
                .collect(),
        }
    }

    pub fn leave(&self, fence: Fence, reason: Leave) {
        if let Some(entry) = self.attempts().get(&fence) {
            entry.leash.pull(reason);
        }
    }

    pub fn leave_all(&self, reason: Leave) {
        for entry in self.attempts().values() {
            entry.leash.pull(reason);
        }
    }

    pub async fn wait_until_empty(&self) {
        // The sender lives in self, so the channel cannot close.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Takes the attempt off the list when it is dropped.
pub(super) struct Entered {
    fence: Fence,
    running: Running,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut attempts = self.running.attempts();
        attempts.remove(&self.fence);
        self.running.count.send_replace(attempts.len());
    }
}
