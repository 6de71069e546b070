//! Writing jobs: many at once, in bulk statements.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::model::id::{AccountId, CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::locale::Locale;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::trigger::Trigger;
use crate::store::bulk::{Bulk, Results};
use crate::store::clock::decide_by;
use crate::store::jobs::lines;
use crate::store::numbers::next_number;
use crate::store::sql::{self, Cells};
use crate::store::{Bell, Store, StoreError, Transaction};

/// A job that has passed every check but those that need the other jobs.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub company: CompanyId,
    pub name: String,
    pub spec: JobSpec,
    /// Whose job it is: mail goes there.
    pub responsible: AccountId,
    /// Who submitted it.
    pub submitter: AccountId,
    pub locale: Option<Locale>,
    pub description: Option<String>,
    pub client: Option<String>,
    /// This server as the submitter addressed it; None where HTTP was not used.
    pub address: Option<String>,
    pub created_at: DateTime<Utc>,
    pub trigger: Trigger,
    /// For a job that waits: when it fires first.
    pub next_fire_at: Option<DateTime<Utc>>,
    /// For a job that is due at once: its run.
    pub run: Option<NewRun>,
    /// The run that this is the follow-up of.
    pub parent: Option<InstanceId>,
}

/// A run to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    pub due_at: DateTime<Utc>,
    /// Never runs while another run with this key does.
    pub exclusive_key: Option<String>,
    /// When it was to run, if that had passed already.
    pub passed: Option<DateTime<Utc>>,
}

impl NewRun {
    pub fn at(due_at: DateTime<Utc>, exclusive_key: Option<String>) -> Self {
        Self { due_at, exclusive_key, passed: None }
    }
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    pub job: JobId,
    pub run: Option<RunId>,
}

/// A run's number and its name for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId {
    pub id: InstanceId,
    pub name: String,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// A waiting job of the same company has this name.
    #[error("a scheduled job named \"{0}\" already exists")]
    NameTaken(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes a job, with its first run when it is due at once, and answers after the commit.
    pub async fn submit(&self, job: NewJob) -> Result<Submitted, SubmitError> {
        let begun = Instant::now();
        let submitted = self.bulk(job).await?;
        self.stats().submit_seconds.observe(begun.elapsed().as_secs_f64());
        Ok(submitted)
    }
}

impl Bulk for NewJob {
    type Done = Submitted;
    type Error = SubmitError;

    const TURN: u8 = 0;

    async fn write(tx: &mut Transaction, jobs: &[Self], zone: Tz) -> Result<Results<Self>, StoreError> {
        insert(tx, jobs, zone).await
    }

    fn bells(submitted: &Submitted) -> impl Iterator<Item = Bell> {
        std::iter::once(if submitted.run.is_some() { Bell::Waiting } else { Bell::Triggers })
    }
}

/// Inserts all of `jobs` that may be inserted. An error means that none was.
pub(super) async fn insert(
    tx: &mut Transaction,
    jobs: &[NewJob],
    zone: Tz,
) -> Result<Vec<Result<Submitted, SubmitError>>, StoreError> {
    let mut taken = taken_names(tx, jobs).await?;
    let (mut next_job, mut next_run) = next_ids(tx).await?;
    let mut results = Vec::with_capacity(jobs.len());
    let mut accepted = Vec::with_capacity(jobs.len());
    for job in jobs {
        let waits = !matches!(job.trigger, Trigger::AtOnce);
        if waits && !taken.insert((job.company, job.name.clone())) {
            results.push(Err(SubmitError::NameTaken(job.name.clone())));
            continue;
        }
        results.push(Ok(accepted.len()));
        accepted.push(Accepted { id: JobId(next_job), job, run: None });
        next_job += 1;
    }
    let unnamed: Vec<Unnamed<'_>> = accepted
        .iter()
        .filter(|accepted| accepted.job.run.is_some())
        .map(|Accepted { job, .. }| Unnamed { company: job.company, job_name: &job.name, at: job.created_at })
        .collect();
    let mut names = name_runs(tx, &unnamed, zone).await?.into_iter();
    for accepted in accepted.iter_mut().filter(|accepted| accepted.job.run.is_some()) {
        accepted.run = names.next().map(|name| RunId { id: InstanceId(next_run), name });
        next_run += 1;
    }
    insert_jobs(tx, &accepted).await?;
    insert_runs(tx, &accepted).await?;
    note_passed(tx, &accepted).await?;
    let submitted = |index: usize| Submitted { job: accepted[index].id, run: accepted[index].run.clone() };
    Ok(results.into_iter().map(|result| result.map(submitted)).collect())
}

