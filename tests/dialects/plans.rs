//! How the database finds what is asked of it, when there is much that is not asked for.
//!
//! Calls are made on a database of many runs, and every statement that they send is written down (`recorder`). Then the database is asked how it would carry out each of them: without
//! statistics, with good ones, with those of the time when it was a fiftieth, and with those of its first day. A statement
//! that reads a whole table, or all rows of a company or of a context, or goes through a list for each row of a table, is a
//! mistake. So that none is forgotten, the statements in the source of the store's jobs are looked for among those that
//! were sent.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use prepress::clock::ManualClock;
use prepress::model::asset::{AssetType, PictureFacts};
use prepress::model::backoff::Backoff;
use prepress::model::firing::{Fate, Missed, SkipReason, Slot, SlotRange};
use prepress::model::id::{AccountId, AssetId, CompanyId, ContextId, InstanceId, JobId};
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::locale::Locale;
use prepress::model::log::{FileType, LogLine, LogType, Message, Severity};
use prepress::model::name::FileName;
use prepress::model::outcome::{Counters, Outcome};
use prepress::model::overwrite::SameName;
use prepress::model::role::Role;
use prepress::model::source::{Siblings, SourceName};
use prepress::model::state::State;
use prepress::model::trigger::Trigger;
use prepress::service::jobs::board::{JobsQuery, LogQuery};
use prepress::service::jobs::{
    GetActiveJobsParam, GetAssetJobLogsParam, GetJobLogDetailsParam, GetJobLogsParam, GetScheduledJobsParam,
    GetUploadTaskStatusParam, JobParam, Limits, SubmitJobParam, Verb,
};
use prepress::service::{Caller, Services, Settings};
use prepress::store::assets::arrival::Arrival;
use prepress::store::assets::ingest::Master;
use prepress::store::assets::marking::Marking;
use prepress::store::assets::query::{Search, Sort};
use prepress::store::effect::{Applied, Effect};
use prepress::store::jobs::Fence;
use prepress::store::jobs::attempt::{ItemReport, Planned, Progress, Release};
use prepress::store::jobs::claim::{FreeSlots, Lease};
use prepress::store::jobs::control::{Control, RunNow};
use prepress::store::jobs::finish::Ending;
use prepress::store::jobs::outbox::{Channel, Delivery, Share};
use prepress::store::jobs::posts::{Post, PostedFile, Upload};
use prepress::store::jobs::query::{DetailFilter, RunFilter};
use prepress::store::jobs::rescue::{Lost, Patience};
use prepress::store::jobs::retention::Horizon;
use prepress::store::jobs::submit::{NewJob, NewRun};
use prepress::store::jobs::triggers::Firing;
use prepress::store::publishing::{Cursor, PublishStep, Seen, Side, Wanted, WantedFile, Withdrawn};
use prepress::store::{Options, Store, sample};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

use crate::{recorder, statements};

const RUNS: i64 = 100_000;
const ASSETS: i64 = 20_000;
const COMPANY: CompanyId = CompanyId(1);

/// Makes a call whose statements are written down.
async fn call<T>(name: &str, work: impl Future<Output = T>) -> T {
    recorder::call(SPAN, name, work).await
}

const SPAN: &str = "plans";

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// A database of many runs whose statistics are of the time when it had few.
async fn fixture(path: &Path) {
    Store::open(Options::new(path, Tz::UTC)).await.unwrap().close().await;
    for (runs, assets, name) in [(150, 20, "first"), (2_000, 200, "old"), (RUNS, ASSETS, "")] {
        sample::fill(path, runs, assets).await.unwrap();
        if !name.is_empty() {
            let mut connection = connect(path).await;
            for sql in [
                "ANALYZE".to_owned(),
                format!("CREATE TABLE {name}1 AS SELECT * FROM sqlite_stat1"),
                format!("CREATE TABLE {name}4 AS SELECT * FROM sqlite_stat4"),
            ] {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            }
            connection.close().await.unwrap();
        }
    }
}

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap()
}

/// Every call that clients, people and the engine make all the time.
async fn make_calls(path: &Path, clock: &Arc<ManualClock>) {
    let store = call("writer", Store::open(Options::new(path, Tz::UTC))).await.unwrap();
    let services = Services::new(store.clone(), clock.clone(), Settings::default()).unwrap();
    let user = |admin: bool| Caller {
        account: AccountId(1),
        email: "user1@sample.example".to_owned(),
        is_ips_admin: admin,
        roles: (1..=sample::COMPANIES).map(|id| (CompanyId(id), Role::IpsUser)).collect(),
        locale: Locale::english(),
        client: None,
        peer: None,
        address: None,
    };
    let (admin, member) = (user(true), user(false));
    look_at_runs(&services, &admin, &member).await;
    look_at_logs(&services, &admin, &member).await;
    control(&services, &member).await;
    work(&store, clock.as_ref()).await;
    keep_house(&store, clock.as_ref()).await;
    look_at_assets(&store).await;
    drop(services);
    store.close().await;
}

