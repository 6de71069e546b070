//! The outbox: what the world outside must hear, committed with the state it speaks of.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;

use crate::model::id::InstanceId;
use crate::store::{Store, StoreError, Transaction, rows};

/// How it goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Mail,
    Url,
}

/// What it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Begin,
    End,
}

impl Channel {
    const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Url => "url",
        }
    }
}

impl Moment {
    const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::End => "end",
        }
    }
}

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub id: i64,
    pub instance: InstanceId,
    pub channel: Channel,
    pub moment: Moment,
    pub recipient: String,
    pub attempts: i64,
    pub created_at: DateTime<Utc>,
}

/// What became of a try to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Delivered,
    Retry { at: DateTime<Utc>, error: String },
    GivenUp { error: String },
}

/// Adds a message. One of the same kind for the same run is added once, however often its transaction is repeated.
pub(in crate::store) async fn insert(
    tx: &mut Transaction,
    instance: InstanceId,
    channel: Channel,
    moment: Moment,
    recipient: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO outbox (instance_id, channel, moment, recipient, next_try_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
    )
    .bind(instance.0)
    .bind(channel.name())
    .bind(moment.name())
    .bind(recipient)
    .bind(now.timestamp_millis())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write to the outbox"))
}

impl Store {
    /// Messages of a channel whose time has come, oldest first, and when the next one is due if there are none.
    pub async fn due_messages(
        &self,
        channel: Channel,
        now: DateTime<Utc>,
        most: u32,
    ) -> Result<(Vec<Outgoing>, Option<DateTime<Utc>>), StoreError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT id, instance_id, channel, moment, recipient, attempts, created_at FROM outbox
             WHERE state = 'Pending' AND channel = $3 AND next_try_at <= $1 ORDER BY next_try_at, id LIMIT $2",
        )
        .bind(now.timestamp_millis())
        .bind(most)
        .bind(channel.name())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read the outbox"))?;
        let next: Option<i64> =
            sqlx::query_scalar("SELECT min(next_try_at) FROM outbox WHERE state = 'Pending' AND channel = $1")
                .bind(channel.name())
                .fetch_one(&mut *reader)
                .await
                .map_err(StoreError::doing("read the outbox"))?;
        let due = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok((due, next.and_then(DateTime::from_timestamp_millis)))
    }

    /// Writes down what became of a try. A message that is no longer pending stays as it is.
    pub async fn settle_message(&self, id: i64, delivery: Delivery, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let (state, next, error, finished) = match delivery {
                    Delivery::Delivered => ("Delivered", now, None, Some(now)),
                    Delivery::Retry { at, error } => ("Pending", at, Some(error), None),
                    Delivery::GivenUp { error } => ("GivenUp", now, Some(error), Some(now)),
                };
                sqlx::query(
                    "UPDATE outbox SET state = $2, attempts = attempts + 1, next_try_at = $3, last_error = $4,
                                       finished_at = $5
                     WHERE id = $1 AND state = 'Pending'",
                )
                .bind(id)
                .bind(state)
                .bind(next.timestamp_millis())
                .bind(error)
                .bind(finished.map(|at| at.timestamp_millis()))
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(StoreError::doing("write to the outbox"))
            })
        })
        .await
    }
}

fn read(row: &SqliteRow) -> Result<Outgoing, StoreError> {
    Ok(Outgoing {
        id: rows::get(row, "id")?,
        instance: InstanceId(rows::get(row, "instance_id")?),
        channel: match rows::get::<&str>(row, "channel")? {
            "mail" => Channel::Mail,
            "url" => Channel::Url,
            other => return Err(StoreError::corrupt("an outbox channel", other)),
        },
        moment: match rows::get::<&str>(row, "moment")? {
            "begin" => Moment::Begin,
            "end" => Moment::End,
            other => return Err(StoreError::corrupt("an outbox moment", other)),
        },
        recipient: rows::get(row, "recipient")?,
        attempts: rows::get(row, "attempts")?,
        created_at: rows::instant(row, "created_at")?,
    })
}
