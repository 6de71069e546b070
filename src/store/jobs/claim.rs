//! Handing runs to workers.

use std::collections::{BTreeMap, HashSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fence, finish, lines, outbox};
use crate::model::id::{AccountId, CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::locale::Locale;
use crate::model::log::{LogLine, LogType, Message};
use crate::store::sql::{self, Row};
use crate::store::{Bell, Store, StoreError, Transaction, rows};

/// Free places, in all and of the kinds that have a limit of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreeSlots {
    pub total: usize,
    pub by_kind: BTreeMap<JobKind, usize>,
}

impl FreeSlots {
    fn takes(&self, kind: JobKind) -> bool {
        self.total > 0 && self.by_kind.get(&kind).is_none_or(|free| *free > 0)
    }

    fn take(&mut self, kind: JobKind) {
        self.total -= 1;
        if let Some(free) = self.by_kind.get_mut(&kind) {
            *free -= 1;
        }
    }
}

/// A run that is now ours to carry out.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub fence: Fence,
    pub job: JobId,
    pub company: CompanyId,
    pub run_name: String,
    pub job_name: String,
    pub spec: JobSpec,
    pub responsible: AccountId,
    pub locale: Option<Locale>,
    /// Failed attempts before this one.
    pub failures: i64,
    /// Since when it could have been claimed.
    pub ready_at: DateTime<Utc>,
}

/// Who claims, and for how long.
#[derive(Debug, Clone)]
pub struct Lease {
    pub owner: String,
    pub expires_at: DateTime<Utc>,
}

/// The outcome of one look at the queue.
#[derive(Debug, Default)]
pub struct Claims {
    pub runs: Vec<Claimed>,
    /// When the next waiting run may be claimed that could not be now, because it waits for its retry.
    pub next_retry: Option<DateTime<Utc>>,
}

impl Store {
    /// Claims as many waiting runs as there are free slots: companies in turn, beginning after `last_served`, and within a
    /// company first come, first served.
    pub async fn claim(
        &self,
        free: FreeSlots,
        last_served: CompanyId,
        begin: impl FnOnce() -> (Lease, DateTime<Utc>) + Send + 'static,
    ) -> Result<Claims, StoreError> {
        let bells = |(_, claims): &(_, Claims)| -> &'static [Bell] {
            let wants_mail = |run: &Claimed| run.fence.attempt == 1 && run.spec.email_setting().wants_begin();
            if claims.runs.iter().any(wants_mail) { &[Bell::Outbox] } else { &[] }
        };
        let (now, claims) = self
            .write_and_ring_by(bells, move |tx| {
                let (lease, now) = begin();
                Box::pin(async move { claim(tx, free, last_served, &lease, now).await.map(|claims| (now, claims)) })
            })
            .await?;
        for run in &claims.runs {
            self.stats().attempts_begun.inc();
            self.stats().claim_seconds.observe((now - run.ready_at).as_seconds_f64().max(0.0));
        }
        Ok(claims)
    }
}