async fn look_at_runs(services: &Services, admin: &Caller, member: &Caller) {
    let handle = run_handle(services, RUNS / 2).await;
    let named = [
        (None, None),
        (None, Some("Upload 50001".to_owned())),
        (Some("j|1|Nightly upload||".to_owned()), None),
        (Some(handle), None),
        (Some(run_handle(services, RUNS - 1).await.rsplit_once('|').unwrap().0.to_owned()), None),
    ];
    for (job_handle, original_name) in named {
        for company in [Some("c|1".to_owned()), None] {
            for waiting in [None, Some(false)] {
                let param = GetActiveJobsParam {
                    company_handle: company.clone(),
                    job_handle: job_handle.clone(),
                    original_name: original_name.clone(),
                    include_waiting_jobs: waiting,
                };
                call("getActiveJobs", services.get_active_jobs(member, param)).await.unwrap();
            }
            let param = GetScheduledJobsParam {
                company_handle: company.clone(),
                job_handle: job_handle.clone(),
                original_name: original_name.clone(),
            };
            call("getScheduledJobs", services.get_scheduled_jobs(member, param)).await.unwrap();
        }
    }
    let queries = [
        JobsQuery::default(),
        JobsQuery { states: Some(vec![State::Running, State::Stopping]), ..JobsQuery::default() },
        JobsQuery { states: Some(vec![State::WaitingCoordinator]), ..JobsQuery::default() },
        JobsQuery { states: Some(vec![State::Done]), ..JobsQuery::default() },
        JobsQuery { outcome: Some(Outcome::Failed), states: Some(vec![State::Done]), ..JobsQuery::default() },
        JobsQuery { outcome: Some(Outcome::Succeeded), states: Some(vec![State::Done]), ..JobsQuery::default() },
        JobsQuery { kind: Some(JobKind::Export), ..JobsQuery::default() },
        JobsQuery { name: Some(sample::COMMON_NAME.to_owned()), ..JobsQuery::default() },
        JobsQuery { since: Some(at(1_500_000_000_000)), ..JobsQuery::default() },
        JobsQuery { since: Some(at(1_500_700_000_000)), until: Some(at(1_500_700_100_000)), ..JobsQuery::default() },
        JobsQuery { before: Some(InstanceId(RUNS / 2)), ..JobsQuery::default() },
    ];
    for query in queries {
        for company in [Some("1".to_owned()), None] {
            let query = JobsQuery { company, limit: 20, ..query.clone() };
            let page = call("jobs list", services.list_jobs(admin, &query)).await.unwrap();
            assert!(!page.jobs.is_empty(), "{query:?}");
        }
    }
    let long_ago = JobsQuery { until: Some(at(1_500_100_000_000)), limit: 20, ..JobsQuery::default() };
    for company in [Some("1".to_owned()), None] {
        for before in [None, Some(InstanceId(RUNS / 100))] {
            let query = JobsQuery { company: company.clone(), before, ..long_ago.clone() };
            let page = call(LONG_AGO, services.list_jobs(admin, &query)).await.unwrap();
            assert_eq!(page.jobs.len(), 20, "{query:?}");
        }
    }
    let limits = Limits {
        slots: 8,
        slots_by_kind: BTreeMap::new(),
        max_attempts: 5,
        daemon_runs: true,
        disks: prepress::service::jobs::Disks::of(Vec::new()).into(),
    };
    for text in ["70000", "Upload 50001", "j|1|Nightly upload||", "Recurring 5", "no such job"] {
        if let Ok(found) = call("jobs show", services.find_job(admin, None, text)).await
            && call("jobs show", services.is_one_of_several(admin, None, &found)).await.is_ok()
            && let Some(run) = found.into_run()
        {
            call("jobs show", services.job_details(admin, &run, &limits)).await.unwrap();
            let query = LogQuery { limit: 100, ..LogQuery::default() };
            call("jobs log", services.read_log(admin, run.id, &query)).await.unwrap();
        }
    }
    call("overview", services.overview()).await.unwrap();
    call("readyz", services.ping()).await.unwrap();
}

const LONG_AGO: &str = "jobs list until long ago";

/// The full handle of a run.
async fn run_handle(services: &Services, run: i64) -> String {
    let run = services.store().run(InstanceId(run)).await.unwrap().unwrap();
    prepress::model::handle::run(run.company, &run.run_name, run.id)
}

const SORTS: &[(&str, &str)] = &[
    ("JobName", "instance_by_name"),
    ("LogType", "instance_by_kind"),
    ("StartDate", "instance_log"),
    ("CompanyName", "instance_by_company"),
    ("UserId", "job_by_account"),
    ("Email", "job_by_account"),
    ("FileErrorCount", "instance_by_errors"),
    ("FileWarningCount", "instance_by_warnings"),
    ("FileSuccessCount", "instance_by_successes"),
];

