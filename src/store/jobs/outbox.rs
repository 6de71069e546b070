//! The outbox: what the world outside must hear, committed with the state it speaks of.

use chrono::{DateTime, Utc};

use crate::model::id::{CompanyId, InstanceId};
use crate::store::numbers::next_number;
use crate::store::sql::{self, Row};
use crate::store::{Reads, Store, StoreError, Transaction, rows};

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
    sql::query(concat!(
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

/// Messages that come to be ready in one transaction, and those of the same instant as the last of them.
const AT_ONCE: i64 = 500;

/// A company's part in a look at the outbox.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    pub company: CompanyId,
    /// The host that was served last, if it is known: those behind it come first.
    pub after: Option<&'a str>,
    /// Hosts that are passed over.
    pub full: &'a [String],
    pub under_way: &'a [i64],
    /// Most hosts that are looked at, beside those that are passed over.
    pub hosts: usize,
}

impl Reads {
    /// The next company with messages in a channel that are ready: one seek, however many there are.
    pub async fn next_sender(
        &self,
        channel: Channel,
        after: Option<CompanyId>,
    ) -> Result<Option<CompanyId>, StoreError> {
        sql::scalar(
            "SELECT company_id FROM outbox INDEXED BY outbox_ready
             WHERE state = 'Pending' AND ready = 1 AND channel = $1 AND company_id > $2 ORDER BY company_id LIMIT 1",
        )
        .bind(channel.name())
        .bind(after.map_or(-1, |company| company.0))
        .fetch_optional(&mut *self.reader().await?)
        .await
        .map(|company| company.map(CompanyId))
        .map_err(StoreError::doing("read the outbox"))
    }

    /// The first message of a company to each of some of its hosts that is ready and not under way, hosts in turn.
    pub async fn messages_in_turn(&self, channel: Channel, share: Share<'_>) -> Result<Vec<Outgoing>, StoreError> {
        // The least text behind that of the host.
        let begin = share.after.map_or_else(String::new, |host| format!("{host}\0"));
        let mut messages = self.messages_of(channel, share, &begin, None).await?;
        if !begin.is_empty() && messages.len() < share.hosts {
            messages.extend(self.messages_of(channel, share, "", Some(&begin)).await?);
        }
        Ok(messages)
    }

    /// Those to hosts from `begin` on and before `end`. Each host is one seek, however many messages it has. The index is named,
    /// here and above, because statistics of a time without messages make another look as good.
    async fn messages_of(
        &self,
        channel: Channel,
        share: Share<'_>,
        begin: &str,
        end: Option<&str>,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let rows = sql::query(
            "WITH RECURSIVE turn (host, number, looked_at) AS (
                 SELECT (SELECT n.host FROM outbox n INDEXED BY outbox_ready
                         WHERE n.state = 'Pending' AND n.ready = 1 AND n.channel = $1 AND n.company_id = $2 AND n.host >= $3
                         ORDER BY n.host LIMIT 1), 0, 0
                 UNION ALL
                 SELECT (SELECT n.host FROM outbox n INDEXED BY outbox_ready
                         WHERE n.state = 'Pending' AND n.ready = 1 AND n.channel = $1 AND n.company_id = $2
                           AND n.host > t.host
                         ORDER BY n.host LIMIT 1),
                        t.number + 1,
                        t.looked_at + CASE WHEN t.host IN texts($5) THEN 0 ELSE 1 END
                 FROM turn t WHERE t.host IS NOT NULL AND (CAST($4 AS text) IS NULL OR t.host < $4) AND t.looked_at < $7
             )
             SELECT o.id, o.instance_id, o.company_id, o.channel, o.moment, o.recipient, o.host, o.attempts, o.created_at
             FROM turn t CROSS JOIN outbox o
             WHERE (CAST($4 AS text) IS NULL OR t.host < $4) AND t.looked_at < $7 AND t.host NOT IN texts($5)
               AND o.id = (
                 SELECT d.id FROM outbox d INDEXED BY outbox_ready
                 WHERE d.state = 'Pending' AND d.ready = 1 AND d.channel = $1 AND d.company_id = $2 AND d.host = t.host
                   AND d.id NOT IN ids($6)
                 ORDER BY d.next_try_at, d.id LIMIT 1)
             ORDER BY t.number",
        )
        .bind(channel.name())
        .bind(share.company.0)
        .bind(begin)
        .bind(end)
        .list(share.full)
        .list(share.under_way)
        .bind(i64::try_from(share.hosts).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read the outbox"))?;
        rows.iter().map(read).collect()
    }
}

impl Store {
    /// Makes those messages of a channel ready whose time has come. When that of the next one comes.
    pub async fn ready_messages(
        &self,
        channel: Channel,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        loop {
            let next: Option<i64> = sql::scalar(
                "SELECT next_try_at FROM outbox INDEXED BY outbox_waiting
                 WHERE state = 'Pending' AND ready = 0 AND channel = $1 ORDER BY next_try_at LIMIT 1",
            )
            .bind(channel.name())
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read the outbox"))?;
            match next {
                Some(at) if at <= now.timestamp_millis() => {
                    self.write(move |tx| Box::pin(ready(tx, channel, now))).await?
                }
                next => return Ok(next.and_then(DateTime::from_timestamp_millis)),
            }
        }
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
                sql::query(
                    "UPDATE outbox SET state = $2, ready = 0, attempts = attempts + 1, next_try_at = $3, last_error = $4,
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

async fn ready(tx: &mut Transaction, channel: Channel, now: DateTime<Utc>) -> Result<(), StoreError> {
    sql::query(
        "UPDATE outbox INDEXED BY outbox_waiting SET ready = 1
         WHERE state = 'Pending' AND ready = 0 AND channel = $1 AND next_try_at <= least($2, coalesce(
                   (SELECT next_try_at FROM outbox INDEXED BY outbox_waiting
                    WHERE state = 'Pending' AND ready = 0 AND channel = $1 ORDER BY next_try_at LIMIT 1 OFFSET $3), $2))",
    )
    .bind(channel.name())
    .bind(now.timestamp_millis())
    .bind(AT_ONCE)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("look for messages whose time has come"))
}

fn read(row: &Row) -> Result<Outgoing, StoreError> {
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
