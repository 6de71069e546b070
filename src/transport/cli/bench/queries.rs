//! Lists and logs at size: what clients poll, and what people look at, on a server that has had many runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono_tz::Tz;
use serde_json::json;

use super::report::{Report, median, rate};
use super::scratch::Scratch;
use super::{BenchError, failed};
use crate::clock::{Stopwatch, SystemClock};
use crate::model::handle;
use crate::model::id::{AccountId, CompanyId, InstanceId};
use crate::model::kind::JobKind;
use crate::model::locale::Locale;
use crate::model::outcome::Outcome;
use crate::model::role::Role;
use crate::service::jobs::board::JobsQuery;
use crate::service::jobs::{GetActiveJobsParam, GetJobLogDetailsParam, GetJobLogsParam, SubmitJobParam};
use crate::service::{Caller, Error, Services, Settings};
use crate::store::{Options, Store, sample};

/// Who asks again and again while jobs are submitted.
const POLLERS: usize = 8;
const SUBMISSIONS: usize = 500;

const COMPANY: &str = "c|1";

/// How much to ask of how much.
#[derive(Debug, Clone, clap::Args)]
pub struct QueriesArgs {
    /// Folder for the database, on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Runs that the server has had
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..=100_000_000))]
    runs: u32,
    /// Rows of a list
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rows: u16,
    /// Times that each question is asked, of which the median counts
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

struct Bench {
    services: Services,
    caller: Caller,
    rounds: u16,
    rows: u16,
    /// Milliseconds of a plain read of as many rows.
    limit: f64,
}

pub(super) async fn measure(plan: &QueriesArgs, report: &mut Report) -> Result<(), BenchError> {
    let folder = Scratch::new(&plan.folder, "queries")?;
    let path = folder.path().join("prepress.db");
    eprintln!("Writing {} runs …", plan.runs);
    let open = || async { Store::open(Options::new(&path, Tz::UTC)).await.map_err(failed("open a database")) };
    open().await?.close().await;
    sample::fill(&path, i64::from(plan.runs), 0).await.map_err(failed("write runs"))?;
    eprintln!("Asking for {} rows, {} times each …", plan.rows, plan.rounds);
    let mut limit = Vec::new();
    for _ in 0..plan.rounds {
        let watch = Stopwatch::start();
        sample::raw_reads(&path, i64::from(plan.rows), 1).await.map_err(failed("read raw rows"))?;
        limit.push(watch.elapsed().as_secs_f64() * 1000.0);
    }
    let watch = Stopwatch::start();
    let store = open().await?;
    report.add("opening of the database", watch.elapsed().as_secs_f64() * 1000.0, "ms");
    let services = Services::new(store.clone(), SystemClock::shared(), Settings::default())
        .map_err(failed("start the services"))?;
    let caller = Caller {
        account: AccountId(1),
        email: "user1@sample.example".to_owned(),
        is_ips_admin: true,
        roles: [(CompanyId(1), Role::IpsUser)].into(),
        locale: Locale::english(),
        client: None,
        peer: None,
        address: None,
    };
    let bench = Bench { services, caller, rounds: plan.rounds, rows: plan.rows, limit: median(limit) };
    bench.logs(report).await?;
    bench.details(report, plan.runs).await?;
    bench.lists(report).await?;
    bench.active(report).await?;
    bench.beside_pollers(report).await?;
    drop(bench);
    let watch = Stopwatch::start();
    store.close().await;
    report.add("closing of the database", watch.elapsed().as_secs_f64() * 1000.0, "ms");
    Ok(())
}

