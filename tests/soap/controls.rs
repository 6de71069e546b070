//! Every control, in every state of a job, by every form of its handle and name, over SOAP, JSON and the command line: what it
//! answers, and what it leaves.

use std::num::NonZeroU32;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use prepress::config::SlotsByKind;
use prepress::executors::{Context, Executor, Failure, Registry};
use prepress::model::id::{CompanyId, InstanceId, JobId};
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::log::Message;
use prepress::model::role::Role;
use prepress::model::state::State as RunState;
use prepress::model::trigger::Trigger;
use prepress::service::Caller;
use prepress::service::jobs::{SubmitJobParam, Verb};
use prepress::store::jobs::posts::{Post, Upload};
use prepress::store::jobs::query::{Run, RunFilter};
use prepress::store::jobs::submit::{NewJob, NewRun};
use serde_json::{Value, json};

use crate::built_in::administrator;
use crate::server::Server;
use crate::server::database::Database;
use crate::shapes::until;
use crate::{ADA, NEWEST, OLDEST};

/// The states of a job, or of its company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Scheduled,
    Paused,
    Waiting,
    WaitingForRetry,
    WaitingForClient,
    Running,
    Stopping,
    Done,
    Deleted,
    /// A job runs whose company has expired.
    ExpiredRunning,
    /// A job waits for its time, whose company has expired.
    ExpiredScheduled,
}

use State::*;

const STATES: [State; 11] = [
    Scheduled,
    Paused,
    Waiting,
    WaitingForRetry,
    WaitingForClient,
    Running,
    Stopping,
    Done,
    Deleted,
    ExpiredRunning,
    ExpiredScheduled,
];

const VERBS: [Verb; 6] = [Verb::Stop, Verb::Pause, Verb::Resume, Verb::Execute, Verb::Delete, Verb::Retry];

/// How a job is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `j|47|Name||`
    Submitted,
    /// `47|Name|`
    OldSubmitted,
    /// `j|47||Name_2026…|7`
    Run,
    /// `j|47||Name_2026…|`
    RunWithoutNumber,
    /// `47||Name_2026…`
    OldRun,
    /// `7`
    Number,
    RunName,
    Name,
}

const HANDLES: [Form; 5] = [Form::Submitted, Form::OldSubmitted, Form::Run, Form::RunWithoutNumber, Form::OldRun];
const ALL_FORMS: [Form; 8] = [
    Form::Submitted,
    Form::OldSubmitted,
    Form::Run,
    Form::RunWithoutNumber,
    Form::OldRun,
    Form::Number,
    Form::RunName,
    Form::Name,
];

