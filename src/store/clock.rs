//! What was written while the clock was ahead, and how far the clock is known to have come.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Bell, Reads, Store, StoreError, Transaction, rows};
use crate::store::sql::{self, Connection};

/// The keys in `system`: what the clock showed when it was last looked at, the latest that anything was decided by, that it has been set
/// back and what it had done is not yet set right, and up to when it is doubted since it showed what.
const SEEN: &str = "clock_seen";
const DECIDED_BY: &str = "clock_decided_by";
const SET_BACK: &str = "clock_set_back";
const DOUBT: &str = "clock_doubt";

/// A clock that shows so much more than when it was last looked at, which is every hour, may be wrong. Machines are switched off for
/// weekends and holidays.
const JUMP: TimeDelta = TimeDelta::days(30);

/// A clock that is set right by less, as they are all day, is no matter.
pub const A_LITTLE: TimeDelta = TimeDelta::minutes(10);

/// How long it is doubted then.
const DOUBTED: TimeDelta = TimeDelta::days(1);

/// While it is doubted, one that shows so much more than when it was last looked at has jumped again.
const JUMP_IN_DOUBT: TimeDelta = TimeDelta::hours(3);

/// Jobs that are named of those that ran before their time.
const TOLD: i64 = 50;

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
    /// What it showed when it was set back, if what it had done before its time is not yet set right.
    pub set_back: Option<DateTime<Utc>>,
    /// It has jumped since.
    pub doubt: Option<Doubt>,
}

/// A job that ran for a time that is to come.
#[derive(Debug, Clone)]
pub struct Early {
    pub name: String,
    pub due_at: DateTime<Utc>,
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

impl Reads {
    /// The latest instant that something was decided by since the clock was looked at.
    pub async fn decided_by(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(noted(&mut *self.reader().await?, DECIDED_BY).await?.as_deref().and_then(instant))
    }

    /// How many instants after `since`, alone and in ranges, a clock that was ahead of `now` has left out. What another zone has left out is
    /// told ahead of its time by any clock.
    pub async fn left_out_ahead(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        sql::scalar(
            "SELECT (SELECT count(*) FROM slot INDEXED BY slot_by_due
                     WHERE due_at > $1 AND decided_at > $2 AND disposition NOT IN ('fired', 'late')
                       AND reason IS DISTINCT FROM 'slot-skipped-zone')
                  + (SELECT count(*) FROM slot_range INDEXED BY slot_range_by_end
                     WHERE last_at > $1 AND decided_at > $2 AND reason <> 'slot-skipped-zone')",
        )
        .bind(since.timestamp_millis())
        .bind(now.timestamp_millis())
        .fetch_one(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for what was decided of times to come"))
    }

    /// Whether the clock is to be doubted: then nothing may go for being old. None also where no daemon has looked at it yet.
    pub async fn clock_doubt(&self, now: DateTime<Utc>) -> Result<Option<Doubt>, StoreError> {
        let (seen, doubt) = seen_and_doubted(&mut *self.reader().await?).await?;
        // It may have jumped a moment ago.
        if let Some(doubt) = newly_doubted(seen, doubt, now) {
            return Ok(Some(doubt));
        }
        // When it has been set right, the doubt was right, and is over.
        Ok(doubt.filter(|doubt| now < doubt.until && now - doubt.seen > JUMP))
    }

    /// Some jobs that ran for times after `from`, as the clock was ahead, the earliest first.
    pub async fn ran_early(&self, from: DateTime<Utc>) -> Result<Vec<Early>, StoreError> {
        sql::query(
            "SELECT j.name, s.due_at FROM slot s INDEXED BY slot_by_due CROSS JOIN job j
             WHERE s.due_at > $1 AND j.id = s.job_id AND j.deleted_at IS NULL
               AND s.disposition IN ('fired', 'late') ORDER BY s.due_at LIMIT $2",
        )
        .bind(from.timestamp_millis())
        .bind(TOLD)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for slots of times to come"))?
        .iter()
        .map(|row| Ok(Early { name: rows::get(row, "name")?, due_at: rows::instant(row, "due_at")? }))
        .collect()
    }
}

impl Store {
    /// Notes the instant by which something is about to be decided, so that it is known of a clock that was ahead for a moment only.
    pub async fn decide_by(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| Box::pin(async move { decide_by(tx, now).await })).await
    }