impl Bench {
    /// The median time of a call, in milliseconds.
    async fn time<T, F>(&self, call: impl Fn() -> F) -> Result<f64, BenchError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut times = Vec::new();
        for _ in 0..self.rounds {
            let watch = Stopwatch::start();
            call().await.map_err(failed("ask"))?;
            times.push(watch.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(median(times))
    }

    fn add(&self, report: &mut Report, what: impl Into<String>, time: f64) {
        report.add_against(what, time, "ms", (format!("a plain read of {} rows", self.rows), self.limit));
    }

    /// The slower direction of each sort, and of one company or all.
    async fn logs(&self, report: &mut Report) -> Result<(), BenchError> {
        let sorts = [
            "StartDate",
            "JobName",
            "LogType",
            "CompanyName",
            "UserId",
            "Email",
            "FileErrorCount",
            "FileWarningCount",
            "FileSuccessCount",
        ];
        let param = |sort: Option<&str>, direction: Option<&str>, company: Option<&str>| GetJobLogsParam {
            company_handle: company.map(str::to_owned),
            sort_by: sort.map(str::to_owned),
            sort_direction: direction.map(str::to_owned),
            num_rows: Some(i64::from(self.rows)),
            ..GetJobLogsParam::default()
        };
        for (company, of) in [(Some(COMPANY), "a company"), (None, "all companies")] {
            for sort in sorts {
                let mut slower: f64 = 0.0;
                for direction in ["Ascending", "Descending"] {
                    let ask = || self.services.get_job_logs(&self.caller, param(Some(sort), Some(direction), company));
                    slower = slower.max(self.time(ask).await?);
                }
                self.add(report, format!("getJobLogs of {of} by {sort}"), slower);
            }
        }
        for (what, user, from) in [
            ("getJobLogs of a user", Some("u|1|user1@sample.example"), None),
            ("getJobLogs since the beginning, by FileErrorCount", None, Some("2017-07-14T00:00:00Z")),
        ] {
            let ask = || {
                let param = GetJobLogsParam {
                    user_handle: user.map(str::to_owned),
                    start_date: from.map(str::to_owned),
                    ..param(from.map(|_| "FileErrorCount"), None, Some(COMPANY))
                };
                self.services.get_job_logs(&self.caller, param)
            };
            self.add(report, what, self.time(ask).await?);
        }
        Ok(())
    }

    async fn details(&self, report: &mut Report, runs: u32) -> Result<(), BenchError> {
        let runs = i64::from(runs);
        // Of company 1, and of a job of its own.
        let number = runs / 2 / 20 * 20 + 1;
        let run = self.services.store().run(InstanceId(number)).await.map_err(failed("read a run"))?;
        let run = run.ok_or_else(|| failed("read a run")("it is not there"))?;
        let handle = handle::run(run.company, &run.run_name, run.id);
        let submitted = handle::submitted_job(run.company, &run.job_name);
        let of_many = handle::submitted_job(run.company, sample::COMMON_NAME);
        for (what, job_handle, original_name) in [
            ("by name", None, Some(run.job_name.as_str())),
            ("by a name of many jobs", None, Some(sample::COMMON_NAME)),
            ("by the handle that submitJob gave", Some(submitted.as_str()), None),
            ("by the handle of many jobs", Some(of_many.as_str()), None),
            ("by the handle of a run", Some(handle.as_str()), None),
        ] {
            let ask = || {
                let param = GetJobLogDetailsParam {
                    company_handle: handle::company(run.company),
                    job_handle: job_handle.map(str::to_owned),
                    original_name: original_name.map(str::to_owned),
                    ..GetJobLogDetailsParam::default()
                };
                self.services.get_job_log_details(&self.caller, param)
            };
            self.add(report, format!("getJobLogDetails {what}"), self.time(ask).await?);
        }
        Ok(())
    }

    async fn lists(&self, report: &mut Report) -> Result<(), BenchError> {
        let newest = JobsQuery { limit: u32::from(self.rows), ..JobsQuery::default() };
        for (what, query) in [
            ("the newest", newest.clone()),
            ("failed", JobsQuery { outcome: Some(Outcome::Failed), ..newest.clone() }),
            ("stopped", JobsQuery { outcome: Some(Outcome::Stopped), ..newest.clone() }),
            ("of a rare kind", JobsQuery { kind: Some(JobKind::Export), ..newest.clone() }),
            ("of a name", JobsQuery { name: Some("Upload 5001".to_owned()), ..newest.clone() }),
            ("of a name of many jobs", JobsQuery { name: Some(sample::COMMON_NAME.to_owned()), ..newest.clone() }),
        ] {
            for (company, of) in [(Some(COMPANY.to_owned()), "a company"), (None, "all companies")] {
                let query = JobsQuery { company, ..query.clone() };
                let ask = || self.services.list_jobs(&self.caller, &query);
                self.add(report, format!("jobs list: {what}, of {of}"), self.time(ask).await?);
            }
        }
        Ok(())
    }

    async fn active(&self, report: &mut Report) -> Result<(), BenchError> {
        let of_company =
            GetActiveJobsParam { company_handle: Some(COMPANY.to_owned()), ..GetActiveJobsParam::default() };
        let named = GetActiveJobsParam { original_name: Some("Upload 5001".to_owned()), ..of_company.clone() };
        let time = self.time(|| self.services.get_active_jobs(&self.caller, named.clone())).await?;
        self.add(report, "getActiveJobs of a name", time);
        let watch = Stopwatch::start();
        let pages = self.services.get_active_jobs(&self.caller, of_company).await.map_err(failed("ask"))?;
        let jobs = pages.all().await.map_err(failed("read pages"))?.len();
        report.add("getActiveJobs of a company, all of them", rate(jobs, watch.elapsed()), "jobs/s");
        Ok(())
    }

    /// Submissions one after the other, alone and beside clients that poll as fast as they can.
    async fn beside_pollers(&self, report: &mut Report) -> Result<(), BenchError> {
        let alone = self.submissions("alone").await?;
        let ended = Arc::new(AtomicBool::new(false));
        let pollers = (0..POLLERS).map(|_| {
            let (services, caller, ended) = (self.services.clone(), self.caller.clone(), ended.clone());
            tokio::spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    let param = GetJobLogDetailsParam {
                        company_handle: COMPANY.to_owned(),
                        original_name: Some(sample::COMMON_NAME.to_owned()),
                        ..GetJobLogDetailsParam::default()
                    };
                    services.get_job_log_details(&caller, param).await?;
                }
                Ok::<_, Error>(())
            })
        });
        let pollers: Vec<_> = pollers.collect();
        let beside = self.submissions("beside").await;
        ended.store(true, Ordering::Relaxed);
        for poller in pollers {
            poller.await.map_err(failed("poll"))?.map_err(failed("poll"))?;
        }
        report.add_against(
            format!("submissions one by one, beside {POLLERS} pollers"),
            beside?,
            "jobs/s",
            ("the same alone", alone),
        );
        Ok(())
    }

    async fn submissions(&self, name: &str) -> Result<f64, BenchError> {
        let mut elements = serde_json::Map::new();
        elements.insert("optimizeImagesJob".to_owned(), json!({"emailSetting": "None"}));
        let watch = Stopwatch::start();
        for number in 0..SUBMISSIONS {
            let param = SubmitJobParam {
                company_handle: COMPANY.to_owned(),
                job_name: format!("Job {name} {number}"),
                elements: elements.clone(),
                ..SubmitJobParam::default()
            };
            self.services.submit_job(&self.caller, param).await.map_err(failed("submit"))?;
        }
        Ok(rate(SUBMISSIONS, watch.elapsed()))
    }
}
