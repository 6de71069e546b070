//! The end of a run: state, log, mail and follow-up in one transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

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
use crate::store::bulk::{Bulk, Results};
use crate::store::sql::{self, Row};
use crate::store::{Bell, Store, StoreError, Transaction, rows};

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    pub outcome: Outcome,
    /// Why the run failed as a whole.
    pub reason: Option<Message>,
}

/// What the row must be for the end to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) enum Guard {
    /// The attempt that ends it still holds its lease.
    Fence(Fence),
    /// It waits, and nobody holds it.
    Waiting(InstanceId, State),
}

impl Guard {
    const fn instance(self) -> InstanceId {
        match self {
            Self::Fence(fence) => fence.instance,
            Self::Waiting(instance, _) => instance,
        }
    }
}

/// A run that is to end.
#[derive(Debug, Clone)]
pub(in crate::store) struct Finish {
    pub guard: Guard,
    pub ending: Ending,
    pub now: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct Finished {
    /// False when the guard did not hold: then nothing was written.
    pub done: bool,
    /// The outbox has something to say about it.
    pub told: bool,
    /// A run of a follow-up job waits.
    pub follow_up: bool,
}

/// Ends a run. False when the guard does not hold.
pub(super) async fn finish(
    tx: &mut Transaction,
    guard: Guard,
    ending: Ending,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<bool, StoreError> {
    let finished = finish_all(tx, &[Finish { guard, ending, now }], zone).await?;
    Ok(finished.iter().all(|finished| finished.done))
}

/// Ends many runs in bulk statements, and says what came of each.
impl Store {
    /// Ends a run, together with whatever others end.
    pub(in crate::store) async fn finish(&self, finish: Finish) -> Result<Finished, StoreError> {
        self.bulk(finish).await
    }
}

impl Bulk for Finish {
    type Done = Finished;
    type Error = StoreError;

    const TURN: u8 = 1;

    async fn write(tx: &mut Transaction, finishes: &[Self], zone: Tz) -> Result<Results<Self>, StoreError> {
        Ok(finish_all(tx, finishes, zone).await?.into_iter().map(Ok).collect())
    }

    fn bells(finished: &Finished) -> impl Iterator<Item = Bell> {
        let bells = [(finished.told, Bell::Outbox), (finished.follow_up, Bell::Waiting)];
        bells.into_iter().filter_map(|(rings, bell)| rings.then_some(bell))
    }
}

pub(in crate::store) async fn finish_all(
    tx: &mut Transaction,
    finishes: &[Finish],
    zone: Tz,
) -> Result<Vec<Finished>, StoreError> {
    let mut finished = vec![Finished::default(); finishes.len()];
    let closed = close(tx, finishes).await?;
    let runs = ended(tx, closed.iter().map(|index| finishes[*index].guard.instance())).await?;
    let Some(now) = closed.iter().map(|index| finishes[*index].now).max() else { return Ok(finished) };
    let lines: Vec<(InstanceId, LogLine)> = closed
        .iter()
        .zip(&runs)
        .flat_map(|(index, run)| last_lines(run, &finishes[*index].ending).into_iter().map(|line| (run.instance, line)))
        .collect();
    lines::insert(tx, lines.iter().map(|(instance, line)| (*instance, line)), now).await?;
    for (index, run) in closed.into_iter().zip(&runs) {
        let outcome = finishes[index].ending.outcome;
        let told = tell(tx, run, outcome, now).await?;
        let follow_up = outcome == Outcome::Succeeded && follow_up(tx, run, now, zone).await?;
        finished[index] = Finished { done: true, told, follow_up };
    }
    Ok(finished)
}

/// Writes to the outbox what the world outside asked to hear.
async fn tell(tx: &mut Transaction, run: &Ended, outcome: Outcome, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let mail = run.spec.email_setting().wants_end(outcome, &run.counters);
    if mail {
        outbox::insert(tx, run.instance, Channel::Mail, Moment::End, &run.email, now).await?;
    }
    let url = run.spec.completion_url();
    if let Some(url) = url {
        outbox::insert(tx, run.instance, Channel::Url, Moment::End, url, now).await?;
    }
    Ok(mail || url.is_some())
}

/// Fails a run that cannot be read, so that nothing is known of it but its number.
pub(super) async fn condemn(tx: &mut Transaction, instance: InstanceId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let reason = Message::new("reason-internal");
    sql::query(
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

sql::columns! {
    /// A run that ends as this attempt, or in this state.
    struct Closing {
        id: InstanceId,
        attempt: Option<i64>,
        state: Option<State>,
        outcome: Outcome,
        now: i64,
        fatal: Option<String>,
    }
}

/// Closes the runs whose guards hold, and gives their places in `finishes`.
async fn close(tx: &mut Transaction, finishes: &[Finish]) -> Result<Vec<usize>, StoreError> {
    let mut rows = Vec::with_capacity(finishes.len());
    for Finish { guard, ending, now } in finishes {
        let (attempt, state) = match guard {
            Guard::Fence(fence) => (Some(fence.attempt), None),
            Guard::Waiting(_, state) => (None, Some(*state)),
        };
        // A stop by hand is no error of the job.
        let fatal = match ending.outcome {
            Outcome::Failed => ending.reason.as_ref().map(serde_json::to_string).transpose(),
            Outcome::Succeeded | Outcome::Stopped => Ok(None),
        }
        .map_err(|e| StoreError::corrupt("a fatal error", e))?;
        let (id, outcome, now) = (guard.instance(), ending.outcome, now.timestamp_millis());
        rows.push(Closing { id, attempt, state, outcome, now, fatal });
    }
    let closed = sql::query(
        "UPDATE instance
         SET state = 'Done', outcome = f.outcome, finished_at = f.now, fatal_error = f.fatal, lease_owner = NULL,
             lease_expires_at = NULL, progress_items = '[]',
             failures = failures + CASE f.outcome WHEN 'Failed' THEN 1 ELSE 0 END,
             file_count = success_count + update_count - part_count + duplicate_count + error_count - part_error_count,
             items_total = CASE f.outcome WHEN 'Succeeded' THEN items_done ELSE items_total END
         FROM (SELECT c.id AS id, c.attempt AS attempt, c.state AS state, c.outcome AS outcome, c.now AS now, c.fatal AS fatal
               FROM rows($1: id int, attempt int, state text, outcome text, now int, fatal text) c) AS f
         WHERE instance.id = f.id
           AND ((instance.attempt = f.attempt AND instance.state IN ('Running', 'Stopping')) OR instance.state = f.state)
         RETURNING instance.id, instance.attempt",
    )
    .rows(&rows)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("end a run"))?;
    let mut attempts = HashMap::new();
    for row in &closed {
        attempts.insert(InstanceId(rows::get(row, "id")?), rows::get::<i64>(row, "attempt")?);
    }
    // A run ends once, whoever says so twice.
    let mut ends = |guard: Guard| match (attempts.remove(&guard.instance()), guard) {
        (Some(attempt), Guard::Fence(fence)) if fence.attempt != attempt => {
            attempts.insert(fence.instance, attempt);
            false
        }
        (ended, _) => ended.is_some(),
    };
    Ok(finishes.iter().enumerate().filter(|(_, finish)| ends(finish.guard)).map(|(index, _)| index).collect())
}

/// What the end of a run needs to know of its job.
struct Ended {
    instance: InstanceId,
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

async fn ended(tx: &mut Transaction, instances: impl Iterator<Item = InstanceId>) -> Result<Vec<Ended>, StoreError> {
    let instances: Vec<InstanceId> = instances.collect();
    if instances.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sql::query(
        "SELECT i.id, i.company_id, j.name, j.spec, j.account_id, j.submitter_id, j.locale, j.client, a.email,
                i.success_count, i.error_count, i.warning_count, i.duplicate_count, i.left_out_count, i.update_count, i.part_count,
                i.part_error_count, i.transfer_success_count, i.transfer_error_count, i.transfer_warning_count, i.items_done, i.items_total,
                (SELECT s.email FROM account s WHERE s.id = i.stop_asked_by) AS stopped_by
         FROM ids($1) p JOIN instance i ON i.id = p.id JOIN job j ON j.id = i.job_id
         JOIN account a ON a.id = j.account_id
         ORDER BY p.n",
    )
    .list(&instances)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("read a run that ends"))?;
    if rows.len() != instances.len() {
        return Err(StoreError::corrupt("runs that end", format!("{} of {} are there", rows.len(), instances.len())));
    }
    rows.iter().map(read_ended).collect()
}

fn read_ended(row: &Row) -> Result<Ended, StoreError> {
    let locale: Option<String> = rows::get(row, "locale")?;
    Ok(Ended {
        instance: InstanceId(rows::get(row, "id")?),
        company: CompanyId(rows::get(row, "company_id")?),
        job_name: rows::get(row, "name")?,
        spec: rows::json(row, "spec")?,
        responsible: AccountId(rows::get(row, "account_id")?),
        submitter: AccountId(rows::get(row, "submitter_id")?),
        locale: locale.map(|tag| Locale::parse(&tag)).transpose().map_err(|e| StoreError::corrupt("a locale", e))?,
        client: rows::get(row, "client")?,
        email: rows::get(row, "email")?,
        counters: counters(row)?,
        items_done: rows::get(row, "items_done")?,
        items_total: rows::get(row, "items_total")?,
        stopped_by: rows::get(row, "stopped_by")?,
    })
}

pub(super) fn counters(row: &Row) -> Result<Counters, StoreError> {
    Ok(Counters {
        success: rows::get(row, "success_count")?,
        error: rows::get(row, "error_count")?,
        warning: rows::get(row, "warning_count")?,
        duplicate: rows::get(row, "duplicate_count")?,
        left_out: rows::get(row, "left_out_count")?,
        update: rows::get(row, "update_count")?,
        part: rows::get(row, "part_count")?,
        part_error: rows::get(row, "part_error_count")?,
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
    if let Some(follow_up) = run.spec.follow_up().filter(|_| ending.outcome != Outcome::Succeeded) {
        let message = Message::new("follow-up-not-submitted").with("kind", follow_up.kind().type_name());
        lines.push(LogLine::new(LogType::JobInfo, message));
    }
    let files = run.counters.files();
    let total = match run.counters.part {
        0 => Message::new("total-file-count").with("count", files),
        parts => Message::new("total-file-count-parts").with("count", files).with("parts", parts),
    };
    lines.push(LogLine::new(LogType::TotalFileCount, total));
    let kind = run.spec.kind();
    lines.push(LogLine::new(kind.end_log(), kind.end_message(ending.outcome, &run.counters)));
    lines
}

/// Queues the publish job that the upload asked for, unless it asked for it only if files came in and none did.
async fn follow_up(
    tx: &mut Transaction,
    run: &Ended,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<bool, StoreError> {
    let Some(spec) = run.spec.follow_up() else { return Ok(false) };
    let only_if_files = run.spec.processing().and_then(|options| options.post_job_only_if_files).unwrap_or(false);
    let name = follow_up_name(&run.job_name);
    let kind = spec.kind().type_name();
    let wanted = !only_if_files || run.counters.processed() > 0;
    let message = if !wanted {
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
            // Publishes give out no addresses.
            address: None,
            created_at: now,
            trigger: Trigger::AtOnce,
            next_fire_at: None,
            run: Some(NewRun::at(now, spec.exclusive_key(run.company))),
            parent: Some(run.instance),
            spec,
        };
        match submit::insert(tx, &[job], zone).await?.into_iter().next() {
            Some(Ok(_)) => Message::new("follow-up-submitted").with("name", name).with("kind", kind),
            Some(Err(error)) => return Err(StoreError::corrupt("a follow-up job", error)),
            None => return Err(StoreError::corrupt("a follow-up job", "was not written")),
        }
    };
    lines::insert(tx, std::iter::once((run.instance, &LogLine::new(LogType::JobInfo, message))), now).await?;
    Ok(wanted)
}

/// `Pub_` and the upload job's name (manual), cut so that it stays a job name.
fn follow_up_name(job_name: &str) -> String {
    format!("Pub_{job_name}").chars().take(crate::model::name::LONGEST_JOB_NAME).collect()
}