impl Form {
    /// It means one run, not a job.
    fn is_of_run(self) -> bool {
        !matches!(self, Self::Submitted | Self::OldSubmitted | Self::Name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Soap,
    Json,
    CommandLine,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    /// Not in this state.
    Refused,
    /// There is nothing of the name any more.
    Unknown,
    Expired,
}

/// What is to come of it.
fn expected(verb: Verb, state: State, form: Form) -> Answer {
    use Answer::{Done as Yes, Expired, Refused, Unknown};
    match (verb, state, form.is_of_run()) {
        // Administrators may end what is left in a company that has expired, and nothing else.
        (Verb::Stop, ExpiredRunning, _) | (Verb::Delete, ExpiredRunning, _) => Yes,
        (Verb::Delete, ExpiredScheduled, false) => Yes,
        (Verb::Stop | Verb::Delete, ExpiredScheduled, _) => Refused,
        (_, ExpiredRunning | ExpiredScheduled, _) => Expired,
        // The job of a run that is over is gone; the run is still known.
        (_, Deleted, false) => Unknown,
        (_, Deleted, true) => Refused,
        (Verb::Stop, Waiting | WaitingForRetry | WaitingForClient | Running | Stopping, _) => Yes,
        (Verb::Stop, Scheduled | Paused | Done, _) => Refused,
        (Verb::Pause, Scheduled | Paused, _) => Yes,
        (Verb::Resume, Paused, _) => Yes,
        (Verb::Pause | Verb::Resume, _, _) => Refused,
        (Verb::Execute, WaitingForClient, _) => Refused,
        (Verb::Execute, _, _) => Yes,
        (Verb::Delete, Scheduled | Paused, of_run) => {
            if of_run {
                Refused
            } else {
                Yes
            }
        }
        (Verb::Delete, Done, _) => Refused,
        (Verb::Delete, _, _) => Yes,
        (Verb::Retry, WaitingForRetry, _) => Yes,
        (Verb::Retry, _, _) => Refused,
    }
}

/// What is in the database before: the trigger, whether the job is deleted, and its runs.
fn before(state: State) -> &'static str {
    match state {
        Scheduled | ExpiredScheduled => "Normal Succeeded",
        Paused => "Paused Succeeded",
        Waiting => "Complete WaitingCoordinator",
        WaitingForRetry => "Complete WaitingCoordinator, again",
        WaitingForClient => "Complete WaitingClient",
        Running | ExpiredRunning => "Complete Running",
        Stopping => "Complete Stopping",
        Done => "Complete Succeeded",
        Deleted => "Complete, deleted Stopped",
    }
}

/// What is there afterwards, where the verb was carried out.
fn after(verb: Verb, state: State) -> String {
    match (verb, state) {
        (Verb::Stop, Stopping) => before(Stopping).to_owned(),
        (Verb::Stop, _) => "Complete Stopped".to_owned(),
        (Verb::Pause, _) => "Paused Succeeded".to_owned(),
        (Verb::Resume, _) => "Normal Succeeded".to_owned(),
        (Verb::Execute, Scheduled | Paused | Done) => format!("{} Succeeded", before(state)),
        // After the other, and not beside it.
        (Verb::Execute, Running | Stopping | Waiting) => format!("{} WaitingCoordinator", before(state)),
        (Verb::Execute, WaitingForRetry) => format!("{0} WaitingCoordinator, again", before(state)),
        (Verb::Delete, Scheduled | Paused | ExpiredScheduled) => "None, deleted Succeeded".to_owned(),
        (Verb::Delete, Stopping) => "Complete, deleted Stopping".to_owned(),
        (Verb::Delete, _) => "Complete, deleted Stopped".to_owned(),
        (Verb::Retry, _) => "Complete Running".to_owned(),
        (verb, state) => panic!("{verb:?} of a job that is {state:?} does nothing"),
    }
}

/// Plays the states by the names of the jobs.
struct Actor;

impl Registry for Actor {
    fn executor(&self, _spec: &JobSpec) -> Box<dyn Executor> {
        Box::new(Self)
    }
}

#[async_trait]
impl Executor for Actor {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let name = &context.run.job_name;
        let is = |state: State| name.starts_with(&format!("{state:?} "));
        if is(WaitingForRetry) && context.run.fence.attempt == 1 {
            return Err(Failure::Transient(Message::new("reason-internal")));
        }
        if is(Stopping) {
            // It does not heed it for the time of the test.
            return std::future::pending().await;
        }
        if is(Running) || is(ExpiredRunning) || is(Deleted) || is(WaitingForRetry) || name == BLOCKER {
            context.stop_token().cancelled().await;
            return Err(Failure::Interrupted);
        }
        Ok(())
    }
}

/// The one job of its kind that may run: others of the kind wait.
const BLOCKER: &str = "Blocker";

/// A job in a state, and what is done to it.
struct Cell {
    verb: Verb,
    state: State,
    form: Form,
    /// Its company, and its name.
    company: i64,
    name: String,
    job: JobId,
    run: InstanceId,
    run_name: String,
}

impl Cell {
    fn said(&self) -> String {
        let Self { company, name, run, run_name, .. } = self;
        match self.form {
            Form::Submitted => format!("j|{company}|{name}||"),
            Form::OldSubmitted => format!("{company}|{name}|"),
            Form::Run => format!("j|{company}||{run_name}|{run}"),
            Form::RunWithoutNumber => format!("j|{company}||{run_name}|"),
            Form::OldRun => format!("{company}||{run_name}"),
            Form::Number => run.to_string(),
            Form::RunName => run_name.clone(),
            Form::Name => name.clone(),
        }
    }
}

struct House {
    server: Server,
    operator: Caller,
}