async fn look_at_logs(services: &Services, admin: &Caller, member: &Caller) {
    for (sort, _) in SORTS {
        for direction in ["Ascending", "Descending"] {
            for (from, until) in [
                (None, None),
                (Some("2017-07-14T02:40:00Z"), None),
                (Some("2017-07-20T00:00:00Z"), Some("2017-07-20T01:00:00Z")),
            ] {
                let spans = from.map_or("", |_| if until.is_some() { " of an hour" } else { " from the beginning on" });
                for (user, by) in [(None, ""), (Some("u|1|user1@sample.example"), " of a user")] {
                    for company in [Some("c|1".to_owned()), None] {
                        let param = GetJobLogsParam {
                            company_handle: company,
                            user_handle: user.map(str::to_owned),
                            sort_by: Some((*sort).to_owned()),
                            sort_direction: Some(direction.to_owned()),
                            start_date: from.map(str::to_owned),
                            end_date: until.map(str::to_owned),
                            num_rows: Some(50),
                        };
                        let name = format!("getJobLogs by {sort}{by}{spans}");
                        let logs = call(&name, services.get_job_logs(member, param)).await.unwrap();
                        assert!(!logs.first.is_empty(), "{name}");
                    }
                }
            }
        }
    }
    call("getJobLogs", services.get_job_logs(admin, GetJobLogsParam::default())).await.unwrap();
    let handle = run_handle(services, RUNS / 2).await;
    let handles = [
        ("by name", None, Some("Upload 50001")),
        ("by the common name", None, Some(sample::COMMON_NAME)),
        ("by the handle of submitJob", Some("j|1|Nightly upload||"), None),
        ("by the handle of a run", Some(handle.as_str()), None),
        ("by the old handle of a run", Some(handle.rsplit_once('|').unwrap().0), None),
    ];
    for (name, job_handle, original_name) in handles {
        for log_types in [None, Some(vec!["OriginalJobName".to_owned()])] {
            let param = GetJobLogDetailsParam {
                company_handle: format!("c|{}", handle.split('|').nth(1).unwrap()),
                job_handle: job_handle.map(str::to_owned),
                original_name: original_name.map(str::to_owned),
                log_type_array: log_types,
                records_per_page: Some(10),
                ..GetJobLogDetailsParam::default()
            };
            call(&format!("getJobLogDetails {name}"), services.get_job_log_details(member, param)).await.unwrap();
        }
    }
    for job_handle in ["j|1|Nightly upload||", "j|1|Recurring 5||", handle.as_str()] {
        let param = GetUploadTaskStatusParam { job_handle: job_handle.to_owned() };
        call("getUploadTaskStatus", services.get_upload_task_status(member, param)).await.unwrap();
    }
    let param = GetAssetJobLogsParam { company_handle: "c|1".to_owned(), asset_handle: "a|1".to_owned() };
    call("getAssetJobLogs", services.get_asset_job_logs(member, param)).await.unwrap();
}

async fn control(services: &Services, member: &Caller) {
    let order = |name: &str, time: Option<&str>, schedule: Option<&str>| SubmitJobParam {
        company_handle: "c|1".to_owned(),
        job_name: name.to_owned(),
        exec_time: time.map(str::to_owned),
        exec_schedule: schedule.map(str::to_owned),
        elements: json!({"optimizeImagesJob": {"emailSetting": "All"}}).as_object().unwrap().clone(),
        ..SubmitJobParam::default()
    };
    for param in [
        order("At once", None, None),
        order("At once", None, None),
        order("Once more", None, None),
        order("To be stopped", None, None),
        order("Later", Some("2090-01-01T00:00:00Z"), None),
        order("Often", None, Some("0 0 3 * * ?")),
    ] {
        call("submitJob", services.submit_job(member, param)).await.unwrap();
    }
    let job = |name: &str| JobParam { company_handle: "c|1".to_owned(), job_handle: format!("j|1|{name}||") };
    call("stopJob", services.stop_job(member, job("To be stopped"))).await.unwrap();
    call("pauseJob", services.pause_job(member, job("Often"))).await.unwrap();
    call("pauseJob", services.pause_job(member, job("no such job"))).await.unwrap_err();
    call("resumeJob", services.resume_job(member, job("Often"))).await.unwrap();
    call("resumeJob", services.resume_job(member, job("Often"))).await.unwrap_err();
    let range = SlotRange { first: at(1), last: at(2), count: 2, fate: Fate::Skip(SkipReason::Paused) };
    let missed = Missed::Range(range);
    let never = Some(at(4_000_000_000_000));
    services.store().pause_job(JobId(1)).await.unwrap();
    let resumed = call("resumeJob", services.store().resume_job(JobId(1), never, missed, never, at(3))).await.unwrap();
    assert_eq!(resumed, Control::Done(()), "a range is written");
    call("executeJob", services.execute_job(member, job("Often"))).await.unwrap();
    for verb in [Verb::Stop, Verb::Pause, Verb::Resume, Verb::Execute, Verb::Delete, Verb::Retry] {
        for company in [Some("1"), None] {
            for text in ["no such job", "4711000"] {
                let named = call("jobs by name", services.control_named(member, verb, company, text));
                assert!(named.await.unwrap().is_none());
            }
        }
    }
    for verb in [Verb::Stop, Verb::Execute, Verb::Delete] {
        let ambiguous = call("jobs by name", services.control_named(member, verb, None, "At once")).await;
        assert!(matches!(ambiguous, Err(prepress::service::Error::Ambiguous(_))), "{verb:?}: {ambiguous:?}");
    }
    call("jobs by name", services.control_named(member, Verb::Retry, None, "Once more")).await.unwrap_err();
    call("deleteJob", services.delete_job(member, job("Later"))).await.unwrap();
    call("deleteJob", services.delete_job(member, job("Often"))).await.unwrap();
    pile_up(services.store().path()).await;
    call("deleteJob", services.delete_job(member, job("Piled up"))).await.unwrap();
    while call("stopper", services.store().carry_out_stop_orders(at(3_000_000_000_000))).await.unwrap() {}
}