/// A job with its number, and that of its run if it has one.
struct Accepted<'a> {
    id: JobId,
    job: &'a NewJob,
    run: Option<RunId>,
}

sql::columns! {
    /// Of a job or a run.
    struct Name<'a> { company_id: CompanyId, name: &'a str }
}

sql::columns! {
    struct JobRow<'a> {
        id: JobId,
        company_id: CompanyId,
        name: &'a str,
        kind: JobKind,
        spec: String,
        account_id: AccountId,
        submitter_id: AccountId,
        locale: Option<&'a Locale>,
        description: Option<&'a str>,
        created_at: i64,
        client: Option<&'a str>,
        trigger_kind: &'static str,
        exec_schedule: Option<&'a str>,
        trigger_state: &'static str,
        next_fire_at: Option<i64>,
        last_fire_at: Option<i64>,
        parent_id: Option<InstanceId>,
        address: Option<&'a str>,
    }
}

sql::columns! {
    struct RunRow<'a> {
        id: InstanceId,
        job_id: JobId,
        company_id: CompanyId,
        kind: JobKind,
        run_name: &'a str,
        due_at: i64,
        created_at: i64,
        exclusive_key: Option<&'a str>,
        job_name: &'a str,
        account_id: AccountId,
        submitter_id: Option<AccountId>,
    }
}

/// Names of waiting jobs among those that `jobs` want to take.
async fn taken_names(tx: &mut Transaction, jobs: &[NewJob]) -> Result<HashSet<(CompanyId, String)>, StoreError> {
    let wanted: Vec<Name<'_>> = jobs
        .iter()
        .filter(|job| !matches!(job.trigger, Trigger::AtOnce))
        .map(|job| Name { company_id: job.company, name: &job.name })
        .collect();
    if wanted.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sql::query(
        "SELECT j.company_id, j.name FROM rows($1: company_id int, name text) w
         JOIN job j ON j.company_id = w.company_id AND j.name = w.name
         WHERE j.trigger_kind <> 'at_once' AND j.deleted_at IS NULL AND j.trigger_state <> 'Complete'",
    )
    .rows(&wanted)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for scheduled jobs of the same name"))?;
    Ok(rows.iter().map(|row| (CompanyId(row.get(0)), row.get(1))).collect())
}

/// Numbers come from the table, not from memory: the command line writes beside the daemon.
async fn next_ids(tx: &mut Transaction) -> Result<(i64, i64), StoreError> {
    sql::tuple(concat!("SELECT ", next_number!("job"), ", ", next_number!("instance")))
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("number a job"))
}

/// A run that wants a name.
pub(in crate::store) struct Unnamed<'a> {
    pub company: CompanyId,
    pub job_name: &'a str,
    pub at: DateTime<Utc>,
}

/// The wall clock in a run name, to the millisecond.
const STAMP: &str = "%Y-%m-%d-%H:%M:%S%.3f";
const STAMP_LENGTH: usize = "2026-01-31-23:59:59.999".len();
const MILLISECOND: TimeDelta = TimeDelta::milliseconds(1);