    /// Notes what the clock shows, and that it was set back: until [`Store::clock_is_right`]. What it has `shown` before may be newer than
    /// what was noted last.
    pub async fn see_clock(&self, now: DateTime<Utc>, shown: Option<DateTime<Utc>>) -> Result<Look, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                // What it showed after a jump, which could not be noted, is nothing to trust a jump by.
                let (known, before) = seen_and_doubted(tx).await?;
                let doubt = newly_doubted(known, before, now).or_else(|| shortened(before?, now));
                let decided_by = noted(tx, DECIDED_BY).await?.as_deref().and_then(instant);
                let shown = known.max(shown).max(decided_by);
                note_instant(tx, SEEN, now).await?;
                note_instant(tx, DECIDED_BY, now).await?;
                // Also where it was set back in part: it may be ahead still, and for longer.
                let is_right = |doubt: &Doubt| now - doubt.seen <= JUMP;
                if doubt.is_none() && before.as_ref().is_some_and(is_right) {
                    forget(tx, DOUBT).await?;
                }
                if let Some(doubt) = &doubt {
                    let text = format!("{} {}", doubt.seen.timestamp_millis(), doubt.until.timestamp_millis());
                    note(tx, DOUBT, &text).await?;
                }
                let set_back = match shown.filter(|shown| now + A_LITTLE < *shown) {
                    Some(shown) => {
                        note_instant(tx, SET_BACK, shown).await?;
                        Some(shown)
                    }
                    None => noted(tx, SET_BACK).await?.as_deref().and_then(instant),
                };
                Ok(Look { set_back, doubt })
            })
        })
        .await
    }

    /// All that a clock which was ahead had done is set right.
    pub async fn clock_is_right(&self) -> Result<(), StoreError> {
        self.write(|tx| Box::pin(async move { forget(tx, SET_BACK).await })).await
    }

    /// Jobs that wait for companies that are open fire: their companies had expired by a clock that was ahead. Their names.
    pub async fn release_held(&self, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                sql::scalar(
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

async fn noted(connection: &mut Connection, key: &str) -> Result<Option<String>, StoreError> {
    sql::scalar("SELECT value FROM system WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read what the clock showed"))
}

/// In one statement: between two of them, somebody may note that it has jumped, and it would look as if it had not.
async fn seen_and_doubted(connection: &mut Connection) -> Result<(Option<DateTime<Utc>>, Option<Doubt>), StoreError> {
    let noted: Vec<(String, String)> = sql::tuple("SELECT key, value FROM system WHERE key IN ($1, $2)")
        .bind(SEEN)
        .bind(DOUBT)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read what the clock showed"))?;
    let value = |key: &str| noted.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    let doubt = value(DOUBT).and_then(|text| {
        let (seen, until) = text.split_once(' ')?;
        Some(Doubt { seen: instant(seen)?, until: instant(until)? })
    });
    Ok((value(SEEN).and_then(instant), doubt))
}

/// The clock showed what was `known` when it was last looked at: has it jumped since? While it is doubted, less is enough, for else
/// a second jump would end the doubt: what lies between, in which nobody looked, does not count for it.
fn newly_doubted(known: Option<DateTime<Utc>>, doubt: Option<Doubt>, now: DateTime<Utc>) -> Option<Doubt> {
    let known = known?;
    let until = now + DOUBTED;
    if let Some(doubt) = doubt.filter(|doubt| known < doubt.until && known - doubt.seen > JUMP) {
        // Unless it is a jump in its own right.
        let until = if now - known > JUMP { until } else { until.min(doubt.until + (now - known)) };
        return (now - known > JUMP_IN_DOUBT).then_some(Doubt { seen: doubt.seen, until });
    }
    (now - known > JUMP).then_some(Doubt { seen: known, until })
}

/// As exactly as it matters, so that it costs next to nothing where it is known.
pub(in crate::store) async fn decide_by(tx: &mut Transaction, now: DateTime<Utc>) -> Result<(), StoreError> {
    let before = noted(tx, DECIDED_BY).await?.as_deref().and_then(instant);
    if before.is_some_and(|before| now < before + A_LITTLE) {
        return Ok(());
    }
    note_instant(tx, DECIDED_BY, now).await
}

async fn forget(tx: &mut Transaction, key: &str) -> Result<(), StoreError> {
    sql::query("DELETE FROM system WHERE key = $1")
        .bind(key)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("forget what the clock showed"))
}

/// Of one that was set back in part: whatever it showed when it jumped, it is believed after a day.
fn shortened(doubt: Doubt, now: DateTime<Utc>) -> Option<Doubt> {
    let until = now + DOUBTED;
    (now - doubt.seen > JUMP && doubt.until > until).then_some(Doubt { seen: doubt.seen, until })
}

async fn note_instant(tx: &mut Transaction, key: &str, instant: DateTime<Utc>) -> Result<(), StoreError> {
    note(tx, key, &instant.timestamp_millis().to_string()).await
}

async fn note(tx: &mut Transaction, key: &str, value: &str) -> Result<(), StoreError> {
    sql::query("INSERT INTO system (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note what the clock shows"))
}

async fn shorten_waits(tx: &mut Transaction, waits: &Waits, now: DateTime<Utc>) -> Result<Shortened, StoreError> {
    let millis = |waits: &[TimeDelta]| waits.iter().map(TimeDelta::num_milliseconds).collect::<Vec<_>>();
    let most = |waits: &[TimeDelta]| i64::try_from(waits.len()).unwrap_or(i64::MAX) - 1;
    let doing = "shorten what waits";
    let retries = sql::query(
        "UPDATE instance INDEXED BY instance_retry
         SET not_before_at = $1 + (SELECT w.id FROM ids($2) w WHERE w.n = least(instance.failures, $3))
         WHERE state = 'WaitingCoordinator' AND attempt > 0 AND not_before_at > $1
           AND not_before_at > $1 + (SELECT w.id FROM ids($2) w WHERE w.n = least(instance.failures, $3))",
    )
    .bind(now.timestamp_millis())
    .list(&millis(&waits.retry))
    .bind(most(&waits.retry))
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing(doing))?
    .rows_affected();
    let mut deliveries = 0;
    for channel in ["mail", "url"] {
        deliveries += sql::query(
            "UPDATE outbox INDEXED BY outbox_waiting
             SET next_try_at = $1 + (SELECT w.id FROM ids($2) w WHERE w.n = least(outbox.attempts, $3))
             WHERE state = 'Pending' AND ready = 0 AND channel = $4 AND next_try_at > $1
               AND next_try_at > $1 + (SELECT w.id FROM ids($2) w WHERE w.n = least(outbox.attempts, $3))",
        )
        .bind(now.timestamp_millis())
        .list(&millis(&waits.delivery))
        .bind(most(&waits.delivery))
        .bind(channel)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?
        .rows_affected();
    }
    let clients =
        sql::query("UPDATE instance SET not_before_at = $1 WHERE state = 'WaitingClient' AND not_before_at > $1")
            .bind((now + waits.client).timestamp_millis())
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing(doing))?
            .rows_affected();
    Ok(Shortened { retries, deliveries, clients })
}
