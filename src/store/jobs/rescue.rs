//! Runs whose worker is gone.
//!
//! Such a run waits before it goes on: what ended its worker may be about to end the next one. How often it is tried is bounded,
//! but only for as long as it comes no further: an attempt that had committed something starts the count anew, and one that
//! ended because of a file that is known by now is not counted.

use chrono::{DateTime, Utc};

use super::finish::{self, Ending, Guard};
use super::{Fence, lines};
use crate::model::backoff::Backoff;
use crate::model::id::InstanceId;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::Outcome;
use crate::model::state::{self, Event, Next, State};
use crate::store::sql;
use crate::store::{Bell, Store, StoreError, Transaction, rows};

/// Which leases count as lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Those that have run out, except the ones named: attempts of this process that it knows to be alive.
    Expired { alive: Vec<InstanceId> },
    /// Those of every other process: this one has just locked the data folder, so no other can be alive.
    NotOwnedBy {
        owner: String,
        /// The file that ended the last of them is known, and is not tried again.
        is_explained: bool,
    },
}

impl Lost {
    const fn is_explained(&self) -> bool {
        match self {
            Self::Expired { .. } => false,
            Self::NotOwnedBy { is_explained, .. } => *is_explained,
        }
    }

    fn reason(&self) -> Message {
        match self {
            Self::Expired { .. } => Message::new("reason-no-sign-of-life"),
            Self::NotOwnedBy { is_explained: false, .. } => Message::new("reason-worker-gone"),
            Self::NotOwnedBy { is_explained: true, .. } => Message::new("reason-worker-ended-by-file"),
        }
    }
}

/// How often lost runs are tried again, and how long they wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub max_attempts: i64,
    pub retry: Backoff,
}

/// A run that was found without a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    pub instance: InstanceId,
    pub fate: RescueFate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescueFate {
    Requeued,
    Stopped,
    /// It has used up its attempts.
    Failed,
}

impl Store {
    /// Puts runs whose worker is gone back in the queue, or ends them when they have no attempt left or were being stopped.
    pub async fn rescue(&self, lost: Lost, patience: Patience, now: DateTime<Utc>) -> Result<Vec<Rescued>, StoreError> {
        let zone = self.zone();
        let bells = |rescued: &Vec<Rescued>| -> &'static [Bell] {
            if rescued.is_empty() { &[] } else { &[Bell::Waiting, Bell::Outbox] }
        };
        let rescued = self
            .write_and_ring_by(bells, move |tx| {
                Box::pin(async move {
                    if let Lost::NotOwnedBy { .. } = lost {
                        unblock_first(tx).await?;
                    }
                    let mut rescued = Vec::new();
                    for found in find(tx, &lost, now).await? {
                        let fate = settle(tx, &found, &lost, patience, now, zone).await?;
                        rescued.push(Rescued { instance: found.fence.instance, fate });
                    }
                    Ok::<_, StoreError>(rescued)
                })
            })
            .await?;
        rescued.iter().for_each(|_| self.stats().attempt_ended("Lost"));
        Ok(rescued)
    }
}

struct Found {
    fence: Fence,
    state: State,
    failures: i64,
    /// Its last attempt had committed something.
    came_further: bool,
}

impl Found {
    /// Failures with this one; none are enough when the attempt is no sign that the run will never come to its end.
    fn failures(&self, lost: &Lost) -> i64 {
        match (self.came_further, lost.is_explained()) {
            (true, _) => 1,
            (false, true) => self.failures,
            (false, false) => self.failures + 1,
        }
    }

    fn is_hopeless(&self, lost: &Lost, patience: Patience) -> bool {
        self.failures(lost) >= patience.max_attempts && !self.came_further && !lost.is_explained()
    }
}

