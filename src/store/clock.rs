//! What was written while the clock was ahead, and how far the clock is known to have come.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::jobs::lines;
use super::{Bell, Store, StoreError, Transaction, rows};
use crate::model::id::{InstanceId, JobId};
use crate::model::log::{LogLine, LogType, Message};

/// The keys in `system`: what the clock showed when it was last looked at, and up to when it is doubted since it showed what.
const SEEN: &str = "clock_seen";
const DOUBT: &str = "clock_doubt";

/// A clock that shows so much more than when it was last looked at, which is every hour, may be wrong.
const JUMP: TimeDelta = TimeDelta::days(1);

/// How long it is doubted then.
const DOUBTED: TimeDelta = TimeDelta::days(1);

/// Slots taken back in one transaction.
const AT_ONCE: i64 = 500;

/// The clock has jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// What it showed before.
    pub seen: DateTime<Utc>,
    /// Up to when nothing may go for being old.
    pub until: DateTime<Utc>,
}

/// A look at the clock.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// What it showed the last time.
    pub before: Option<DateTime<Utc>>,
    /// It has jumped since.
    pub doubt: Option<Doubt>,
}

/// A slot of a time that is to come.
#[derive(Debug, Clone)]
pub struct Early {
    pub job: JobId,
    pub name: String,
    pub due_at: DateTime<Utc>,
    /// What ran for it.
    pub run: Option<InstanceId>,
    pub exec_schedule: Option<String>,
}

/// The same, with when its job is to fire next.
#[derive(Debug, Clone)]
pub struct TakenBack {
    pub job: JobId,
    pub name: String,
    pub due_at: DateTime<Utc>,
    pub run: Option<InstanceId>,
    pub next: Option<DateTime<Utc>>,
}

/// What became of the trigger of a job whose slots were taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rearmed {
    /// It was complete, and fires again.
    Yes(DateTime<Utc>),
    /// It was complete, and stays so: another job has its name.
    NameTaken,
    /// It was not complete.
    Stands,
}

/// Instants counted as one range that reaches into times to come.
#[derive(Debug, Clone)]
pub struct EarlyRange {
    pub job: JobId,
    pub name: String,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    pub exec_schedule: String,
}

/// The longest waits that the rules give, by how often something failed before.
#[derive(Debug, Clone)]
pub struct Waits {
    pub retry: Vec<TimeDelta>,
    pub delivery: Vec<TimeDelta>,
    pub client: TimeDelta,
}

/// How many waits were longer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shortened {
    pub retries: u64,
    pub deliveries: u64,
    pub clients: u64,
}