/// A job with more runs than one transaction stops, and old runs whose files were posted.
async fn pile_up(path: &Path) {
    let mut connection = connect(path).await;
    for sql in [
        "INSERT INTO job (id, company_id, name, kind, spec, account_id, submitter_id, created_at, trigger_kind, trigger_state)
         SELECT (SELECT max(id) FROM job) + 1, 1, 'Piled up', kind, spec, 1, 1, 0, 'at_once', 'Complete' FROM job WHERE id = 1",
        "INSERT INTO instance (id, job_id, company_id, kind, job_name, run_name, state, due_at, created_at, not_before_at,
                               account_id)
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 600)
         SELECT (SELECT max(id) FROM instance) + n, id, 1, kind, name, name || n, 'WaitingCoordinator', 0, 0, 0, 1
         FROM n, job WHERE name = 'Piled up'",
        "INSERT INTO posted_file (instance_id, number, path, blob, bytes, posted_at)
         SELECT id, 1, 'in/shoe.jpg', 'blob1', 1000, 0 FROM instance ORDER BY id LIMIT 9",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

fn new_job(name: &str, now: DateTime<Utc>) -> NewJob {
    NewJob {
        company: COMPANY,
        name: name.to_owned(),
        spec: JobSpec::parse(JobKind::UploadPost, &json!({"emailSetting": "None"})).unwrap(),
        responsible: AccountId(1),
        submitter: AccountId(1),
        locale: None,
        description: None,
        client: None,
        address: None,
        created_at: now,
        trigger: Trigger::AtOnce,
        next_fire_at: None,
        run: Some(NewRun::at(now, None)),
        parent: None,
    }
}

/// What the engine does to runs.
async fn work(store: &Store, clock: &dyn prepress::clock::Clock) {
    let now = clock.now();
    let post = |upload: Upload, last: bool| Post {
        upload,
        company: COMPANY,
        address: "127.0.0.1".to_owned(),
        files: vec![PostedFile { path: "a.jpg".to_owned(), blob: "a".to_owned(), bytes: 1 }],
        next_until: (!last).then(|| now + TimeDelta::minutes(30)),
        at: now,
    };
    let run = call("UploadFile", store.post(post(Upload::New(Box::new(new_job("Post", now))), false))).await.unwrap();
    call("UploadFile", store.post(post(Upload::Begun(run.id), false))).await.unwrap();
    call("UploadFile", store.upload_run(COMPANY, &run.name, None)).await.unwrap().unwrap();
    call("UploadFile", store.posted_files(run.id)).await.unwrap();
    call("UploadFile", store.last_post(run.id)).await.unwrap();
    let posted = store.run(run.id).await.unwrap().unwrap().job;
    let again = call("executeJob", store.run_job_now(posted, true, now)).await.unwrap();
    assert_eq!(again, RunNow::Posted { open: true });
    call("UploadFile", store.next_silence()).await.unwrap();
    call("UploadFile", store.close_silent_uploads(now + TimeDelta::hours(1))).await.unwrap();

    let free = FreeSlots { total: 4, by_kind: BTreeMap::new() };
    let lease = Lease { owner: "plans".to_owned(), expires_at: now + TimeDelta::minutes(1) };
    let claims = call("claim", store.claim(free, CompanyId(0), move || (lease, now))).await.unwrap();
    let fences: Vec<_> = claims.runs.iter().map(|run| run.fence).collect();
    assert!(fences.len() >= 3, "the jobs that were submitted are taken");
    call("heartbeat", store.heartbeat(fences.clone(), now)).await.unwrap();
    let fence = fences[0];
    call("attempt", store.plan_items(fence, Planned::AtLeast(1))).await.unwrap();
    let line = LogLine::new(LogType::JobInfo, Message::new("reason-internal"));
    let report = ItemReport { lines: vec![line.clone()], ..ItemReport::default() };
    call("attempt", store.commit_item(fence, "one".to_owned(), Effect::Nothing, |_| report, now)).await.unwrap();
    call("attempt", store.log_lines(fence, vec![line], Counters::default(), now)).await.unwrap();
    call("attempt", store.show_progress(fence, Progress::default(), now)).await.unwrap();
    call("attempt", store.done_items(fence.instance)).await.unwrap();
    call("attempt", store.done_items_below(fence.instance, "o")).await.unwrap();
    call("attempt", store.done_items_of(fence.instance, &["one", "two"])).await.unwrap();
    call("attempt", store.last_item_below(fence.instance, "o")).await.unwrap();
    call("attempt", store.count_items(fence.instance)).await.unwrap();
    call("attempt", store.forget_items(fence, &["o"])).await.unwrap();
    publish(store, fence, now).await;
    file_assets(store, fence, now).await;
    let ending = Ending { outcome: Outcome::Succeeded, reason: None };
    call("attempt", store.finish_attempt(fence, ending, now)).await.unwrap();
    let retry = Release::Retry { reason: Message::new("reason-internal"), not_before: now };
    call("attempt", store.release_attempt(fences[1], retry, now)).await.unwrap();
    let full = Release::DiskFull { not_before: now };
    call("attempt", store.release_attempt(fences[2], full, now)).await.unwrap();
    call("jobs show", store.last_setback(fences[1].instance)).await.unwrap();
    call("jobs show", store.stopped_by(fences[1].instance)).await.unwrap();
    let problems = DetailFilter { limit: 50, worst_first: true, ..DetailFilter::severe(Severity::Warning) };
    call("mail", store.details(fences[1].instance, &problems)).await.unwrap();
    let lost = Lost::Expired { alive: Vec::new() };
    let retry = Backoff { base: TimeDelta::seconds(10), max: TimeDelta::minutes(10) };
    let patience = Patience { max_attempts: 5, retry };
    call("rescue", store.rescue(lost, patience, now + TimeDelta::hours(1))).await.unwrap();
    let others = Lost::NotOwnedBy { owner: "plans".to_owned(), is_explained: false };
    call("rescue", store.rescue(others, patience, now)).await.unwrap();

    call("outbox", store.ready_messages(Channel::Mail, now)).await.unwrap();
    let company = call("outbox", store.next_sender(Channel::Mail, None)).await.unwrap().unwrap();
    let share = Share { company, after: Some("a"), full: &["b".to_owned()], under_way: &[1], hosts: 4 };
    let due = call("outbox", store.messages_in_turn(Channel::Mail, share)).await.unwrap();
    let retry = Delivery::Retry { at: now, error: "no".to_owned() };
    call("outbox", store.settle_message(due[0].id, retry, now)).await.unwrap();
    call("outbox", store.ready_messages(Channel::Mail, now)).await.unwrap();
    call("outbox", store.begin_mail(due[0].instance, &due[0].recipient)).await.unwrap();
    call("outbox", store.removed_lines(due[0].instance)).await.unwrap();
}

