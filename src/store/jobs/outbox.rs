//! The outbox: what the world outside must hear, committed with the state it speaks of.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::sqlite::SqliteRow;

use crate::model::id::{CompanyId, InstanceId};
use crate::store::numbers::next_number;
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
    pub const fn name(self) -> &'static str {
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
    /// Whose run it is about.
    pub company: CompanyId,
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
    sqlx::query(concat!(
        "INSERT INTO outbox (id, instance_id, company_id, channel, moment, recipient, next_try_at, created_at)
         SELECT ",
        next_number!("outbox"),
        ", id, company_id, $2, $3, $4, $5, $5 FROM instance WHERE id = $1 ON CONFLICT DO NOTHING"
    ))
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

/// Companies with messages in channel $1: one seek each, however many messages there are. The index is named, here and
/// below, because statistics of a time without messages make another look as good.
macro_rules! senders {
    () => {
        "WITH RECURSIVE sender(id) AS (
             SELECT min(company_id) FROM outbox INDEXED BY outbox_due WHERE state = 'Pending' AND channel = $1
             UNION ALL
             SELECT (SELECT min(company_id) FROM outbox INDEXED BY outbox_due
                     WHERE state = 'Pending' AND channel = $1 AND company_id > sender.id)
             FROM sender WHERE sender.id IS NOT NULL
         ) "
    };
}

impl Store {
    /// The first messages of each company in a channel whose time has come, and when the next one is due of those whose
    /// time has not. Those `under_way` are left out.
    pub async fn due_messages(
        &self,
        channel: Channel,
        now: DateTime<Utc>,
        under_way: &[i64],
        most_of_a_company: usize,
    ) -> Result<(Vec<Outgoing>, Option<DateTime<Utc>>), StoreError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query(concat!(
            senders!(),
            "SELECT o.id, o.instance_id, o.company_id, o.channel, o.moment, o.recipient, o.attempts, o.created_at
             FROM sender s CROSS JOIN outbox o WHERE o.id IN (
                 SELECT d.id FROM outbox d INDEXED BY outbox_due
                 WHERE d.state = 'Pending' AND d.channel = $1 AND d.company_id = s.id AND d.next_try_at <= $2
                   AND d.id NOT IN (SELECT value FROM json_each($3))
                 ORDER BY d.next_try_at, d.id LIMIT $4)
             ORDER BY o.next_try_at, o.id",
        ))
        .bind(channel.name())
        .bind(now.timestamp_millis())
        .bind(json!(under_way).to_string())
        .bind(i64::try_from(most_of_a_company).unwrap_or(i64::MAX))
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read the outbox"))?;
        let next: Option<i64> = sqlx::query_scalar(concat!(
            senders!(),
            "SELECT min((SELECT min(next_try_at) FROM outbox INDEXED BY outbox_due
                         WHERE state = 'Pending' AND channel = $1 AND company_id = sender.id AND next_try_at > $2))
             FROM sender",
        ))
        .bind(channel.name())
        .bind(now.timestamp_millis())
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
        company: CompanyId(rows::get(row, "company_id")?),
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
