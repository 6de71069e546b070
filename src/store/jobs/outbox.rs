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
    /// Where it goes: host and port of a URL, domain of an address.
    pub host: String,
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

/// Where a message goes, in small letters.
fn host(channel: Channel, recipient: &str) -> String {
    let place = match channel {
        Channel::Mail => recipient,
        Channel::Url => {
            let rest = recipient.split_once("://").map_or(recipient, |(_, rest)| rest);
            rest.split(['/', '?', '#']).next().unwrap_or(rest)
        }
    };
    place.rsplit_once('@').map_or(place, |(_, host)| host).to_ascii_lowercase()
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
        "INSERT INTO outbox (id, instance_id, company_id, channel, moment, recipient, next_try_at, created_at, host)
         SELECT ",
        next_number!("outbox"),
        ", id, company_id, $2, $3, $4, $5, $5, $6 FROM instance WHERE id = $1 ON CONFLICT DO NOTHING"
    ))
    .bind(instance.0)
    .bind(channel.name())
    .bind(moment.name())
    .bind(recipient)
    .bind(now.timestamp_millis())
    .bind(host(channel, recipient))
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write to the outbox"))
}

/// Companies with messages in channel $1, and the hosts that these go to: one seek each, however many messages there are, and
/// one for all of a company of the list $2. The index is named, here and below, because statistics of a time without
/// messages make another look as good.
macro_rules! senders {
    () => {
        "WITH RECURSIVE sender(company, host) AS (
             SELECT o.company_id, o.host FROM outbox o WHERE o.id = (
                 SELECT n.id FROM outbox n INDEXED BY outbox_due WHERE n.state = 'Pending' AND n.channel = $1
                 ORDER BY n.company_id, n.host LIMIT 1)
             UNION ALL
             SELECT o.company_id, o.host FROM sender s CROSS JOIN outbox o WHERE o.id = (
                 SELECT n.id FROM outbox n INDEXED BY outbox_due WHERE n.state = 'Pending' AND n.channel = $1
                   AND (n.company_id, n.host) > (s.company, CASE WHEN s.company IN (SELECT value FROM json_each($2))
                                                                 THEN char(1114111) ELSE s.host END)
                 ORDER BY n.company_id, n.host LIMIT 1)
         ) "
    };
}

impl Store {
    /// The first message of each company to each host in a channel whose time has come, and when the next one is due of those
    /// whose time has not. Messages `under_way` are left out, and those of companies that are `full`.
    pub async fn due_messages(
        &self,
        channel: Channel,
        now: DateTime<Utc>,
        under_way: &[i64],
        full: &[CompanyId],
    ) -> Result<(Vec<Outgoing>, Option<DateTime<Utc>>), StoreError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query(concat!(
            senders!(),
            "SELECT o.id, o.instance_id, o.company_id, o.channel, o.moment, o.recipient, o.host, o.attempts, o.created_at
             FROM sender s CROSS JOIN outbox o WHERE s.company NOT IN (SELECT value FROM json_each($2)) AND o.id = (
                 SELECT d.id FROM outbox d INDEXED BY outbox_due
                 WHERE d.state = 'Pending' AND d.channel = $1 AND d.company_id = s.company AND d.host = s.host
                   AND d.next_try_at <= $3 AND d.id NOT IN (SELECT value FROM json_each($4))
                 ORDER BY d.next_try_at, d.id LIMIT 1)
             ORDER BY o.next_try_at, o.id",
        ))
        .bind(channel.name())
        .bind(json!(full).to_string())
        .bind(now.timestamp_millis())
        .bind(json!(under_way).to_string())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read the outbox"))?;
        let next: Option<i64> = sqlx::query_scalar(concat!(
            senders!(),
            "SELECT min((SELECT min(n.next_try_at) FROM outbox n INDEXED BY outbox_due
                         WHERE n.state = 'Pending' AND n.channel = $1 AND n.company_id = s.company AND n.host = s.host
                           AND n.next_try_at > $3))
             FROM sender s",
        ))
        .bind(channel.name())
        .bind(json!(full).to_string())
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
        host: rows::get(row, "host")?,
        attempts: rows::get(row, "attempts")?,
        created_at: rows::instant(row, "created_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_to_a_host() {
        for (channel, recipient, expected) in [
            (Channel::Mail, "Ann@Example.COM", "example.com"),
            (Channel::Url, "https://Hooks.Example.com:8443/a/b?c@d", "hooks.example.com:8443"),
            (Channel::Url, "http://user:word@example.com?x=/y", "example.com"),
            (Channel::Url, "http://example.com", "example.com"),
            (Channel::Url, "nothing of the kind", "nothing of the kind"),
        ] {
            assert_eq!(host(channel, recipient), expected, "{recipient}");
        }
    }
}