impl Store {
    /// Notes what the clock shows.
    pub async fn see_clock(&self, now: DateTime<Utc>) -> Result<Look, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let before = seen(tx).await?;
                let doubt = before.filter(|before| now - *before > JUMP);
                let doubt = doubt.map(|seen| Doubt { seen, until: now + DOUBTED });
                note(tx, SEEN, &now.timestamp_millis().to_string()).await?;
                if let Some(doubt) = &doubt {
                    let text = format!("{} {}", doubt.seen.timestamp_millis(), doubt.until.timestamp_millis());
                    note(tx, DOUBT, &text).await?;
                }
                Ok(Look { before, doubt })
            })
        })
        .await
    }

    /// Whether the clock is to be doubted: then nothing may go for being old. None also where no daemon has looked at it yet.
    pub async fn clock_doubt(&self, now: DateTime<Utc>) -> Result<Option<Doubt>, StoreError> {
        let connection = &mut *self.reader().await?;
        // It may have jumped a moment ago.
        if let Some(seen) = seen(connection).await?.filter(|seen| now - *seen > JUMP) {
            return Ok(Some(Doubt { seen, until: now + DOUBTED }));
        }
        let text = noted(connection, DOUBT).await?;
        let instants = text.as_deref().and_then(|text| text.split_once(' '));
        let doubt = instants.and_then(|(seen, until)| Some(Doubt { seen: instant(seen)?, until: instant(until)? }));
        // When it has been set back, the doubt was right, and is over.
        Ok(doubt.filter(|doubt| now < doubt.until && now >= doubt.until - DOUBTED))
    }

    /// Some slots of times after `from`.
    pub async fn early_slots(&self, from: DateTime<Utc>) -> Result<Vec<Early>, StoreError> {
        sqlx::query(
            "SELECT s.job_id, j.name, s.due_at, j.exec_schedule,
                    CASE WHEN s.disposition IN ('fired', 'late') THEN s.instance_id END AS run
             FROM slot s INDEXED BY slot_by_due CROSS JOIN job j
             WHERE s.due_at > $1 AND j.id = s.job_id AND j.deleted_at IS NULL ORDER BY s.due_at LIMIT $2",
        )
        .bind(from.timestamp_millis())
        .bind(AT_ONCE)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for slots of times to come"))?
        .iter()
        .map(|row| {
            Ok(Early {
                job: JobId(rows::get(row, "job_id")?),
                name: rows::get(row, "name")?,
                due_at: rows::instant(row, "due_at")?,
                run: rows::get::<Option<i64>>(row, "run")?.map(InstanceId),
                exec_schedule: rows::get(row, "exec_schedule")?,
            })
        })
        .collect()
    }

    /// Takes slots back: their instants are still to come, and the logs of the runs that came too early say so. A trigger that had
    /// none left has them again. `is_to_come` is asked when nobody else can fire them any more: while they were looked for, their
    /// time may have come, as on a machine that slept.
    pub async fn take_back(
        &self,
        slots: Vec<TakenBack>,
        now: DateTime<Utc>,
        is_to_come: impl Fn(DateTime<Utc>) -> bool + Send + 'static,
    ) -> Result<Vec<(JobId, Rearmed)>, StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            let early = slots.into_iter().filter(|slot| is_to_come(slot.due_at)).collect::<Vec<_>>();
            Box::pin(async move { take_back(tx, &early, now).await })
        })
        .await
    }

    /// Ranges of slots that reach behind `from`.
    pub async fn early_ranges(&self, from: DateTime<Utc>) -> Result<Vec<EarlyRange>, StoreError> {
        sqlx::query(
            "SELECT r.job_id, j.name, r.first_at, r.last_at, j.exec_schedule
             FROM slot_range r INDEXED BY slot_range_by_end CROSS JOIN job j
             WHERE r.last_at > $1 AND j.id = r.job_id AND j.exec_schedule IS NOT NULL AND j.deleted_at IS NULL",
        )
        .bind(from.timestamp_millis())
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for slots of times to come"))?
        .iter()
        .map(|row| {
            Ok(EarlyRange {
                job: JobId(rows::get(row, "job_id")?),
                name: rows::get(row, "name")?,
                first: rows::instant(row, "first_at")?,
                last: rows::instant(row, "last_at")?,
                exec_schedule: rows::get(row, "exec_schedule")?,
            })
        })
        .collect()
    }

    /// Ends a range at its last instant that has come, of which there are so many, or removes it; and lets its trigger fire next at
    /// `next`, if it had come to its end.
    pub async fn cut_range(
        &self,
        job: JobId,
        first: DateTime<Utc>,
        kept: Option<(DateTime<Utc>, u64)>,
        next: Option<DateTime<Utc>>,
        is_to_come: impl Fn() -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            let is_early = is_to_come();
            Box::pin(async move {
                if !is_early {
                    return Ok(());
                }
                let query = match kept {
                    None => sqlx::query("DELETE FROM slot_range WHERE job_id = $1 AND first_at = $2"),
                    Some(_) => sqlx::query(
                        "UPDATE slot_range SET last_at = $3, count = $4 WHERE job_id = $1 AND first_at = $2",
                    ),
                };
                let query = query.bind(job.0).bind(first.timestamp_millis());
                let query = match kept {
                    None => query,
                    Some((last, count)) => {
                        query.bind(last.timestamp_millis()).bind(i64::try_from(count).unwrap_or(i64::MAX))
                    }
                };
                query.execute(&mut *tx).await.map_err(StoreError::doing("cut a range of slots"))?;
                rearm(tx, job, next).await.map(|_| ())
            })
        })
        .await
    }

    /// Jobs that wait for companies that are open fire: their companies had expired by a clock that was ahead. Their names.
    pub async fn release_held(&self, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                sqlx::query_scalar(
                    "UPDATE job INDEXED BY job_held SET trigger_state = 'Normal'
                     WHERE trigger_state = 'Blocked' AND deleted_at IS NULL
                       AND NOT EXISTS (SELECT 1 FROM company c WHERE c.id = job.company_id AND c.expires_at <= $1)
                     RETURNING name",
                )
                .bind(now.timestamp_millis())
                .fetch_all(tx)
                .await
                .map_err(StoreError::doing("let jobs of open companies fire"))
            })
        })
        .await
    }

    /// Lets nothing wait longer than the rules have it from now on.
    pub async fn shorten_waits(&self, waits: Waits, now: DateTime<Utc>) -> Result<Shortened, StoreError> {
        self.write_and_ring(&[Bell::Waiting, Bell::Outbox], move |tx| {
            Box::pin(async move { shorten_waits(tx, &waits, now).await })
        })
        .await
    }
}

fn instant(millis: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis.parse().ok()?)
}

async fn noted(connection: &mut sqlx::SqliteConnection, key: &str) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("SELECT value FROM system WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read what the clock showed"))
}

async fn seen(connection: &mut sqlx::SqliteConnection) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(noted(connection, SEEN).await?.as_deref().and_then(instant))
}