/// What a publish writes.
async fn publish(store: &Store, fence: Fence, now: DateTime<Utc>) {
    let context = ContextId(1);
    let step = async |key: &str, step: PublishStep| {
        let report = |_: &Applied| ItemReport::default();
        call("publish", store.commit_item(fence, key.to_owned(), Effect::Publish(step), report, now)).await.unwrap()
    };
    let Some(Applied::PublishBegun(begun)) =
        step("/begin", PublishStep::Begin { context, run: fence.instance, seen: 0 }).await
    else {
        panic!("a publish begins")
    };
    let seq = begun.seq;
    let file = WantedFile {
        file_name: "asset-11.tif".to_owned(),
        blob: "new".to_owned(),
        bytes: 1,
        asset_name: "asset-11".to_owned(),
        file_type: FileType::NoType,
        detail: None,
    };
    let wanted = vec![Wanted { asset: AssetId(11), files: vec![file.clone()], forced: false }];
    step("/recorded", PublishStep::Record { context, seq, wanted, refused: vec![AssetId(15)] }).await;
    let seen = vec![Seen { file_name: file.file_name.clone(), blob: file.blob, stamp: "right".to_owned() }];
    step("/seen", PublishStep::Seen { context, seq, seen }).await;
    let stamped = store.publications_after(context, seq - 1).await.unwrap();
    let stamped = stamped.iter().find(|row| row.file_name == file.file_name).unwrap();
    assert_eq!(stamped.stamp.as_deref(), Some("right"));
    step("/reset", PublishStep::Reset { context, seq, side: Side::A }).await;
    let withdrawn = vec![Withdrawn { file_name: file.file_name, asset: AssetId(11) }];
    step("/staged", PublishStep::Staged { context, seq, side: Side::A, seen: Vec::new(), withdrawn }).await;
    let switched = PublishStep::Switched { context, seq, side: Side::A, until: begun.until, is_other_sound: true };
    step("/given:now:0", PublishStep::Given { context, seq, assets: vec![AssetId(11)] }).await;
    step("/switched", switched).await;
    step("/told", PublishStep::Told { context, seq }).await;
}

/// What an upload writes.
async fn file_assets(store: &Store, fence: Fence, now: DateTime<Utc>) {
    let by = AccountId(1);
    let master = Master {
        asset_type: AssetType::Image,
        blob: "new".to_owned(),
        bytes: 1,
        pixels: Some((1, 1)),
        facts: PictureFacts::default(),
        making: Default::default(),
    };
    for (name, overwrite) in [("asset-11", true), ("asset-12", false), ("fresh", false)] {
        let arrival = Arrival {
            company: COMPANY,
            folder: "Folder 1".to_owned(),
            name: FileName { stem: name.to_owned(), extension: "jpg".to_owned(), changed: false },
            source: SourceName::new("Folder 1", &format!("{name}.jpg")),
            siblings: Siblings::default(),
            run: fence.instance,
            master: master.clone(),
            built_on: Default::default(),
            overwrite,
            same_name: SameName::Skip,
            marking: Marking::of_upload(Some(true), None),
            brings_forth: Vec::new(),
            goes_on: false,
            by,
            at: at(1_500_000_000_000),
        };
        let effect = Effect::File { arrival: Box::new(arrival), derived: Vec::new(), brought: Box::default() };
        let report = |_: &Applied| ItemReport::default();
        let filed =
            call("file an asset", store.commit_item(fence, name.to_owned(), effect, report, now)).await.unwrap();
        assert!(matches!(filed, Some(Applied::Filed(_))), "{filed:?}");
    }
}

