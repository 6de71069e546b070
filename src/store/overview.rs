//! The whole at a glance: what waits, what runs, what is to be told, and whether the database answers.

use chrono::{DateTime, Utc};

use crate::model::state::State;
use crate::store::sql;
use crate::store::{Reads, Store, StoreError, rows};

/// Counts of everything that is not done.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    pub runs: Vec<OpenRuns>,
    /// Since when the run waits that could have started first.
    pub waiting_since: Option<DateTime<Utc>>,
    pub scheduled: Vec<(String, i64)>,
    pub messages: Vec<(String, i64)>,
    pub messages_since: Option<DateTime<Utc>>,
    pub companies: i64,
    pub accounts: i64,
}

/// Runs of a kind in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRuns {
    /// The job element.
    pub kind: String,
    pub state: State,
    pub count: i64,
}

impl Reads {
    /// Reads only what is open, so that its cost does not grow with the history: by indexes of what is open, which are named,
    /// because statistics of a time when nothing was make others look as good.
    pub async fn overview(&self, now: DateTime<Utc>) -> Result<Overview, StoreError> {
        let mut reader = self.reader().await?;
        let runs = sql::query(
            "SELECT kind, state, count(*) AS number FROM instance INDEXED BY instance_active WHERE state <> 'Done'
             GROUP BY kind, state",
        )
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("count runs"))?;
        let scheduled = sql::tuple(
            "SELECT trigger_state, count(*) FROM job INDEXED BY job_scheduled_name
             WHERE trigger_kind <> 'at_once' AND trigger_state <> 'Complete' AND deleted_at IS NULL
             GROUP BY trigger_state",
        )
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("count scheduled jobs"))?;
        let messages = sql::tuple(
            "SELECT channel, count(*) FROM outbox INDEXED BY outbox_pending WHERE state = 'Pending' GROUP BY channel",
        )
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("count messages"))?;
        let facts = sql::query(
            "SELECT (SELECT min(not_before_at) FROM instance INDEXED BY instance_waiting
                     WHERE state = 'WaitingCoordinator' AND not_before_at <= $1) AS waiting_since,
                    (SELECT min((SELECT min(o.created_at) FROM outbox o INDEXED BY outbox_pending
                                 WHERE o.state = 'Pending' AND o.channel = c.channel))
                     FROM (SELECT 'mail' AS channel UNION ALL SELECT 'url') c) AS messages_since,
                    (SELECT count(*) FROM company WHERE id <> 0) AS companies,
                    (SELECT count(*) FROM account) AS accounts",
        )
        .bind(now.timestamp_millis())
        .fetch_one(&mut reader)
        .await
        .map_err(StoreError::doing("look at the queue"))?;
        Ok(Overview {
            runs: runs
                .iter()
                .map(|row| {
                    Ok(OpenRuns {
                        kind: rows::get(row, "kind")?,
                        state: rows::constant(row, "state")?,
                        count: rows::get(row, "number")?,
                    })
                })
                .collect::<Result<_, StoreError>>()?,
            waiting_since: rows::optional_instant(&facts, "waiting_since")?,
            scheduled,
            messages,
            messages_since: rows::optional_instant(&facts, "messages_since")?,
            companies: rows::get(&facts, "companies")?,
            accounts: rows::get(&facts, "accounts")?,
        })
    }
}

impl Store {
    /// Whether the database can be written: what is written is when that was last so.
    pub async fn prove_writable(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(
                    "INSERT INTO system (key, value) VALUES ('writable_at', $1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )
                .bind(now.timestamp_millis().to_string())
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(StoreError::doing("be written"))
            })
        })
        .await
    }

    /// Whether the database answers, and its writer lives, though there may be no room for it to write.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.write(|_| Box::pin(async { Ok::<(), StoreError>(()) })).await?;
        let mut reader = self.pulse().await?;
        let _: i64 = sql::scalar("SELECT count(*) FROM system")
            .fetch_one(&mut reader)
            .await
            .map_err(StoreError::doing("answer"))?;
        Ok(())
    }
}
