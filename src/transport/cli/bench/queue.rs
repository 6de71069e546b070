//! The queue: durable submissions, the way from submission to start, jobs from end to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::mpsc;

use super::report::{Report, median, percentile, rate};
use super::scratch::Scratch;
use super::{BenchArgs, BenchError, failed};
use crate::clock::{Stopwatch, SystemClock};
use crate::config::{Config, Overrides};
use crate::daemon::Daemon;
use crate::executors::{Context, Executor, Failure, Registry};
use crate::model::id::CompanyId;
use crate::model::job::JobSpec;
use crate::model::role::Role;
use crate::service::admin::AddUser;
use crate::service::jobs::SubmitJobParam;
use crate::service::{Caller, Credentials};
use crate::store::limit;
use crate::transport::soap::SOAP_PATH;

const EMAIL: &str = "bench@localhost.example";
const PASSWORD: &str = "a password for a benchmark";
const COMPANY: CompanyId = CompanyId(1);

/// Jobs submitted one by one to measure the way to their start.
const LATENCY_JOBS: usize = 300;

/// Executors that note when they begin and do nothing.
#[derive(Clone)]
struct Noop {
    started: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl Executor for Noop {
    async fn run(&self, _context: &Context) -> Result<(), Failure> {
        // Nobody listens outside the measure of latency.
        let _ = self.started.send(());
        Ok(())
    }
}

impl Registry for Noop {
    fn executor(&self, _spec: &JobSpec) -> Box<dyn Executor> {
        Box::new(self.clone())
    }
}

struct Bench {
    daemon: Daemon,
    caller: Caller,
    started: mpsc::UnboundedReceiver<()>,
    _folder: Scratch,
}

impl Bench {
    async fn start(plan: &BenchArgs, name: &str, slots: usize) -> Result<Self, BenchError> {
        let folder = Scratch::new(&plan.folder, name)?;
        let file = folder.path().join("prepress.toml");
        std::fs::write(&file, format!("[dispatch]\nslots = {slots}\n")).map_err(failed("write a configuration"))?;
        let overrides = Overrides { data: Some(folder.path().join("data")), listen: Some(([127, 0, 0, 1], 0).into()) };
        let config = Config::load(Some(&file), overrides).map_err(failed("read a configuration"))?;
        let (sender, started) = mpsc::unbounded_channel();
        let registry = Arc::new(Noop { started: sender });
        let daemon = Daemon::start_with(Arc::new(config), SystemClock::shared(), registry)
            .await
            .map_err(failed("start a daemon"))?;
        let services = daemon.services();
        services.add_company("Bench", Some(COMPANY), None).await.map_err(failed("add a company"))?;
        let user = AddUser {
            email: EMAIL.to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            company: "Bench".to_owned(),
            role: Role::IpsUser,
            password: Some(PASSWORD.to_owned()),
            locale: None,
        };
        services.add_user(user).await.map_err(failed("add a user"))?;
        let credentials =
            Credentials { user: Some(EMAIL.to_owned()), password: Some(PASSWORD.to_owned()), ..Credentials::default() };
        let caller = services.authenticate(credentials).await.map_err(failed("log in"))?;
        Ok(Self { daemon, caller, started, _folder: folder })
    }

    async fn stop(self) {
        self.daemon.shut_down().await;
    }
}

fn order(number: usize, waits: bool) -> SubmitJobParam {
    let mut elements = serde_json::Map::new();
    elements.insert("optimizeImagesJob".to_owned(), json!({"emailSetting": "None"}));
    SubmitJobParam {
        company_handle: "c|1".to_owned(),
        job_name: format!("Job {number}"),
        exec_time: waits.then(|| "2099-01-01T00:00:00Z".to_owned()),
        elements,
        ..SubmitJobParam::default()
    }
}

pub(super) async fn measure(plan: &BenchArgs, report: &mut Report) -> Result<(), BenchError> {
    let (mut raw, mut inside, mut soap, mut whole) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        raw.push(raw_commits(plan, usize::from(round)).await?);
        inside.push(submissions(plan).await?);
        soap.push(soap_submissions(plan).await?);
        whole.push(from_end_to_end(plan).await?);
    }
    let limit = median(raw);
    let measure = || (format!("raw SQLite group commits of {}", plan.clients), limit);
    report.add_against(
        format!("durable submissions, {} tasks in process", plan.clients),
        median(inside),
        "jobs/s",
        measure(),
    );
    report.add_against(
        format!("durable submissions, {} SOAP clients", plan.clients),
        median(soap),
        "jobs/s",
        measure(),
    );
    report.add_against("no-op jobs from submission to end", median(whole), "jobs/s", measure());
    let mut latencies = latency(plan).await?;
    report.add("submission to start, median", percentile(&mut latencies, 0.5), "ms");
    report.add("submission to start, 99 of 100 within", percentile(&mut latencies, 0.99), "ms");
    Ok(())
}

