//! Runs whose worker is gone.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::finish::{self, Ending, Guard};
use super::{Fence, lines};
use crate::model::id::InstanceId;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::Outcome;
use crate::model::state::{self, Event, Next, State};
use crate::store::{Store, StoreError, Transaction, rows};

/// Which leases count as lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Those that have run out, except the ones named: attempts of this process that it knows to be alive.
    Expired { alive: Vec<InstanceId> },
    /// Those of every other process: this one has just locked the data folder, so no other can be alive.
    NotOwnedBy(String),
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
    pub async fn rescue(&self, lost: Lost, max_attempts: i64, now: DateTime<Utc>) -> Result<Vec<Rescued>, StoreError> {
        let zone = self.zone();
        let rescued = self
            .write(move |tx| {
                Box::pin(async move {
                    let mut rescued = Vec::new();
                    for found in find(tx, &lost, now).await? {
                        let fate = settle(tx, &found, max_attempts, now, zone).await?;
                        rescued.push(Rescued { instance: found.fence.instance, fate });
                    }
                    Ok::<_, StoreError>(rescued)
                })
            })
            .await?;
        rescued.iter().for_each(|_| self.stats().attempt_ended("Lost"));
        if !rescued.is_empty() {
            self.signals().waiting.notify_one();
            self.signals().outbox.notify_one();
        }
        Ok(rescued)
    }
}

struct Found {
    fence: Fence,
    state: State,
    failures: i64,
}

async fn find(tx: &mut Transaction, lost: &Lost, now: DateTime<Utc>) -> Result<Vec<Found>, StoreError> {
    let (owner, alive) = match lost {
        Lost::Expired { alive } => (None, alive.as_slice()),
        Lost::NotOwnedBy(owner) => (Some(owner), &[][..]),
    };
    let rows = sqlx::query(
        "SELECT id, attempt, state, failures FROM instance
         WHERE state IN ('Running', 'Stopping')
           AND (($1 IS NULL AND lease_expires_at <= $2 AND id NOT IN (SELECT value FROM json_each($3)))
                OR ($1 IS NOT NULL AND lease_owner <> $1))
         ORDER BY lease_expires_at, id",
    )
    .bind(owner)
    .bind(now.timestamp_millis())
    .bind(json!(alive).to_string())
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for lost runs"))?;
    rows.iter()
        .map(|row| {
            let fence = Fence { instance: InstanceId(rows::get(row, "id")?), attempt: rows::get(row, "attempt")? };
            Ok(Found { fence, state: rows::constant(row, "state")?, failures: rows::get(row, "failures")? })
        })
        .collect()
}

async fn settle(
    tx: &mut Transaction,
    found: &Found,
    max_attempts: i64,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<RescueFate, StoreError> {
    let failures = found.failures + 1;
    if failures >= max_attempts && found.state == State::Running {
        let reason = Message::new("attempts-exhausted")
            .with("attempts", failures)
            .with("reason", Message::new("reason-worker-gone"));
        finish::finish(tx, Guard::Fence(found.fence), Ending::failed(reason), now, zone).await?;
        return Ok(RescueFate::Failed);
    }
    match state::next(found.state, Event::Release) {
        Ok(Next::To(to)) => {
            requeue(tx, found, to, now).await?;
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

async fn requeue(tx: &mut Transaction, found: &Found, to: State, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE instance
         SET state = $3, failures = failures + 1, not_before_at = $4, lease_owner = NULL, lease_expires_at = NULL,
             progress_items = '[]'
         WHERE id = $1 AND attempt = $2 AND state = 'Running'",
    )
    .bind(found.fence.instance.0)
    .bind(found.fence.attempt)
    .bind(to.as_str())
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("put a lost run back in the queue"))?;
    let message = Message::new("lease-lost").with("attempt", found.fence.attempt);
    let line = LogLine::new(LogType::JobInfo, message);
    lines::insert(tx, std::iter::once((found.fence.instance, &line)), now).await
}