/// Gives each run a name of its own: when the local time in it is taken, the next free one.
pub(in crate::store) async fn name_runs(
    tx: &mut Transaction,
    runs: &[Unnamed<'_>],
    zone: Tz,
) -> Result<Vec<String>, StoreError> {
    let mut floors: HashMap<(CompanyId, &str), NaiveDateTime> = HashMap::new();
    loop {
        let mut free = floors.clone();
        let mut names = Vec::with_capacity(runs.len());
        for run in runs {
            let wall = run.at.with_timezone(&zone).naive_local();
            let free = free.entry((run.company, run.job_name)).or_insert(wall);
            let stamp = wall.max(*free);
            *free = stamp + MILLISECOND;
            names.push(run_name(run.job_name, stamp));
        }
        let taken = taken_run_names(tx, runs, &names).await?;
        if taken.is_empty() {
            return Ok(names);
        }
        // The first name of a job that is taken says from where to look; one seek finds the end of what is taken.
        for (run, name) in runs.iter().zip(&names) {
            let key = (run.company, run.job_name);
            if taken.contains(&(run.company, name.as_str())) && floors.get(&key) != free.get(&key) {
                let last = last_stamp(tx, run, name).await?;
                floors.insert(key, last + MILLISECOND);
                free.insert(key, last + MILLISECOND);
            }
        }
    }
}

fn run_name(job_name: &str, stamp: NaiveDateTime) -> String {
    format!("{job_name}_{}", stamp.format(STAMP))
}

/// The latest stamp among the names of the same job from `name` on, within an hour, so that names which a wrong clock
/// left in the future draw nothing there.
async fn last_stamp(tx: &mut Transaction, run: &Unnamed<'_>, name: &str) -> Result<NaiveDateTime, StoreError> {
    let unreadable = |name: &str| StoreError::corrupt("a run name", name);
    let read = |name: &str| {
        let stamp = name.get(name.len().saturating_sub(STAMP_LENGTH)..).unwrap_or_default();
        NaiveDateTime::parse_from_str(stamp, STAMP).map_err(|_| unreadable(name))
    };
    let last: Option<String> = sql::scalar(
        "SELECT run_name FROM instance
         WHERE company_id = $1 AND run_name >= $2 AND run_name <= $3 AND length(run_name) = length($2)
         ORDER BY run_name DESC LIMIT 1",
    )
    .bind(run.company.0)
    .bind(name)
    .bind(run_name(run.job_name, read(name)? + TimeDelta::hours(1)))
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("name a run"))?;
    read(last.as_deref().unwrap_or(name))
}

/// Those of `names` that a run of the same company has already.
async fn taken_run_names<'n>(
    tx: &mut Transaction,
    runs: &[Unnamed<'_>],
    names: &'n [String],
) -> Result<HashSet<(CompanyId, &'n str)>, StoreError> {
    if runs.is_empty() {
        return Ok(HashSet::new());
    }
    let wanted: Vec<Name<'_>> =
        runs.iter().zip(names).map(|(run, name)| Name { company_id: run.company, name }).collect();
    let taken: Vec<i64> = sql::scalar(
        "SELECT w.n FROM rows($1: company_id int, name text) w
         JOIN instance i ON i.company_id = w.company_id AND i.run_name = w.name",
    )
    .rows(&wanted)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("name a run"))?;
    let taken = taken.into_iter().filter_map(|index| usize::try_from(index).ok());
    Ok(taken.map(|index| (runs[index].company, names[index].as_str())).collect())
}