async fn claim(
    tx: &mut Transaction,
    mut free: FreeSlots,
    mut last_served: CompanyId,
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Claims, StoreError> {
    let mut runs = Vec::new();
    while free.total > 0 {
        let Picks { runs: picked, more } = pick(tx, &mut free, last_served, now).await?;
        let Some(last) = picked.last() else { break };
        last_served = last.company;
        let ids: Vec<InstanceId> = picked.iter().map(|pick| pick.id).collect();
        runs.extend(take(tx, &ids, lease, now).await?);
        if !more {
            break;
        }
    }
    Ok(Claims { runs, next_retry: next_retry(tx, now).await? })
}

/// No setting has a run wait longer for its next attempt.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(25);

struct Candidate {
    id: InstanceId,
    company: CompanyId,
    kind: JobKind,
    exclusive_key: Option<String>,
}

/// The waiting runs of each company that could start, enough of each to fill all free slots alone. Those that are to be
/// stopped cannot, also if that is still to be done. Those whose key another run has are not looked at: triggers mark them
/// `blocked`, and take the mark from the first of them when the key is freed. So a claim costs nothing for them, however
/// many wait. Those of a kind whose places are taken are not looked at either: each kind with a free place is asked for its
/// own. One that never ran is not kept by its time, nor is one by a time that no retry is given: both were written while the
/// clock was ahead. The indexes are named: by statistics of a time when there was one run, a table as a whole looks as good, and is read
/// once for each run that waits.
async fn candidates(tx: &mut Transaction, free: &FreeSlots, now: DateTime<Utc>) -> Result<Vec<Candidate>, StoreError> {
    let open: Vec<&str> = JobKind::ALL.iter().filter(|kind| free.takes(**kind)).map(|kind| kind.element()).collect();
    let rows = sql::query(
        "WITH RECURSIVE company_waiting(id) AS (
             SELECT min(company_id) FROM instance INDEXED BY instance_ready
             WHERE state = 'WaitingCoordinator' AND blocked = 0
             UNION ALL
             SELECT (SELECT min(company_id) FROM instance INDEXED BY instance_ready
                     WHERE state = 'WaitingCoordinator' AND blocked = 0 AND company_id > company_waiting.id)
             FROM company_waiting WHERE company_waiting.id IS NOT NULL
         )
         SELECT i.id, i.company_id, i.kind, i.exclusive_key
         FROM company_waiting c CROSS JOIN texts($2) k CROSS JOIN instance i INDEXED BY instance_ready
         WHERE i.state = 'WaitingCoordinator' AND i.blocked = 0 AND i.company_id = c.id AND i.kind = k.text AND i.id IN (
             SELECT w.id FROM instance w INDEXED BY instance_ready
             WHERE w.state = 'WaitingCoordinator' AND w.blocked = 0 AND w.company_id = c.id AND w.kind = k.text
               AND (w.not_before_at <= $1 OR w.attempt = 0 OR w.not_before_at > $4)
               AND NOT EXISTS (
                    SELECT 1 FROM stop_order s
                    WHERE s.company_id = w.company_id AND s.job_name = w.job_name
                      AND (s.job_id IS NULL OR s.job_id = w.job_id) AND w.id > s.after_id AND w.id <= s.up_to_id)
               AND (w.exclusive_key IS NULL OR NOT EXISTS (
                    SELECT 1 FROM instance r INDEXED BY instance_by_key
                    WHERE r.state <> 'Done' AND r.blocked = 0
                      AND r.state IN ('Running', 'Stopping') AND r.exclusive_key = w.exclusive_key))
             ORDER BY w.id LIMIT $3)
         ORDER BY i.company_id, i.id",
    )
    .bind(now.timestamp_millis())
    .list(&open)
    .bind(i64::try_from(free.total).unwrap_or(i64::MAX))
    .bind((now + LONGEST_WAIT).timestamp_millis())
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for waiting runs"))?;
    rows.iter()
        .map(|row| {
            Ok(Candidate {
                id: InstanceId(rows::get(row, "id")?),
                company: CompanyId(rows::get(row, "company_id")?),
                kind: kind(row)?,
                exclusive_key: rows::get(row, "exclusive_key")?,
            })
        })
        .collect()
}

fn kind(row: &Row) -> Result<JobKind, StoreError> {
    let element: &str = rows::get(row, "kind")?;
    JobKind::from_element(element).ok_or_else(|| StoreError::corrupt("a job kind", element))
}

struct Picks {
    runs: Vec<Candidate>,
    /// Others may fit that were not among the candidates, because the first of their company were too many.
    more: bool,
}

/// One run of each company in turn until the slots are full or nothing is left that fits.
async fn pick(
    tx: &mut Transaction,
    free: &mut FreeSlots,
    last_served: CompanyId,
    now: DateTime<Utc>,
) -> Result<Picks, StoreError> {
    let most = free.total;
    let mut queues: BTreeMap<(bool, CompanyId), VecDeque<Candidate>> = BTreeMap::new();
    for candidate in candidates(tx, free, now).await? {
        // Companies after the one served last come first.
        queues.entry((candidate.company <= last_served, candidate.company)).or_default().push_back(candidate);
    }
    let cut_short = queues.values().any(|queue| queue.len() >= most);
    let mut held = HashSet::new();
    let mut runs = Vec::new();
    while free.total > 0 {
        let before = runs.len();
        for queue in queues.values_mut() {
            while let Some(candidate) = queue.pop_front() {
                let key_is_free = candidate.exclusive_key.as_ref().is_none_or(|key| !held.contains(key));
                if free.takes(candidate.kind) && key_is_free {
                    free.take(candidate.kind);
                    held.extend(candidate.exclusive_key.clone());
                    runs.push(candidate);
                    break;
                }
            }
        }
        if runs.len() == before {
            break;
        }
    }
    Ok(Picks { more: cut_short && free.total > 0, runs })
}