impl House {
    async fn open() -> Self {
        let server = Server::start_with(Some(Arc::new(Actor)), |config| {
            config.dispatch.slots = NonZeroU32::new(1024);
            config.dispatch.slots_by_kind =
                serde_json::from_value::<SlotsByKind>(json!({"optimizeImagesJob": 1})).unwrap();
            config.dispatch.retry_base = "1h".parse().unwrap();
            config.dispatch.retry_max = "1h".parse().unwrap();
            config.dispatch.stop_grace = "1h".parse().unwrap();
            config.dispatch.shutdown_grace = "1s".parse().unwrap();
        })
        .await;
        server.company("Acme", 47).await;
        server.company("Bygone", 48).await;
        server.user(ADA, "Acme", Role::IpsUser).await;
        server.user(ADA, "Bygone", Role::IpsUser).await;
        let operator = server.services().operator().await.unwrap();
        let house = Self { server, operator };
        house.submit(47, BLOCKER, "optimizeImagesJob", None).await;
        house.runs_are(BLOCKER, 47, "Running").await;
        house
    }

    async fn submit(&self, company: i64, name: &str, element: &str, schedule: Option<&str>) -> JobId {
        let order = match element {
            "optimizeImagesJob" => json!({"emailSetting": "None"}),
            _ => json!({
                "serverDir": "x", "overwrite": true, "readyForPublish": false, "includeSubfolders": false,
                "createMask": false, "processMetadataFiles": false, "emailSetting": "None",
            }),
        };
        let param = SubmitJobParam {
            company_handle: format!("c|{company}"),
            job_name: name.to_owned(),
            exec_schedule: schedule.map(str::to_owned),
            elements: json!({element: order}).as_object().unwrap().clone(),
            ..SubmitJobParam::default()
        };
        self.server.services().submit_job_numbered(&self.operator, param).await.unwrap().submitted.job
    }

    async fn runs(&self, company: i64, name: &str) -> Vec<Run> {
        let filter = RunFilter {
            companies: Some(vec![CompanyId(company)]),
            job_name: Some(name.to_owned()),
            ..RunFilter::default()
        };
        let mut runs = self.server.store().runs(&filter).await.unwrap();
        runs.sort_by_key(|run| run.id);
        runs
    }