async fn note(tx: &mut Transaction, key: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO system (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note what the clock shows"))
}

async fn take_back(
    tx: &mut Transaction,
    slots: &[TakenBack],
    now: DateTime<Utc>,
) -> Result<Vec<(JobId, Rearmed)>, StoreError> {
    let early: Vec<_> = slots.iter().map(|slot| json!([slot.job, slot.due_at.timestamp_millis()])).collect();
    sqlx::query("DELETE FROM slot WHERE (job_id, due_at) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))")
        .bind(json!(early).to_string())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("take slots back"))?;
    let said: Vec<(InstanceId, LogLine)> = slots
        .iter()
        .filter_map(|slot| {
            let message = Message::new("ran-early").with("at", slot.due_at.timestamp_millis());
            Some((slot.run?, LogLine::new(LogType::JobInfo, message)))
        })
        .collect();
    lines::insert(tx, said.iter().map(|(run, line)| (*run, line)), now).await?;
    // The first of them, for they come in the order of their times.
    let mut jobs = BTreeMap::new();
    for slot in slots {
        jobs.entry(slot.job).or_insert(slot.next);
    }
    let mut became = Vec::with_capacity(jobs.len());
    for (job, next) in jobs {
        became.push((job, rearm(tx, job, next).await?));
    }
    Ok(became)
}

/// Lets a trigger that is complete fire again at `next`.
async fn rearm(tx: &mut Transaction, job: JobId, next: Option<DateTime<Utc>>) -> Result<Rearmed, StoreError> {
    sqlx::query(
        "UPDATE job SET last_fire_at = (SELECT max(s.due_at) FROM slot s WHERE s.job_id = job.id) WHERE id = $1",
    )
    .bind(job.0)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("take slots back"))?;
    let Some(next) = next else { return Ok(Rearmed::Stands) };
    let is_complete: Option<bool> = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM job o WHERE o.company_id = j.company_id AND o.name = j.name AND o.id <> j.id
                        AND o.trigger_kind <> 'at_once' AND o.deleted_at IS NULL AND o.trigger_state <> 'Complete')
         FROM job j WHERE j.id = $1 AND j.trigger_state = 'Complete' AND j.trigger_kind <> 'at_once' AND j.deleted_at IS NULL",
    )
    .bind(job.0)
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::doing("look at a trigger"))?;
    match is_complete {
        None => return Ok(Rearmed::Stands),
        Some(true) => return Ok(Rearmed::NameTaken),
        Some(false) => {}
    }
    sqlx::query(
        "UPDATE job SET trigger_state = 'Normal', next_fire_at = $2 WHERE id = $1 AND trigger_state = 'Complete'",
    )
    .bind(job.0)
    .bind(next.timestamp_millis())
    .execute(tx)
    .await
    .map_err(StoreError::doing("let a trigger fire again"))?;
    Ok(Rearmed::Yes(next))
}

async fn shorten_waits(tx: &mut Transaction, waits: &Waits, now: DateTime<Utc>) -> Result<Shortened, StoreError> {
    let millis =
        |waits: &[TimeDelta]| json!(waits.iter().map(TimeDelta::num_milliseconds).collect::<Vec<_>>()).to_string();
    let most = |waits: &[TimeDelta]| i64::try_from(waits.len()).unwrap_or(i64::MAX) - 1;
    let doing = "shorten what waits";
    let retries = sqlx::query(
        "UPDATE instance INDEXED BY instance_retry
         SET not_before_at = $1 + (SELECT w.value FROM json_each($2) w WHERE w.key = min(instance.failures, $3))
         WHERE state = 'WaitingCoordinator' AND attempt > 0 AND not_before_at > $1
           AND not_before_at > $1 + (SELECT w.value FROM json_each($2) w WHERE w.key = min(instance.failures, $3))",
    )
    .bind(now.timestamp_millis())
    .bind(millis(&waits.retry))
    .bind(most(&waits.retry))
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing(doing))?
    .rows_affected();
    let mut deliveries = 0;
    for channel in ["mail", "url"] {
        deliveries += sqlx::query(
            "UPDATE outbox INDEXED BY outbox_waiting
             SET next_try_at = $1 + (SELECT w.value FROM json_each($2) w WHERE w.key = min(outbox.attempts, $3))
             WHERE state = 'Pending' AND ready = 0 AND channel = $4 AND next_try_at > $1
               AND next_try_at > $1 + (SELECT w.value FROM json_each($2) w WHERE w.key = min(outbox.attempts, $3))",
        )
        .bind(now.timestamp_millis())
        .bind(millis(&waits.delivery))
        .bind(most(&waits.delivery))
        .bind(channel)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?
        .rows_affected();
    }
    let clients =
        sqlx::query("UPDATE instance SET not_before_at = $1 WHERE state = 'WaitingClient' AND not_before_at > $1")
            .bind((now + waits.client).timestamp_millis())
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing(doing))?
            .rows_affected();
    // What was to be kept until then is kept from now on as long as anything.
    sqlx::query(
        "UPDATE asset INDEXED BY asset_in_trash SET trashed_at = $1 WHERE trash_state = 'InTrash' AND trashed_at > $1",
    )
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing(doing))?;
    sqlx::query("UPDATE orphaned_blob SET since_at = $1 WHERE since_at > $1")
        .bind(now.timestamp_millis())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?;
    Ok(Shortened { retries, deliveries, clients })
}
