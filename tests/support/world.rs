//! A data folder with two companies, and a clock.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use prepress::clock::{Clock, ManualClock};
use prepress::model::id::{AccountId, CompanyId, InstanceId, JobId};
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::schedule::Schedule;
use prepress::model::trigger::Trigger;
use prepress::store::Store;
use prepress::store::jobs::query::{Run, RunFilter, SlotRecord};
use prepress::store::jobs::submit::{NewJob, NewRun, SubmitError, Submitted};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::database::{Database, options};

/// Nothing that a test waits for takes longer, even on a machine that does other things.
const GUARD: Duration = Duration::from_secs(60);

/// An instant, from its RFC 3339 form.
pub fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

pub const fn company(id: i64) -> CompanyId {
    CompanyId(id)
}

/// An upload, with the options of `extra`.
pub fn upload(extra: &Value) -> JobSpec {
    let mut element = json!({"serverDir": "in"});
    element.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    JobSpec::parse(JobKind::UploadDirectory, &element).unwrap()
}

pub fn publish() -> JobSpec {
    JobSpec::parse(JobKind::ImageServingPublish, &json!({"publishType": "Full"})).unwrap()
}

/// When a job is to fire.
#[derive(Debug, Clone, Copy)]
pub enum Plan<'a> {
    AtOnce,
    At(DateTime<Utc>),
    Cron(&'a str),
}

/// Waits until `look` finds something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < GUARD, "waited {GUARD:?} in vain for: {what}");
        tokio::task::yield_now().await;
    }
}

pub struct World {
    pub clock: Arc<ManualClock>,
    pub zone: Tz,
    /// Used while no daemon runs.
    own: Store,
    daemon: Mutex<Option<Store>>,
    /// For looking at rows behind the store's back.
    pub raw: Database,
    pub dir: TempDir,
}

impl World {
    /// Companies 1 to 3, each with a user of its own number.
    pub async fn new() -> Self {
        Self::in_zone("Europe/Berlin", "2026-01-05T08:00:00Z").await
    }

    pub async fn in_zone(zone: &str, now: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let zone: Tz = zone.parse().unwrap();
        let store = Store::open(options(dir.path(), zone)).await.unwrap();
        let raw = Database::of(dir.path()).await;
        let world = Self { clock: ManualClock::at(at(now)), zone, own: store, daemon: Mutex::default(), raw, dir };
        for id in 1..=3 {
            world.add_company(id).await;
        }
        world
    }

    pub async fn add_company(&self, id: i64) {
        self.sql(&format!("INSERT INTO company(id, name, root_path, created_at) VALUES ({id}, 'c{id}', 'c{id}', 0)"))
            .await;
        self.sql(&format!(
            "INSERT INTO account(id, email, password_hash, created_at, password_changed_at)
             VALUES ({id}, 'u{id}@example.com', '', 0, 0)"
        ))
        .await;
    }

    /// The daemon's store while one runs: what is written through it rings the engine's bells.
    pub fn store(&self) -> Store {
        self.daemon.lock().unwrap().clone().unwrap_or_else(|| self.own.clone())
    }

    pub(super) fn attach(&self, store: Option<Store>) {
        *self.daemon.lock().unwrap() = store;
    }

    /// The same file, opened as another process would.
    pub async fn open_again(&self) -> Store {
        self.open_in(self.zone).await
    }