async fn insert_jobs(tx: &mut Transaction, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
    let scheduled = accepted.iter().filter(|accepted| accepted.job.next_fire_at.is_some());
    if let Some(now) = scheduled.map(|accepted| accepted.job.created_at).max() {
        decide_by(tx, now).await?;
    }
    let mut rows = Vec::with_capacity(accepted.len());
    for Accepted { id, job, .. } in accepted {
        let (trigger_kind, exec_schedule) = match &job.trigger {
            Trigger::AtOnce => ("at_once", None),
            Trigger::ExecTime(_) => ("exec_time", None),
            Trigger::ExecSchedule(schedule) => ("exec_schedule", Some(schedule.source())),
        };
        let spec = serde_json::to_string(&job.spec).map_err(|e| StoreError::corrupt("a job's spec", e))?;
        rows.push(JobRow {
            id: *id,
            company_id: job.company,
            name: &job.name,
            kind: job.spec.kind(),
            spec,
            account_id: job.responsible,
            submitter_id: job.submitter,
            locale: job.locale.as_ref(),
            description: job.description.as_deref(),
            created_at: job.created_at.timestamp_millis(),
            client: job.client.as_deref(),
            trigger_kind,
            exec_schedule,
            trigger_state: if job.next_fire_at.is_some() { "Normal" } else { "Complete" },
            next_fire_at: job.next_fire_at.map(|at| at.timestamp_millis()),
            last_fire_at: job.run.as_ref().map(|run| run.due_at.timestamp_millis()),
            parent_id: job.parent,
            address: job.address.as_deref(),
        });
    }
    sql::query(
        "INSERT INTO job (id, company_id, name, kind, spec, account_id, submitter_id, locale, description, created_at,
                          client, trigger_kind, exec_schedule, trigger_state, next_fire_at, last_fire_at, parent_id,
                          address)
         SELECT j.id, j.company_id, j.name, j.kind, j.spec, j.account_id, j.submitter_id, j.locale, j.description,
                j.created_at, j.client, j.trigger_kind, j.exec_schedule, j.trigger_state, j.next_fire_at, j.last_fire_at,
                j.parent_id, j.address
         FROM rows($1: id int, company_id int, name text, kind text, spec text, account_id int, submitter_id int, locale text,
                       description text, created_at int, client text, trigger_kind text, exec_schedule text,
                       trigger_state text, next_fire_at int, last_fire_at int, parent_id int, address text) j",
    )
    .rows(&rows)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write a job"))
}

/// The log of a run says so when it comes later than it was ordered for.
async fn note_passed(tx: &mut Transaction, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
    for Accepted { job, run, .. } in accepted {
        let passed = job.run.as_ref().and_then(|run| run.passed);
        if let (Some(at), Some(run)) = (passed, run) {
            let message = Message::new("exec-time-passed").with("at", at.timestamp_millis());
            let line = LogLine::new(LogType::JobInfo, message);
            lines::insert(tx, std::iter::once((run.id, &line)), job.created_at).await?;
        }
    }
    Ok(())
}

async fn insert_runs(tx: &mut Transaction, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
    let rows: Vec<RunRow<'_>> = accepted
        .iter()
        .filter_map(|Accepted { id, job, run }| {
            let (new, run) = (job.run.as_ref()?, run.as_ref()?);
            Some(RunRow {
                id: run.id,
                job_id: *id,
                company_id: job.company,
                kind: job.spec.kind(),
                run_name: &run.name,
                due_at: new.due_at.timestamp_millis(),
                created_at: job.created_at.timestamp_millis(),
                exclusive_key: new.exclusive_key.as_deref(),
                job_name: &job.name,
                account_id: job.responsible,
                submitter_id: Some(job.submitter).filter(|submitter| *submitter != job.responsible),
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sql::query(
        "INSERT INTO instance (id, job_id, company_id, kind, run_name, state, due_at, created_at, not_before_at,
                               exclusive_key, job_name, account_id, submitter_id)
         SELECT r.id, r.job_id, r.company_id, r.kind, r.run_name, 'WaitingCoordinator', r.due_at, r.created_at, r.due_at,
                r.exclusive_key, r.job_name, r.account_id, r.submitter_id
         FROM rows($1: id int, job_id int, company_id int, kind text, run_name text, due_at int, created_at int,
                       exclusive_key text, job_name text, account_id int, submitter_id int) r",
    )
    .rows(&rows)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("queue a run"))
}
