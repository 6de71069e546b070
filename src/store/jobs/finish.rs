//! The end of a run: state, log, mail and follow-up in one transaction.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;

use super::outbox::{Channel, Moment};
use super::submit::{self, NewJob, NewRun};
use super::{Fence, lines, outbox};
use crate::model::id::{AccountId, CompanyId, InstanceId};
use crate::model::job::JobSpec;
use crate::model::locale::Locale;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::{Counters, Outcome};
use crate::model::state::State;
use crate::model::trigger::Trigger;
use crate::store::{StoreError, Transaction, rows};

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    pub outcome: Outcome,
    /// Why the run failed as a whole.
    pub reason: Option<Message>,
}

/// What the row must be for the end to count.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guard {
    /// The attempt that ends it still holds its lease.
    Fence(Fence),
    /// It waits, and nobody holds it.
    Waiting(InstanceId, State),
}

/// Ends a run. False when the guard does not hold: then nothing was written.
pub(super) async fn finish(
    tx: &mut Transaction,
    guard: Guard,
    ending: &Ending,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<bool, StoreError> {
    let Some(instance) = close(tx, guard, ending, now).await? else { return Ok(false) };
    let run = ended(tx, instance).await?;
    lines::insert(tx, last_lines(&run, ending).iter().map(|line| (instance, line)), now).await?;
    if run.spec.email_setting().wants_end(ending.outcome, &run.counters) {
        outbox::insert(tx, instance, Channel::Mail, Moment::End, &run.email, now).await?;
    }
    if let Some(url) = run.spec.completion_url() {
        outbox::insert(tx, instance, Channel::Url, Moment::End, url, now).await?;
    }
    if ending.outcome == Outcome::Succeeded {
        follow_up(tx, instance, &run, now, zone).await?;
    }
    Ok(true)
}

/// Fails a run that cannot be read, so that nothing is known of it but its number.
pub(super) async fn condemn(tx: &mut Transaction, instance: InstanceId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let reason = Message::new("reason-internal");
    sqlx::query(
        "UPDATE instance SET state = 'Done', outcome = 'Failed', finished_at = $2, fatal_error = $3, lease_owner = NULL,
                             lease_expires_at = NULL
         WHERE id = $1 AND state = 'Running'",
    )
    .bind(instance.0)
    .bind(now.timestamp_millis())
    .bind(serde_json::to_string(&reason).map_err(|e| StoreError::corrupt("a fatal error", e))?)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("fail a run"))?;
    lines::insert(tx, std::iter::once((instance, &LogLine::new(LogType::FatalError, reason))), now).await
}

async fn close(
    tx: &mut Transaction,
    guard: Guard,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<Option<InstanceId>, StoreError> {
    // A stop by hand is no error of the job.
    let fatal = match ending.outcome {
        Outcome::Failed => ending.reason.as_ref().map(serde_json::to_string).transpose(),
        Outcome::Succeeded | Outcome::Stopped => Ok(None),
    }
    .map_err(|e| StoreError::corrupt("a fatal error", e))?;
    let (instance, attempt, state) = match guard {
        Guard::Fence(fence) => (fence.instance, Some(fence.attempt), None),
        Guard::Waiting(instance, state) => (instance, None, Some(state.as_str())),
    };
    let changed = sqlx::query(
        "UPDATE instance
         SET state = 'Done', outcome = $4, finished_at = $5, fatal_error = $6, lease_owner = NULL, lease_expires_at = NULL,
             failures = failures + CASE $4 WHEN 'Failed' THEN 1 ELSE 0 END,
             progress_items = '[]', file_count = success_count + update_count + duplicate_count + error_count
         WHERE id = $1 AND ((attempt = $2 AND state IN ('Running', 'Stopping')) OR state = $3)",
    )
    .bind(instance.0)
    .bind(attempt)
    .bind(state)
    .bind(ending.outcome.as_str())
    .bind(now.timestamp_millis())
    .bind(fatal)
    .execute(tx)
    .await
    .map_err(StoreError::doing("end a run"))?
    .rows_affected();
    Ok((changed == 1).then_some(instance))
}

/// What the end of a run needs to know of its job.
struct Ended {
    company: CompanyId,
    job_name: String,
    spec: JobSpec,
    responsible: AccountId,
    submitter: AccountId,
    locale: Option<Locale>,
    client: Option<String>,
    email: String,
    counters: Counters,
    items_done: i64,
    items_total: i64,
    stopped_by: Option<String>,
}

impl Ended {
    fn stopped_message(&self) -> Message {
        Message::new("job-stopped")
            .with("user", self.stopped_by.as_deref().unwrap_or("an administrator"))
            .with("done", self.items_done)
            .with("total", self.items_total)
    }
}

async fn ended(tx: &mut Transaction, instance: InstanceId) -> Result<Ended, StoreError> {
    let row = sqlx::query(
        "SELECT i.company_id, j.name, j.spec, j.account_id, j.submitter_id, j.locale, j.client, a.email, i.success_count,
                i.error_count, i.warning_count, i.duplicate_count, i.update_count, i.transfer_success_count,
                i.transfer_error_count, i.transfer_warning_count, i.items_done, i.items_total,
                (SELECT s.email FROM account s WHERE s.id = i.stop_asked_by) AS stopped_by
         FROM instance i JOIN job j ON j.id = i.job_id JOIN account a ON a.id = j.account_id
         WHERE i.id = $1",
    )
    .bind(instance.0)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("read a run that ends"))?;
    let locale: Option<String> = rows::get(&row, "locale")?;
    Ok(Ended {
        company: CompanyId(rows::get(&row, "company_id")?),
        job_name: rows::get(&row, "name")?,
        spec: rows::json(&row, "spec")?,
        responsible: AccountId(rows::get(&row, "account_id")?),
        submitter: AccountId(rows::get(&row, "submitter_id")?),
        locale: locale.map(|tag| Locale::parse(&tag)).transpose().map_err(|e| StoreError::corrupt("a locale", e))?,
        client: rows::get(&row, "client")?,
        email: rows::get(&row, "email")?,
        counters: counters(&row)?,
        items_done: rows::get(&row, "items_done")?,
        items_total: rows::get(&row, "items_total")?,
        stopped_by: rows::get(&row, "stopped_by")?,
    })
}