/// What the engine does by itself.
async fn keep_house(store: &Store, clock: &dyn prepress::clock::Clock) {
    let now = clock.now();
    call("scheduler", store.next_fire_time()).await.unwrap();
    let never = at(4_000_000_000_001);
    let due = call("scheduler", store.due_jobs(never, 10)).await.unwrap();
    let slots = vec![Slot { due_at: due[0].due_at, fate: Fate::Fire }];
    let firing = Firing { range: None, slots, one_at_a_time: true, next_fire_at: None };
    let merging = prepress::store::jobs::triggers::DueJob { merging: true, ..due[0].clone() };
    assert!(call("scheduler", store.fire(&merging, firing, now)).await.unwrap());
    call("scheduler", store.break_trigger(due[1].id)).await.unwrap();
    call("scheduler", store.hold_trigger(&due[2], now)).await.unwrap();
    call("company expire", store.set_expiry(COMPANY, None)).await.unwrap();
    call("scheduler", store.slots(JobId(1), 10, now)).await.unwrap();
    let early = at(1_500_001_000_000);
    let horizon = Horizon { logs: early, instances: early, outbox: early };
    while !call("retention", store.forget(horizon)).await.unwrap().is_nothing() {}
    call("wait", store.has_open_runs()).await.unwrap();
    call("jobs show", store.count_waiting_before(COMPANY, InstanceId(RUNS))).await.unwrap();
    let newest = RunFilter { job: Some(JobId(1)), limit: Some(1), ..RunFilter::default() };
    assert_eq!(call("submit --wait", store.runs(&newest)).await.unwrap().len(), 1);
}

async fn look_at_assets(store: &Store) {
    let names = ["asset-11".to_owned(), "asset-15".to_owned()];
    call("getAssetsByName", store.assets_named(COMPANY, &names)).await.unwrap();
    call("getAssets", store.assets(COMPANY, &[AssetId(11), AssetId(15)])).await.unwrap();
    let search = Search {
        folder: String::new(),
        include_subfolders: true,
        trash_state: prepress::model::asset::TrashState::NotInTrash,
        publish_state: None,
        types: None,
        excluded_types: Vec::new(),
        sub_types: Vec::new(),
        strict_sub_types: false,
        groups: Vec::new(),
        any_group: false,
        sort: Sort::Name,
        descending: false,
        limit: 50,
        offset: 0,
    };
    call("searchAssets by name", store.search_assets(COMPANY, &search)).await.unwrap();
    call("publish", store.assets_changed(COMPANY, ASSETS - 10)).await.unwrap();
    let context = ContextId(1);
    call("publish", store.publications_after(context, ASSETS - 10)).await.unwrap();
    call("publish", store.has_changed_after(context, ASSETS - 10)).await.unwrap();
    call("publish", store.published_blobs(context, &[AssetId(11), AssetId(15)])).await.unwrap();
    call("publish", store.holders(context, &["asset-11.tif"], &["asset-11"])).await.unwrap();
    call("publish", store.next_present(context, ASSETS, "asset-11", 10)).await.unwrap();
    call("publish", store.next_changed(context, &Cursor::behind(1), ASSETS, true, 10)).await.unwrap();
    call("publish", store.next_published_assets(context, AssetId(11), 10)).await.unwrap();
    call("site map", store.publications_of(context, &[AssetId(11), AssetId(15)])).await.unwrap();
    call("site map", store.with_masters(COMPANY, &[AssetId(11), AssetId(15)])).await.unwrap();
}

/// Tables of the sample that are long.
const LONG: &[&str] = &[
    "job",
    "instance",
    "slot",
    "item",
    "log_detail",
    "outbox",
    "asset",
    "derived",
    "publish_mark",
    "publication",
    "asset_metadata",
];

/// Names of long tables in a statement.
fn aliases(sql: &str) -> BTreeMap<String, &'static str> {
    let words: Vec<&str> = sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    let mut found = BTreeMap::new();
    for pair in words.windows(3) {
        let [before, table, after] = pair else { continue };
        let Some(table) = LONG.iter().find(|long| *long == table) else { continue };
        if matches!(*before, "FROM" | "JOIN" | "UPDATE" | "INTO") {
            found.insert((*table).to_owned(), *table);
            let alias = if *after == "AS" { None } else { Some(*after) };
            if let Some(alias) = alias.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
            {
                found.insert(alias.to_owned(), *table);
            }
        }
    }
    if let [.., last] = words.as_slice()
        && let Some(table) = LONG.iter().find(|long| *long == last)
    {
        found.insert((*table).to_owned(), *table);
    }
    found
}

/// A step of a plan, and of which select it is one.
struct Step {
    select: i64,
    detail: String,
}

const WHOLE_INDEX: &str = "reads an index as a whole";