    pub async fn open_in(&self, zone: Tz) -> Store {
        Store::open(options(self.dir.path(), zone)).await.unwrap()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn advance(&self, delta: TimeDelta) {
        self.clock.advance(delta);
    }

    pub fn new_job(&self, company: i64, name: &str, spec: JobSpec, plan: Plan<'_>) -> NewJob {
        let now = self.now();
        let (trigger, next_fire_at) = match plan {
            Plan::AtOnce => (Trigger::AtOnce, None),
            Plan::At(at) => (Trigger::ExecTime(at), Some(at)),
            Plan::Cron(text) => {
                let schedule = Schedule::parse(text).unwrap();
                let next = schedule.next_after(now, self.zone);
                (Trigger::ExecSchedule(schedule), next)
            }
        };
        let company = CompanyId(company);
        let run = matches!(plan, Plan::AtOnce).then(|| NewRun::at(now, spec.exclusive_key(company)));
        NewJob {
            company,
            name: name.to_owned(),
            spec,
            responsible: AccountId(company.0),
            submitter: AccountId(company.0),
            locale: None,
            description: None,
            client: Some("a test".to_owned()),
            address: None,
            created_at: now,
            trigger,
            next_fire_at,
            run,
            parent: None,
        }
    }

    pub async fn try_submit(
        &self,
        company: i64,
        name: &str,
        spec: JobSpec,
        plan: Plan<'_>,
    ) -> Result<Submitted, SubmitError> {
        self.store().submit(self.new_job(company, name, spec, plan)).await
    }

    /// A plain upload.
    pub async fn submit(&self, company: i64, name: &str, plan: Plan<'_>) -> Submitted {
        self.try_submit(company, name, upload(&json!({})), plan).await.unwrap()
    }

    /// A plain upload that is due at once: its run.
    pub async fn run_at_once(&self, company: i64, name: &str) -> InstanceId {
        self.submit(company, name, Plan::AtOnce).await.run.unwrap().id
    }

    pub async fn run(&self, id: InstanceId) -> Run {
        self.store().run(id).await.unwrap().expect("the run is there")
    }

    /// All runs of a job, oldest first.
    pub async fn runs_of(&self, job: JobId) -> Vec<Run> {
        let mut runs = self.store().runs(&RunFilter { job: Some(job), ..RunFilter::default() }).await.unwrap();
        runs.sort_by_key(|run| run.id);
        runs
    }

    /// Slots of a job, oldest first: instant, disposition, reason.
    pub async fn slots(&self, job: JobId) -> Vec<SlotRecord> {
        let mut slots = self.store().slots(job, 10_000, self.now()).await.unwrap();
        slots.reverse();
        slots
    }

    /// The same in short: `2026-01-05T08:00:00Z fired`.
    pub async fn slot_list(&self, job: JobId) -> Vec<String> {
        let shown = |slot: &SlotRecord| {
            let reason = slot.reason.as_ref().map(|reason| format!(" {}", reason.code)).unwrap_or_default();
            format!("{} {}{reason}", slot.due_at.format("%Y-%m-%dT%H:%M:%SZ"), slot.disposition)
        };
        self.slots(job).await.iter().map(shown).collect()
    }

    /// Waits until `look` says of the run that it is so.
    pub async fn until(&self, id: InstanceId, what: &str, look: impl Fn(&Run) -> bool) -> Run {
        eventually(&format!("run {id} {what}"), || async { Some(self.run(id).await).filter(|run| look(run)) }).await
    }

    pub async fn until_done(&self, id: InstanceId) -> Run {
        self.until(id, "is done", |run| run.outcome.is_some()).await
    }

    /// Waits until so many rows answer the question.
    pub async fn until_count(&self, count: i64, question: &str) {
        eventually(&format!("{question} = {count}"), || async { (self.count(question).await == count).then_some(()) })
            .await;
    }

    pub async fn count(&self, question: &str) -> i64 {
        self.raw.number(&format!("SELECT count(*) FROM {question}")).await
    }

    /// The rows of a question, their columns joined by blanks.
    pub async fn table(&self, question: &str) -> Vec<String> {
        self.raw.table(question).await
    }

    pub async fn sql(&self, statement: &str) {
        self.raw.execute(statement).await;
    }

    /// What must hold of every database at every time.
    pub async fn check(&self) {
        let broken = [
            ("done without an outcome, or the other way round", "(state = 'Done') <> (outcome IS NOT NULL)"),
            ("done without an end", "(state = 'Done') <> (finished_at IS NOT NULL)"),
            ("held without an owner", "(state IN ('Running', 'Stopping')) <> (lease_owner IS NOT NULL)"),
            ("held without a lease", "(state IN ('Running', 'Stopping')) <> (lease_expires_at IS NOT NULL)"),
            ("failed without a reason", "(outcome = 'Failed') AND fatal_error IS NULL"),
            ("items counted twice", "items_done <> (SELECT count(*) FROM item WHERE instance_id = instance.id)"),
            ("more items done than there are", "items_done > items_total"),
            ("without the name of its job", "job_name <> (SELECT name FROM job WHERE job.id = job_id)"),
            (
                "without the users of its job",
                "(account_id, submitter_id) IS NOT
                 (SELECT j.account_id, nullif(j.submitter_id, j.account_id) FROM job j WHERE j.id = job_id)",
            ),
        ];
        for (what, condition) in broken {
            let rows = self.table(&format!("SELECT id, state FROM instance WHERE {condition}")).await;
            assert!(rows.is_empty(), "{what}: {rows:?}");
        }
        self.raw.assert_whole().await;
    }
}