/// Makes them ours, in the order of `picks`, and writes what a log begins with.
async fn take(
    tx: &mut Transaction,
    picks: &[InstanceId],
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>, StoreError> {
    let taken = sql::query(
        "UPDATE instance
         SET state = 'Running', attempt = attempt + 1, started_at = coalesce(started_at, $2), lease_owner = $3,
             lease_expires_at = $4, items_at_claim = items_done
         WHERE id IN ids($1) AND state = 'WaitingCoordinator'",
    )
    .list(picks)
    .bind(now.timestamp_millis())
    .bind(&lease.owner)
    .bind(lease.expires_at.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("claim runs"))?
    .rows_affected();
    if taken != picks.len() as u64 {
        return Err(StoreError::corrupt("waiting runs", format!("claimed {taken} of {}", picks.len())));
    }
    let rows = sql::query(
        "SELECT i.id, i.attempt, i.failures, i.not_before_at, i.run_name, i.company_id, i.job_id, j.name, j.spec, j.account_id, j.locale,
                j.client, a.email, c.root_path
         FROM ids($1) p JOIN instance i ON i.id = p.id JOIN job j ON j.id = i.job_id
         JOIN account a ON a.id = j.account_id JOIN company c ON c.id = i.company_id
         ORDER BY p.n",
    )
    .list(picks)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("read claimed runs"))?;
    let mut claimed = Vec::with_capacity(rows.len());
    let mut first_lines = Vec::new();
    for row in &rows {
        let run = match read(row) {
            Ok(run) => run,
            Err(error) => {
                // It would never run, and would keep all others from it.
                let id = InstanceId(rows::get(row, "id")?);
                tracing::error!(%id, %error, "a stored run cannot be read; it fails");
                finish::condemn(tx, id, now).await?;
                continue;
            }
        };
        if run.fence.attempt == 1 {
            first_lines.extend(
                head(&run, rows::get(row, "root_path")?, rows::get(row, "client")?)
                    .map(|line| (run.fence.instance, line)),
            );
            if run.spec.email_setting().wants_begin() {
                let email: String = rows::get(row, "email")?;
                outbox::insert(tx, run.fence.instance, outbox::Channel::Mail, outbox::Moment::Begin, &email, now)
                    .await?;
            }
        }
        claimed.push(run);
    }
    lines::insert(tx, first_lines.iter().map(|(id, line)| (*id, line)), now).await?;
    Ok(claimed)
}

fn read(row: &Row) -> Result<Claimed, StoreError> {
    let locale: Option<String> = rows::get(row, "locale")?;
    Ok(Claimed {
        fence: Fence { instance: InstanceId(rows::get(row, "id")?), attempt: rows::get(row, "attempt")? },
        job: JobId(rows::get(row, "job_id")?),
        company: CompanyId(rows::get(row, "company_id")?),
        run_name: rows::get(row, "run_name")?,
        job_name: rows::get(row, "name")?,
        spec: rows::json(row, "spec")?,
        responsible: AccountId(rows::get(row, "account_id")?),
        locale: locale.map(|tag| Locale::parse(&tag)).transpose().map_err(|e| StoreError::corrupt("a locale", e))?,
        ready_at: rows::instant(row, "not_before_at")?,
        failures: rows::get(row, "failures")?,
    })
}

/// The first lines of a log, in the order that clients know: Begin…, OriginalJobName, JobClient.
fn head(run: &Claimed, root_path: &str, client: Option<String>) -> impl Iterator<Item = LogLine> {
    let kind = run.spec.kind();
    let begin = run.spec.begin_message(root_path);
    let original = Message::new("original-job-name").with("name", run.job_name.clone());
    let client = client.map(|client| Message::new("job-client").with("client", client));
    [
        Some(LogLine::new(kind.begin_log(), begin)),
        Some(LogLine::new(LogType::OriginalJobName, original)),
        client.map(|message| LogLine::new(LogType::JobClient, message)),
    ]
    .into_iter()
    .flatten()
}

async fn next_retry(tx: &mut Transaction, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let millis: Option<i64> = sql::scalar(
        "SELECT min(not_before_at) FROM instance
         WHERE state = 'WaitingCoordinator' AND attempt > 0 AND not_before_at > $1",
    )
    .bind(now.timestamp_millis())
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("look for the next retry"))?;
    Ok(millis.and_then(DateTime::from_timestamp_millis))
}