/// What is wrong with a plan.
fn faults(sql: &str, plan: &[Step], partial: &BTreeSet<String>) -> Vec<String> {
    let aliases = aliases(sql);
    let sorted: BTreeSet<i64> =
        plan.iter().filter(|step| step.detail.contains("FOR ORDER BY")).map(|step| step.select).collect();
    let has_end = sql.contains(" LIMIT ");
    let mut faults = Vec::new();
    let mut within: BTreeSet<i64> = BTreeSet::new();
    for Step { select, detail } in plan {
        let words: Vec<&str> = detail.split(' ').collect();
        let of_long = words.get(1).is_some_and(|name| aliases.contains_key(*name));
        let ends = has_end && !sorted.contains(select);
        if detail.contains("VIRTUAL TABLE") && within.contains(select) {
            faults.push(format!("goes through a list for each row: {detail}"));
        }
        within.extend(of_long.then_some(*select));
        if detail.contains("AUTOMATIC") {
            faults.push(format!("makes an index for itself: {detail}"));
        } else if !of_long || words.iter().any(|word| partial.contains(*word)) {
            // Of a short table, or by an index of few rows.
        } else if detail.starts_with("SEARCH")
            && detail.contains(" USING ")
            && !detail.contains('(')
            && !detail.contains("PRIMARY KEY")
        {
            // The least or the greatest of something that the index does not begin with.
            faults.push(format!("{WHOLE_INDEX}: {detail}"));
        } else if detail.starts_with("SCAN") && !(ends && sql.contains("ORDER BY w.id")) {
            faults.push(format!("reads a whole table: {detail}"));
        } else if (detail.ends_with("(company_id=?)") || detail.ends_with("(<expr>=?)")) && !ends {
            faults.push(format!("reads a whole company: {detail}"));
        } else if detail.ends_with("(context_id=?)") && !ends {
            faults.push(format!("reads a whole context: {detail}"));
        }
    }
    faults
}

/// Statements that read more than they give, and why they may.
const ALLOWED: &[(&str, &str)] =
    &[("SELECT count(*) FROM asset a JOIN folder f", "a search says how much there is in all")];

/// The same by statistics of the first day: it is known of these that SQLite prefers a table as a whole to a few numbers in
/// it, if it had some rows only when the daemon was last ended. The next one forgets that as it begins ("first, opened").
const ALLOWED_AT_FIRST: &[&str] = &["WHERE +a.company_id = $1 AND a.id IN (SELECT value FROM json_each($2))"];

/// Statements of the store's jobs that no call of this test sends, and why none need.
const COLD: &[(&str, &str)] = &[
    ("SELECT value FROM system WHERE key = 'zone'", "once a start"),
    ("INSERT INTO system (key, value) VALUES ('zone', $1)", "once a start"),
    ("INSERT INTO system (key, value) VALUES ('one_at_a_time', $1)", "once a start"),
    ("SELECT job_id FROM instance WHERE state <> 'Done' GROUP BY job_id", "once a start"),
    ("SELECT id, name, exec_schedule, next_fire_at, last_fire_at, created_at FROM job", "once an hour"),
    ("SELECT id, name, exec_schedule, next_fire_at, (SELECT json_agg(due_at)", "once a start in another zone"),
    (
        "UPDATE job SET next_fire_at = $3, trigger_state = CASE WHEN CAST($2 AS bigint) IS NULL",
        "once a start in another zone, or when the clock was set back, by the number",
    ),
    ("DELETE FROM slot WHERE job_id = $1 AND reason = 'slot-skipped-zone'", "once a start in another zone, by the job"),
    ("DELETE FROM slot_range WHERE job_id = $1", "once a start in another zone, by its key"),
    ("UPDATE slot_range SET last_at = $3", "once a start in another zone, by its key"),
    ("UPDATE instance SET blocked = 0 WHERE id = $1", "once a start, by the number"),
    ("SELECT s.decided_at, i.id, i.run_name FROM slot s JOIN instance i", "when the clock was ahead, by their keys"),
    ("INSERT INTO system (key, value) VALUES ($1, $2)", "by its key, when a stretch of old lines is gone"),
    (
        "SET state = 'Done', outcome = 'Failed', finished_at = $2, fatal_error = $3",
        "of a run that cannot be read, by its number",
    ),
];