pub(super) fn counters(row: &SqliteRow) -> Result<Counters, StoreError> {
    Ok(Counters {
        success: rows::get(row, "success_count")?,
        error: rows::get(row, "error_count")?,
        warning: rows::get(row, "warning_count")?,
        duplicate: rows::get(row, "duplicate_count")?,
        update: rows::get(row, "update_count")?,
        transfer_success: rows::get(row, "transfer_success_count")?,
        transfer_error: rows::get(row, "transfer_error_count")?,
        transfer_warning: rows::get(row, "transfer_warning_count")?,
    })
}

fn last_lines(run: &Ended, ending: &Ending) -> Vec<LogLine> {
    let mut lines = Vec::new();
    match ending.outcome {
        Outcome::Failed => lines.extend(ending.reason.clone().map(|reason| LogLine::new(LogType::FatalError, reason))),
        Outcome::Stopped => lines.push(LogLine::new(LogType::JobInfo, run.stopped_message())),
        Outcome::Succeeded => {}
    }
    let total = run.counters.processed() + run.counters.duplicate + run.counters.error;
    lines.push(LogLine::new(LogType::TotalFileCount, Message::new("total-file-count").with("count", total)));
    let kind = run.spec.kind();
    lines.push(LogLine::new(kind.end_log(), kind.end_message(&run.counters)));
    lines
}

/// Queues the publish job that the upload asked for, unless it asked for it only if files came in and none did.
async fn follow_up(
    tx: &mut Transaction,
    instance: InstanceId,
    run: &Ended,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<(), StoreError> {
    let Some(spec) = run.spec.follow_up() else { return Ok(()) };
    let only_if_files = run.spec.processing().and_then(|options| options.post_job_only_if_files).unwrap_or(false);
    let name = follow_up_name(&run.job_name);
    let kind = spec.kind().type_name();
    let message = if only_if_files && run.counters.processed() == 0 {
        Message::new("follow-up-no-files").with("kind", kind)
    } else {
        let job = NewJob {
            company: run.company,
            name: name.clone(),
            responsible: run.responsible,
            submitter: run.submitter,
            locale: run.locale.clone(),
            description: None,
            client: run.client.clone(),
            created_at: now,
            trigger: Trigger::AtOnce,
            next_fire_at: None,
            run: Some(NewRun { due_at: now, exclusive_key: spec.exclusive_key(run.company) }),
            parent: Some(instance),
            spec,
        };
        match submit::insert(tx, &[job], zone).await?.into_iter().next() {
            Some(Ok(_)) => Message::new("follow-up-submitted").with("name", name).with("kind", kind),
            Some(Err(error)) => return Err(StoreError::corrupt("a follow-up job", error)),
            None => return Err(StoreError::corrupt("a follow-up job", "was not written")),
        }
    };
    lines::insert(tx, std::iter::once((instance, &LogLine::new(LogType::JobInfo, message))), now).await
}

/// `Pub_` and the upload job's name (manual), cut so that it stays a job name.
fn follow_up_name(job_name: &str) -> String {
    format!("Pub_{job_name}").chars().take(crate::model::name::LONGEST_JOB_NAME).collect()
}