    /// The states of all runs of a name; of one that has failed before, that it is tried again.
    async fn shown_runs(&self, company: i64, name: &str) -> String {
        let shown = |run: &Run| match (run.state, run.outcome) {
            (RunState::Done, Some(outcome)) => outcome.to_string(),
            (RunState::WaitingCoordinator, _) if run.failures > 0 => "WaitingCoordinator, again".to_owned(),
            (state, _) => state.to_string(),
        };
        self.runs(company, name).await.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    async fn runs_are(&self, name: &str, company: i64, wanted: &str) {
        until(async || (self.shown_runs(company, name).await == wanted).then_some(())).await;
    }

    /// Brings a job of its own into the state.
    async fn cell(&self, verb: Verb, state: State, form: Form) -> Cell {
        let company = if matches!(state, ExpiredRunning | ExpiredScheduled) { 48 } else { 47 };
        let name = format!("{state:?} {verb:?} {form:?}");
        let (services, store, by) = (self.server.services(), self.server.store(), self.operator.account);
        let now = services.clock().now();
        let plain = "uploadDirectoryJob";
        let job = match state {
            Scheduled | Paused | ExpiredScheduled => {
                let job = self.submit(company, &name, plain, Some("0 0 3 1 1 ? 2090")).await;
                // So that there is a run to call it by.
                store.run_job_now(job, true, now).await.unwrap();
                self.runs_are(&name, company, "Succeeded").await;
                if state == Paused {
                    store.pause_job(job).await.unwrap();
                }
                job
            }
            Waiting => self.submit(company, &name, "optimizeImagesJob", None).await,
            WaitingForClient => self.post(&name).await,
            _ => self.submit(company, &name, plain, None).await,
        };
        let runs = match state {
            Stopping => {
                self.runs_are(&name, company, "Running").await;
                let run = self.runs(company, &name).await[0].id;
                store.stop_run(run, by, now).await.unwrap();
                "Stopping"
            }
            Deleted => {
                self.runs_are(&name, company, "Running").await;
                store.delete_job(job, by, now).await.unwrap();
                "Stopped"
            }
            state => before(state).split_once(' ').unwrap().1,
        };
        self.runs_are(&name, company, runs).await;
        let run = self.runs(company, &name).await.remove(0);
        let cell = Cell { verb, state, form, company, name, job, run: run.id, run_name: run.run_name };
        assert_eq!(self.left(&cell).await, before(state), "the stage is set");
        cell
    }

    /// An upload whose client may post more.
    async fn post(&self, name: &str) -> JobId {
        let now = self.server.services().clock().now();
        let by = self.operator.account;
        let job = NewJob {
            company: CompanyId(47),
            name: name.to_owned(),
            spec: JobSpec::parse(JobKind::UploadPost, &json!({"emailSetting": "None"})).unwrap(),
            responsible: by,
            submitter: by,
            locale: None,
            description: None,
            client: None,
            address: None,
            created_at: now,
            trigger: Trigger::AtOnce,
            next_fire_at: None,
            run: Some(NewRun { due_at: now, exclusive_key: None, passed: None }),
            parent: None,
        };
        let post = Post {
            upload: Upload::New(Box::new(job)),
            company: CompanyId(47),
            address: "127.0.0.1".to_owned(),
            files: Vec::new(),
            next_until: Some(now + TimeDelta::hours(1)),
            at: now,
        };
        let run = self.server.store().post(post).await.unwrap();
        self.server.store().run(run.id).await.unwrap().unwrap().job
    }

    /// The trigger, whether the job is deleted, and its runs.
    async fn left(&self, cell: &Cell) -> String {
        let question = format!(
            "SELECT trigger_state || CASE WHEN deleted_at IS NULL THEN '' ELSE ', deleted' END FROM job WHERE id = {}",
            cell.job.0
        );
        let job = Database::of(&self.server.data()).await.texts(&question).await.remove(0);
        format!("{job} {}", self.shown_runs(cell.company, &cell.name).await)
    }

    async fn say(&self, way: Way, cell: &Cell) -> Option<(Answer, String)> {
        match way {
            Way::Soap => self.by_soap(cell).await,
            Way::Json => Some(self.by_json(cell).await),
            Way::CommandLine => Some(self.by_command(cell).await),
        }
    }

    async fn by_soap(&self, cell: &Cell) -> Option<(Answer, String)> {
        let operation = match cell.verb {
            Verb::Stop => "stopJob",
            Verb::Pause => "pauseJob",
            Verb::Resume => "resumeJob",
            Verb::Execute => "executeJob",
            Verb::Delete => "deleteJob",
            // IPS has no such call.
            Verb::Retry => return None,
        };
        let is_old = matches!(cell.form, Form::OldSubmitted | Form::OldRun);
        let (namespace, company) =
            if is_old { (OLDEST, cell.company.to_string()) } else { (NEWEST, format!("c|{}", cell.company)) };
        let body = format!(
            "<{operation}Param xmlns=\"{namespace}\"><companyHandle>{company}</companyHandle><jobHandle>{}</jobHandle>\
             </{operation}Param>",
            cell.said()
        );
        let answer = match cell.company {
            48 => {
                let (email, password) = administrator(&self.server);
                let member = self.server.soap(ADA, &body).await;
                assert_eq!(member.fault_code(), Some(20006), "its members can do nothing: {}", member.text);
                self.server.soap_as(&email, &password, &body).await
            }
            _ => self.server.soap(ADA, &body).await,
        };
        let meant = match (answer.status, answer.fault_code()) {
            (200, None) => Answer::Done,
            (_, Some(30000)) => Answer::Refused,
            (_, Some(30001)) => Answer::Unknown,
            (_, Some(20006)) => Answer::Expired,
            _ => panic!("{}", answer.text),
        };
        Some((meant, answer.text))
    }

    async fn by_json(&self, cell: &Cell) -> (Answer, String) {
        let (email, password) = match cell.company {
            48 => administrator(&self.server),
            _ => (ADA.to_owned(), crate::server::PASSWORD.to_owned()),
        };
        let mut address = reqwest::Url::parse(&self.server.url("/api/jobs")).unwrap();
        address.path_segments_mut().unwrap().push(&cell.said()).push(word(cell.verb));
        let request = self.server.client().post(address).basic_auth(email, Some(password));
        let response = request.header("Content-Type", "application/json").send().await.unwrap();
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let meant = match (status, value["type"].as_str()) {
            (200, None) => Answer::Done,
            (409, Some("conflict")) => Answer::Refused,
            (404, Some("not-found")) => Answer::Unknown,
            (403, Some("denied")) => Answer::Expired,
            _ => panic!("{status}: {text}"),
        };
        if meant == Answer::Done {
            let took = match cell.form {
                form if form.is_of_run() => "run",
                Form::Submitted | Form::OldSubmitted if matches!(cell.verb, Verb::Stop | Verb::Delete) => "jobs",
                _ => "job",
            };
            assert_eq!(
                (value["took"].as_str(), value["name"].as_str()),
                (Some(took), Some(cell.name.as_str())),
                "{text}"
            );
        }
        (meant, text)
    }

    async fn by_command(&self, cell: &Cell) -> (Answer, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prepress"));
        command.env("PREPRESS_DATA", self.server.data()).env("TZ", "Europe/Berlin").env_remove("PREPRESS_CONFIG");
        command.args(["jobs", word(cell.verb), &cell.said()]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        let meant = match output.status.code() {
            Some(0) => {
                assert!(out.contains(&cell.name) && err.is_empty(), "{out}{err}");
                Answer::Done
            }
            Some(1) if err.contains("there is no job") => Answer::Unknown,
            Some(1) if err.contains("the company expired at") => Answer::Expired,
            Some(1) => Answer::Refused,
            code => panic!("{code:?} {out}{err}"),
        };
        (meant, out + &err)
    }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Stop => "stop",
        Verb::Pause => "pause",
        Verb::Resume => "resume",
        Verb::Execute => "run",
        Verb::Delete => "delete",
        Verb::Retry => "retry",
    }
}

/// Tries every cell of the table, and tells of all that are not as they should be.
async fn try_all(way: Way, forms: &[Form]) {
    let house = House::open().await;
    let all = STATES
        .into_iter()
        .flat_map(|state| VERBS.into_iter().flat_map(move |verb| forms.iter().map(move |form| (verb, state, *form))));
    // Set up together, so that they share commits.
    let cells: Vec<Cell> =
        stream::iter(all).map(|(verb, state, form)| house.cell(verb, state, form)).buffer_unordered(32).collect().await;
    house.server.expire(48).await;
    let tried = stream::iter(&cells).map(|cell| try_one(&house, way, cell)).buffer_unordered(3);
    let wrong: Vec<String> = tried.filter_map(async |wrong| wrong).collect().await;
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
    house.server.shut_down().await;
}

async fn try_one(house: &House, way: Way, cell: &Cell) -> Option<String> {
    let Cell { verb, state, form, .. } = cell;
    let (answer, told) = house.say(way, cell).await?;
    let wanted = expected(*verb, *state, *form);
    if answer != wanted {
        return Some(format!("{verb:?} {state:?} {form:?}: {answer:?}, and not {wanted:?}: {told}"));
    }
    let left = match wanted {
        Answer::Done => after(*verb, *state),
        _ => before(*state).to_owned(),
    };
    // What was refused has changed nothing, at once; what was done may take the daemon a moment.
    let waited = std::time::Instant::now();
    loop {
        let found = house.left(cell).await;
        if found == left {
            return None;
        }
        if wanted != Answer::Done || waited.elapsed().as_secs() > 60 {
            return Some(format!("{verb:?} {state:?} {form:?}: left \"{found}\", and not \"{left}\": {told}"));
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_control_in_every_state_over_soap() {
    try_all(Way::Soap, &HANDLES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_control_in_every_state_over_json() {
    try_all(Way::Json, &ALL_FORMS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_control_in_every_state_by_command() {
    try_all(Way::CommandLine, &ALL_FORMS).await;
}

/// The codes of the faults, and what is listed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_clear_is_refused_with_what_could_be_meant() {
    let house = House::open().await;
    house.server.company("Beta", 49).await;
    let plain = "uploadDirectoryJob";
    for company in [47, 49] {
        house.submit(company, "Running twice", plain, None).await;
        house.runs_are("Running twice", company, "Running").await;
    }
    let post = async |user: &str, password: &str, path: &str, media_type: &str| {
        let request = house.server.client().post(house.server.url(path)).basic_auth(user, Some(password));
        let response = request.header("Content-Type", media_type).send().await.unwrap();
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    };
    let (admin, password) = administrator(&house.server);
    let (stop, json) = ("/api/jobs/Running%20twice/stop", "application/json");
    let (status, problem) = post(&admin, &password, stop, json).await;
    assert_eq!((status, problem["type"].as_str()), (409, Some("ambiguous")), "{problem}");
    let companies: Vec<_> =
        problem["candidates"].as_array().unwrap().iter().map(|one| one["company"].clone()).collect();
    assert_eq!(companies, ["Acme", "Beta"], "{problem}");
    // A page of another site can send no such type, and there is no such verb.
    let (status, problem) = post(&admin, &password, &format!("{stop}?company=Beta"), "text/plain").await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("Content-Type")));
    assert_eq!(post(&admin, &password, "/api/jobs/Running%20twice/end", json).await.0, 404);
    assert_eq!(house.shown_runs(49, "Running twice").await, "Running", "nothing was done");
    // Whoever belongs to one company means its job, and hears of no other.
    let (status, done) = post(ADA, crate::server::PASSWORD, stop, json).await;
    assert_eq!((status, done["company"].as_str()), (200, Some("Acme")), "{done}");
    house.runs_are("Running twice", 47, "Stopped").await;

    // Over SOAP a handle says which company, but not which of two jobs is to run again.
    house.submit(47, "Done twice", plain, None).await;
    house.submit(47, "Done twice", plain, None).await;
    house.runs_are("Done twice", 47, "Succeeded Succeeded").await;
    let call = async |operation: &str, company: i64, handle: &str| {
        let body = format!(
            "<{operation}Param xmlns=\"{NEWEST}\"><companyHandle>c|{company}</companyHandle>{handle}</{operation}Param>"
        );
        house.server.soap_as(&admin, &password, &body).await
    };
    let refused = call("executeJob", 47, "<jobHandle>j|47|Done twice||</jobHandle>").await;
    assert_eq!(refused.fault_code(), Some(30000), "{}", refused.text);
    for run in house.runs(47, "Done twice").await {
        let handle = format!("j|47||{}|{}", run.run_name, run.id);
        assert!(refused.reason().contains(&handle), "{}", refused.reason());
        assert_eq!(call("executeJob", 47, &format!("<jobHandle>{handle}</jobHandle>")).await.status, 200);
    }
    // What was posted for a run is no other run's.
    house.post("Posted").await;
    assert_eq!(call("stopJob", 47, "<jobHandle>j|47|Posted||</jobHandle>").await.status, 200);
    let refused = call("executeJob", 47, "<jobHandle>j|47|Posted||</jobHandle>").await;
    assert!(refused.reason().contains("post them again"), "{}", refused.text);

    // What is left in a company that has expired is listed to administrators of the server, and to nobody else.
    house.submit(48, "Left", plain, Some("0 0 3 1 1 ? 2090")).await;
    house.submit(48, "Running on", plain, None).await;
    house.runs_are("Running on", 48, "Running").await;
    house.server.expire(48).await;
    for (operation, name) in
        [("getScheduledJobs", "Left"), ("getActiveJobs", "Running on"), ("getJobLogs", "Running on")]
    {
        let listed = call(operation, 48, "").await;
        assert!(listed.text.contains(name), "{operation}: {}", listed.text);
        let body =
            format!("<{operation}Param xmlns=\"{NEWEST}\"><companyHandle>c|48</companyHandle></{operation}Param>");
        assert_eq!(house.server.soap(ADA, &body).await.fault_code(), Some(20006), "{operation}");
    }
    house.server.shut_down().await;
}