async fn find(tx: &mut Transaction, lost: &Lost, now: DateTime<Utc>) -> Result<Vec<Found>, StoreError> {
    let (owner, alive) = match lost {
        Lost::Expired { alive } => (None, alive.as_slice()),
        Lost::NotOwnedBy { owner, .. } => (Some(owner), &[][..]),
    };
    let rows = sql::query(
        "SELECT id, attempt, state, failures, items_done > items_at_claim AS came_further FROM instance
         WHERE state IN ('Running', 'Stopping')
           AND ((CAST($1 AS text) IS NULL AND lease_expires_at <= $2 AND id NOT IN ids($3))
                OR ($1 IS NOT NULL AND lease_owner <> $1))
         ORDER BY lease_expires_at, id",
    )
    .bind(owner)
    .bind(now.timestamp_millis())
    .list(alive)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for lost runs"))?;
    rows.iter()
        .map(|row| {
            let fence = Fence { instance: InstanceId(rows::get(row, "id")?), attempt: rows::get(row, "attempt")? };
            Ok(Found {
                fence,
                state: rows::constant(row, "state")?,
                failures: rows::get(row, "failures")?,
                came_further: rows::get(row, "came_further")?,
            })
        })
        .collect()
}

async fn settle(
    tx: &mut Transaction,
    found: &Found,
    lost: &Lost,
    patience: Patience,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<RescueFate, StoreError> {
    if found.state == State::Running && found.is_hopeless(lost, patience) {
        let reason =
            Message::new("attempts-exhausted").with("attempts", found.failures(lost)).with("reason", lost.reason());
        finish::finish(tx, Guard::Fence(found.fence), Ending::failed(reason), now, zone).await?;
        return Ok(RescueFate::Failed);
    }
    match state::next(found.state, Event::Release) {
        Ok(Next::To(to)) => {
            requeue(tx, found, to, lost, patience, now).await?;
            Ok(RescueFate::Requeued)
        }
        Ok(Next::Ended(outcome)) => {
            let ending = Ending { outcome, reason: None };
            finish::finish(tx, Guard::Fence(found.fence), ending, now, zone).await?;
            debug_assert_eq!(outcome, Outcome::Stopped);
            Ok(RescueFate::Stopped)
        }
        Err(refused) => Err(StoreError::corrupt("a run without a worker", refused)),
    }
}

async fn requeue(
    tx: &mut Transaction,
    found: &Found,
    to: State,
    lost: &Lost,
    patience: Patience,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let failures = found.failures(lost);
    // The first loss waits as well, also when it does not count.
    let not_before = now + patience.retry.after(failures.max(1));
    sql::query(
        "UPDATE instance
         SET state = $3, failures = $4, not_before_at = $5, lease_owner = NULL, lease_expires_at = NULL,
             progress_items = '[]'
         WHERE id = $1 AND attempt = $2 AND state = 'Running'",
    )
    .bind(found.fence.instance.0)
    .bind(found.fence.attempt)
    .bind(to.as_str())
    .bind(failures)
    .bind(not_before.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("put a lost run back in the queue"))?;
    let message = Message::new("worker-lost")
        .with("attempt", found.fence.attempt)
        .with("reason", lost.reason())
        .with("at", not_before.timestamp_millis());
    let line = LogLine::new(LogType::JobInfo, message);
    lines::insert(tx, std::iter::once((found.fence.instance, &line)), now).await
}

/// Lets a claim look at the first run of each key that waits for it. The triggers see to that; this is the net under them, at each
/// start: should a key have been freed unnoticed, its runs would wait for ever.
async fn unblock_first(tx: &mut Transaction) -> Result<(), StoreError> {
    let first: Vec<i64> = sql::scalar(
        "SELECT min(b.id) FROM instance b INDEXED BY instance_blocked
         WHERE b.state = 'WaitingCoordinator' AND b.blocked = 1 GROUP BY b.exclusive_key",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for runs that wait for a key"))?;
    for run in first {
        sql::query("UPDATE instance SET blocked = 0 WHERE id = $1")
            .bind(run)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("let a run go on"))?;
    }
    Ok(())
}