fn plain(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statements in the source of the store's jobs.
fn statements_in_source() -> Vec<String> {
    let of_jobs =
        |path: &Path| path.components().any(|part| part.as_os_str() == "jobs") || path.ends_with("overview.rs");
    let found = statements::in_source().into_iter().filter(|statement| of_jobs(&statement.file));
    let found: Vec<String> = found.map(|statement| plain(&statement.text)).collect();
    assert!(found.len() > 60, "the source is not written as it was: {}", found.len());
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_statements_find_what_they_want_in_any_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plans.db");
    fixture(&path).await;
    let clock = ManualClock::at(at(3_000_000_000_000));
    make_calls(&path, &clock).await;

    let recorder::Recorded { sent, written } = recorder::recorded(SPAN);
    let all: Vec<String> = written.iter().map(|sql| plain(sql)).collect();
    let forgotten: Vec<String> = statements_in_source()
        .into_iter()
        .filter(|part| !all.iter().any(|sql| sql.contains(part)) && !COLD.iter().any(|(cold, _)| part.contains(cold)))
        .collect();
    assert_eq!(forgotten, Vec::<String>::new(), "make a call above that sends them, or say in COLD why none need");

    statements::assert_read_by_postgresql("sent", written);

    let mut problems = Vec::new();
    for statistics in ["none", "good", "old", "first", "tiny", "first, opened", "one, opened"] {
        let mut connection = connect(&path).await;
        let prepare: &[&str] = match statistics {
            "none" => &["ANALYZE sqlite_schema", "DELETE FROM sqlite_stat1", "DELETE FROM sqlite_stat4"],
            "good" => &["ANALYZE"],
            "old" => &[
                "DELETE FROM sqlite_stat1",
                "DELETE FROM sqlite_stat4",
                "INSERT INTO sqlite_stat1 SELECT * FROM old1",
                "INSERT INTO sqlite_stat4 SELECT * FROM old4",
            ],
            "first" | "first, opened" => &[
                "DELETE FROM sqlite_stat1",
                "DELETE FROM sqlite_stat4",
                "INSERT INTO sqlite_stat1 SELECT * FROM first1",
                "INSERT INTO sqlite_stat4 SELECT * FROM first4",
            ],
            // As a daemon leaves them that ends after its first run.
            "one, opened" => &[
                "DELETE FROM sqlite_stat4",
                "DELETE FROM sqlite_stat1
                 WHERE EXISTS (SELECT 1 FROM sqlite_schema WHERE name = idx AND sql LIKE '% WHERE %')
                   AND idx <> 'instance_finished'",
                "UPDATE sqlite_stat1
                 SET stat = '1' || replace(hex(zeroblob(length(stat) - length(replace(stat, ' ', '')))), '00', ' 1')",
            ],
            // Of an hour in which each table had three rows.
            _ => &[
                "DELETE FROM sqlite_stat4",
                "UPDATE sqlite_stat1
                 SET stat = '3' || replace(hex(zeroblob(length(stat) - length(replace(stat, ' ', '')))), '00', ' 1')
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = idx AND sql LIKE '% WHERE %')
                    OR idx = 'instance_finished'",
            ],
        };
        for sql in prepare {
            sqlx::query(*sql).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        // The next daemon forgets those of short tables as it begins; the others are as they would be in force.
        let opened = match statistics.ends_with("opened") {
            true => Some(Store::open(Options::new(&path, Tz::UTC)).await.unwrap()),
            false => None,
        };
        // Statistics are read when a database is opened.
        let mut connection = connect(&path).await;
        let partial: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let partial: BTreeSet<String> = partial.into_iter().collect();
        for (sql, calls) in &sent {
            if !["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|verb| sql.starts_with(verb)) {
                continue;
            }
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
            let step = |row: &SqliteRow| Step { select: row.get("parent"), detail: row.get("detail") };
            let plan: Vec<Step> = rows.iter().map(step).collect();
            let mut wrong = faults(sql, &plan, &partial);
            for (sort, index) in SORTS {
                let picks = sql.contains("json_group_array")
                    && calls.iter().all(|call| call == &format!("getJobLogs by {sort}"));
                if picks && !plan.iter().any(|step| step.detail.contains(index)) {
                    wrong.push(format!("does not use {index}"));
                }
            }
            let of_user = sql.contains("json_group_array")
                && calls.iter().all(|call| call.starts_with("getJobLogs by StartDate of a user"));
            for index in ["instance_by_account", "instance_by_submitter"] {
                if of_user && !plan.iter().any(|step| step.detail.contains(index)) {
                    wrong.push(format!("does not use {index}"));
                }
            }
            if calls.contains("getUploadTaskStatus")
                && sql.contains("+w.kind IN")
                && !plan.iter().any(|step| step.detail.contains("COVERING INDEX instance_by_name"))
                && !sql.contains("w.state <> 'Done'")
            {
                wrong.push("looks at each run of the name".to_owned());
            }
            // They begin with the newest run of the span, and not with the newest of all.
            let lists_long_ago = calls.iter().all(|call| call == LONG_AGO) && sql.contains("ORDER BY w.id DESC");
            if lists_long_ago
                && !plan.iter().any(|step| step.detail.contains("(rowid<?)") || step.detail.contains("id<?)"))
            {
                wrong.push("walks through all that came since".to_owned());
            }
            // What is done in the writer every hour leaves SQLite no choice at all, and what gives numbers.
            if statistics == "tiny" && !calls.contains("retention") {
                wrong.retain(|fault| fault.starts_with(WHOLE_INDEX));
            }
            wrong.retain(|_| !ALLOWED.iter().any(|(allowed, _)| plain(sql).contains(allowed)));
            if statistics == "first" {
                wrong.retain(|_| !ALLOWED_AT_FIRST.iter().any(|allowed| plain(sql).contains(allowed)));
            }
            if !wrong.is_empty() {
                let plan: Vec<&str> = plan.iter().map(|step| step.detail.as_str()).collect();
                let plan = plan.join("\n");
                problems.push(format!("statistics: {statistics}\n{calls:?}\n{sql}\n{plan}\n=> {wrong:?}\n"));
            }
        }
        connection.close().await.unwrap();
        if let Some(opened) = opened {
            opened.close().await;
        }
    }
    assert!(problems.is_empty(), "{} problems\n\n{}", problems.len(), problems.join("\n"));
}