async fn raw_commits(plan: &BenchArgs, round: usize) -> Result<f64, BenchError> {
    let folder = Scratch::new(&plan.folder, &format!("raw-{round}"))?;
    let watch = Stopwatch::start();
    limit::group_commits(&folder.path().join("raw.db"), plan.jobs, usize::from(plan.clients))
        .await
        .map_err(failed("write raw rows"))?;
    Ok(rate(plan.jobs, watch.elapsed()))
}

/// Jobs that wait, so that nothing but the submission is measured.
async fn submissions(plan: &BenchArgs) -> Result<f64, BenchError> {
    let bench = Bench::start(plan, "submit", 1).await?;
    let elapsed = submit_all(&bench, plan, true).await?;
    bench.stop().await;
    Ok(rate(plan.jobs, elapsed))
}

async fn submit_all(bench: &Bench, plan: &BenchArgs, waits: bool) -> Result<std::time::Duration, BenchError> {
    let next = Arc::new(AtomicUsize::new(0));
    let watch = Stopwatch::start();
    let tasks = (0..plan.clients).map(|_| {
        let (services, caller, next, jobs) =
            (bench.daemon.services().clone(), bench.caller.clone(), next.clone(), plan.jobs);
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= jobs {
                    return Ok(());
                }
                services.submit_job(&caller, order(number, waits)).await?;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let done: Result<(), crate::service::Error> = task.await.map_err(failed("submit"))?;
        done.map_err(failed("submit"))?;
    }
    Ok(watch.elapsed())
}

async fn soap_submissions(plan: &BenchArgs) -> Result<f64, BenchError> {
    let bench = Bench::start(plan, "soap", 1).await?;
    let url = format!("http://{}{SOAP_PATH}", bench.daemon.address());
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(usize::from(plan.clients))
        .build()
        .map_err(failed("make a client"))?;
    let next = Arc::new(AtomicUsize::new(0));
    let watch = Stopwatch::start();
    let tasks = (0..plan.clients).map(|_| {
        let (client, url, next, jobs) = (client.clone(), url.clone(), next.clone(), plan.jobs);
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= jobs {
                    return Ok(());
                }
                let answer = client.post(&url).header("Content-Type", "text/xml").body(envelope(number)).send().await?;
                answer.error_for_status()?.bytes().await?;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let done: Result<(), reqwest::Error> = task.await.map_err(failed("call"))?;
        done.map_err(failed("call"))?;
    }
    let elapsed = watch.elapsed();
    bench.stop().await;
    Ok(rate(plan.jobs, elapsed))
}

fn envelope(number: usize) -> String {
    format!(
        r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header><authHeader xmlns="http://www.scene7.com/IpsApi/xsd"><user>{EMAIL}</user><password>{PASSWORD}</password></authHeader></soapenv:Header><soapenv:Body><submitJobParam xmlns="http://www.scene7.com/IpsApi/xsd/2014-04-03"><companyHandle>c|1</companyHandle><jobName>Job {number}</jobName><execTime>2099-01-01T00:00:00Z</execTime><optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob></submitJobParam></soapenv:Body></soapenv:Envelope>"#
    )
}

async fn from_end_to_end(plan: &BenchArgs) -> Result<f64, BenchError> {
    let mut bench = Bench::start(plan, "whole", usize::from(plan.clients)).await?;
    let watch = Stopwatch::start();
    submit_all(&bench, plan, false).await?;
    for _ in 0..plan.jobs {
        bench.started.recv().await.ok_or_else(|| failed("see jobs start")("the daemon ended"))?;
    }
    wait_for_the_end(&bench).await?;
    let elapsed = watch.elapsed();
    bench.stop().await;
    Ok(rate(plan.jobs, elapsed))
}

/// All runs are done when none is waiting or running.
async fn wait_for_the_end(bench: &Bench) -> Result<(), BenchError> {
    let store = bench.daemon.services().store();
    while store.has_open_runs().await.map_err(failed("look at the queue"))? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Milliseconds from the call of submitJob to the first line of the executor, one job at a time.
async fn latency(plan: &BenchArgs) -> Result<Vec<f64>, BenchError> {
    let mut bench = Bench::start(plan, "latency", 2).await?;
    let mut latencies = Vec::with_capacity(LATENCY_JOBS);
    for number in 0..LATENCY_JOBS {
        let watch = Stopwatch::start();
        bench.daemon.services().submit_job(&bench.caller, order(number, false)).await.map_err(failed("submit"))?;
        bench.started.recv().await.ok_or_else(|| failed("see a job start")("the daemon ended"))?;
        latencies.push(watch.elapsed().as_secs_f64() * 1000.0);
    }
    bench.stop().await;
    Ok(latencies)
}
