//! `prepress submit`.

mod fields;
mod order;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::failure::{Exit, Failure, quoted};
use super::jobs;
use super::place::{Place, PlaceArgs};
use super::screen::{Paint, Screen, without_nulls};
use super::serve::Signals;
use super::times::Times;
use super::watch::{self, Wait};
use crate::assets::ingest::{CompanyFolder, IngestError};
use crate::config::Period;
use crate::model::email_setting::EmailSetting;
use crate::model::handle;
use crate::model::id::InstanceId;
use crate::model::job::{JobSpec, PublishType};
use crate::model::kind::JobKind;
use crate::model::overwrite::SameName;
use crate::model::schedule::Schedule;
use crate::model::trigger::Trigger;
use crate::service::jobs::board::JobsQuery;
use crate::service::jobs::{Accepted, Checked, SubmitJobParam, shown_order};
use crate::service::{Caller, Denied, Error};
use crate::store::companies::Company;
use crate::store::jobs::query::Run;
use crate::words::harmless;

/// Firings shown of a schedule.
const FIRINGS: usize = 5;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prepress submit job.xml --wait
  prepress submit --kind uploadDirectory --company Acme --dir spring --publish Full --wait
  prepress submit --kind uploadDirectory --company Acme --dir papers --pages=300
  prepress submit --kind uploadUrls --company Acme --url https://example.com/a.jpg
  prepress submit --kind imageServingPublish --name Nightly --schedule '0 0 2 * * ?' --dry-run")]
pub struct SubmitArgs {
    /// A submitJobParam: XML, alone or in a SOAP envelope, or JSON of the same shape; - for standard input
    #[arg(value_name = "FILE", required_unless_present = "kind")]
    file: Option<PathBuf>,
    /// Instead of a file: uploadDirectory, uploadUrls, optimizeImages or imageServingPublish
    #[arg(long, value_parser = jobs::kind, conflicts_with = "file", help_heading = "Instead of a file")]
    kind: Option<JobKind>,
    /// Directory to upload, below the company's ingest folder ("" for all of it)
    #[arg(long, value_name = "PATH", conflicts_with = "file", help_heading = "Instead of a file")]
    dir: Option<String>,
    /// Folder of the new assets
    #[arg(long, value_name = "FOLDER", conflicts_with = "file", help_heading = "Instead of a file")]
    dest: Option<String>,
    /// Without the subfolders of the directory
    #[arg(long, conflicts_with = "file", help_heading = "Instead of a file")]
    flat: bool,
    /// Address to upload, once for each; ADDRESS=FOLDER/NAME to say where it goes
    #[arg(long = "url", value_name = "URL", conflicts_with = "file", help_heading = "Instead of a file")]
    urls: Vec<String>,
    /// Replace assets that are there
    #[arg(long, conflicts_with = "file", help_heading = "Instead of a file")]
    overwrite: bool,
    /// What becomes of files whose names assets with other content have, if nothing is replaced: skip (left out, with exit code 4)
    /// or number (stored as NAME-1); default: as the company or the configuration says
    #[arg(long, value_name = "WHAT", conflicts_with = "file", help_heading = "Instead of a file")]
    same_name: Option<SameName>,
    /// Make the pages of PDF, PostScript and Illustrator files assets, at so many pixels per inch, 1 to 2400 (without a number: 150)
    #[arg(
        long,
        value_name = "RESOLUTION",
        require_equals = true,
        conflicts_with = "file",
        help_heading = "Instead of a file",
        value_parser = order::resolution
    )]
    pages: Option<Option<f64>>,
    /// Set script that groups the new assets, once for each; see: prepress preset list
    #[arg(long = "sets", value_name = "HANDLE", conflicts_with = "file", help_heading = "Instead of a file")]
    set_scripts: Vec<String>,
    /// Publish afterwards (or, for imageServingPublish, how): Full, FullWithSearch or Incremental
    #[arg(long, value_name = "TYPE", conflicts_with = "file", help_heading = "Instead of a file")]
    publish: Option<PublishType>,
    /// Who is mailed about what: All, Error, ErrorAndWarning, JobCompletion or None
    #[arg(long, value_name = "SETTING", conflicts_with = "file", help_heading = "Instead of a file")]
    email: Option<EmailSetting>,
    /// Company: its name, number or handle (default: the only one there is)
    #[arg(long)]
    company: Option<String>,
    /// Name of the job (default: the type of the kind, such as UploadFromServerDirectory)
    #[arg(long)]
    name: Option<String>,
    /// Submit as this user, with this user's rights (default: as an administrator)
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Run at this time: on the clock of the data's zone, such as 2026-11-24T02:30, or with an offset, such as
    /// 2026-11-24T02:30Z or 2026-11-24T02:30+09:00
    #[arg(long, value_name = "TIME", conflicts_with = "schedule")]
    at: Option<String>,
    /// Run by this schedule, such as '0 30 2 ? * MON-FRI'; see: prepress schedule next
    #[arg(long, value_name = "EXPR")]
    schedule: Option<String>,
    /// Check everything and show what would happen, without submitting
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Wait for the job, and for the publish after it; the exit code says how it ended (3 and 4 in `prepress --help`)
    #[arg(long)]
    wait: bool,
    /// With --wait: how long the daemon may be away, as for a restart, before the command gives up waiting
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "wait")]
    restart_within: Period,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: SubmitArgs, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let place = &place.open().await?;
    let caller = match &args.user {
        Some(email) => place.services.act_as(email).await?,
        None => place.operator().await?,
    };
    let param = order::param(&args, &place.services.companies().await?)?;
    let daemon_runs = place.daemon_runs();
    if args.wait {
        check_wait(&param, daemon_runs, place)?;
    }
    if args.dry_run {
        let checked = place.services.check_job(&caller, param).await.map_err(refused)?;
        return dry_run(checked, &caller, args.json, place, screen).await;
    }
    let schedule = param.exec_schedule.clone();
    let accepted = place.services.submit_job_numbered(&caller, param).await.map_err(refused)?;
    let Accepted { job_handle, submitted, passed, fires_at } = accepted;
    place.ring();
    if args.wait {
        let mut signals = Signals::listen()?;
        let done = async {
            let mut wait = Wait::new(place, args.restart_within, &job_handle);
            let first = match &submitted.run {
                Some(run) => run.id,
                None => wait.first_run(submitted.job).await?,
            };
            wait.until_all_done(first).await
        };
        let runs = tokio::select! {
            runs = done => runs?,
            _ = signals.next() => {
                let what = format!("the job goes on; see: prepress jobs show {}", quoted(&job_handle));
                return Err(Failure::Interrupted(what));
            }
        };
        return show(&runs, &caller, args.json, place, screen).await;
    }
    if args.json {
        let run = submitted.run.as_ref();
        screen.json(&json!({
            "handle": job_handle,
            "job": submitted.job,
            "run": run.map(|run| run.id),
            "runName": run.map(|run| &run.name),
            "passed": passed,
            "firesAt": fires_at,
            "zone": place.times().zone.name(),
            "daemonRuns": daemon_runs,
        }))?;
        return Ok(Exit::Done);
    }
    screen.line(format!("Submitted {}", screen.paint(Paint::Bold, harmless(&job_handle))))?;
    let look = match &submitted.run {
        Some(run) => format!("prepress jobs show {}", run.id),
        None => format!("prepress jobs show {}", quoted(&job_handle)),
    };
    let times = place.times();
    let schedule = schedule.as_deref().and_then(|text| Schedule::parse(text).ok());
    let means = schedule.as_ref().map(|schedule| format!("{} ({})", schedule.describe(), times.zone));
    let once = fires_at.filter(|_| schedule.is_none()).map(|at| once(at, times));
    let next = fires_at.filter(|_| schedule.is_some());
    screen.facts([
        ("runs", means.or(once).or_else(|| passed.map(|at| at_once(at, times))).unwrap_or_default()),
        ("next", next.map(|at| times.both(at)).unwrap_or_default()),
        ("look", look),
    ])?;
    if !daemon_runs {
        let what = format!("  No daemon is running on {}; the job waits until one does.", place.data().display());
        screen.line(screen.paint(Paint::Yellow, what))?;
    }
    Ok(Exit::Done)
}

/// How a job runs that has a time, as it was understood.
fn once(at: DateTime<Utc>, times: Times) -> String {
    format!("once, on {} ({})", times.both(at), times.zone)
}

/// How a job runs whose time has passed.
fn at_once(passed: DateTime<Utc>, times: Times) -> String {
    format!("at once, because its time has passed: {}", times.both(passed))
}

/// A refusal that concerns what was submitted, with a place to look things up.
fn refused(error: Error) -> Failure {
    match error {
        Error::Invalid(_) | Error::Missing { .. } | Error::Denied(Denied::IllegalParameterValue(_)) => {
            Failure::new(format!("the job is refused: {error}")).hint("nothing was submitted")
        }
        error => error.into(),
    }
}

fn check_wait(param: &SubmitJobParam, daemon_runs: bool, place: &Place) -> Result<(), Failure> {
    if param.exec_schedule.is_some() {
        return Err(Failure::new("a recurring job has no end to wait for").hint("leave --wait out"));
    }
    if !daemon_runs {
        let what = format!("no daemon is running on {}, so there is nothing to wait for", place.data().display());
        return Err(
            Failure::new(what).hint("start it with `prepress serve`, or leave --wait out; nothing was submitted")
        );
    }
    Ok(())
}

/// Shows the runs that were waited for: the one that was submitted, and those that follow from it.
async fn show(runs: &[Run], caller: &Caller, json: bool, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let newest = runs.iter().map(|run| run.id.0).max().unwrap_or_default();
    let operator = Caller { is_ips_admin: true, ..caller.clone() };
    let query = JobsQuery { before: Some(InstanceId(newest + 1)), limit: 1000, ..JobsQuery::default() };
    let mut views = place.services.list_jobs(&operator, &query).await?.jobs;
    views.retain(|view| runs.iter().any(|run| run.id.0 == view.run));
    if json {
        screen.json(&views)?;
    } else {
        screen.line(jobs::table(&views, place.times()).render(screen))?;
        for view in &views {
            if let Some(error) = &view.fatal_error {
                screen.line(format!("\n{}", screen.paint(Paint::Red, &error.text)))?;
            }
        }
        if let Some(first) = runs.first().filter(|_| watch::exit_of(runs) != Exit::Done) {
            let hint = format!("\nWhat went wrong: prepress jobs log {} --problems", first.id);
            screen.line(screen.paint(Paint::Dim, hint))?;
        }
    }
    Ok(watch::exit_of(runs))
}

/// Why an upload could not read its directory as things are.
fn unreadable_directory(spec: &JobSpec, company: &Company, place: &Place) -> Option<IngestError> {
    let JobSpec::UploadDirectory(order) = spec else { return None };
    let folder = CompanyFolder::open(&place.config.ingest_root(), &company.root_path);
    folder.and_then(|folder| folder.directory(&order.server_dir)).err()
}

async fn dry_run(
    checked: Checked,
    caller: &Caller,
    json: bool,
    place: &Place,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let passed = checked.passed();
    let Checked { company, job } = checked;
    if job.next_fire_at.is_some() {
        let waiting = place.services.list_schedules(caller, Some(&handle::company(company.id))).await?;
        if waiting.iter().any(|other| other.name == job.name) {
            return Err(Failure::new(format!("a scheduled job named \"{}\" exists already", job.name)).hint(format!(
                "choose another --name, or delete it first: prepress jobs delete {}",
                quoted(&job.name)
            )));
        }
    }
    let times = place.times();
    let firings: Vec<_> = match &job.trigger {
        Trigger::AtOnce => vec![times.now],
        Trigger::ExecTime(at) => vec![*at],
        Trigger::ExecSchedule(schedule) => schedule.upcoming(times.now, times.zone).take(FIRINGS).collect(),
    };
    let order = shown_order(&job.spec);
    if json {
        screen.json(&json!({
            "handle": handle::submitted_job(company.id, &job.name),
            "company": {"id": company.id, "name": company.name},
            "kind": job.spec.kind(),
            "fires": firings,
            "passed": passed,
            "order": order,
        }))?;
        return Ok(Exit::Done);
    }
    let when = match &job.trigger {
        Trigger::AtOnce => passed.map_or_else(|| "at once".to_owned(), |at| at_once(at, times)),
        Trigger::ExecTime(at) => once(*at, times),
        Trigger::ExecSchedule(schedule) => format!("{} ({})", schedule.describe(), times.zone),
    };
    let problem = unreadable_directory(&job.spec, &company, place);
    let verdict = match &problem {
        None => screen.paint(Paint::Green, "This job is in order."),
        Some(_) => screen.paint(Paint::Yellow, "This job can be submitted, but would fail as things are."),
    };
    screen.line(format!("{verdict} Nothing was submitted."))?;
    if let Some(problem) = problem {
        screen.line(format!("  {problem}"))?;
    }
    screen.facts([
        ("job", harmless(&job.name)),
        ("kind", job.spec.kind().to_string()),
        ("company", format!("{} ({})", company.name, handle::company(company.id))),
        ("submitted by", caller.email.clone()),
        ("runs", when),
        (
            "fires",
            match &job.trigger {
                Trigger::AtOnce => String::new(),
                _ => firings.iter().map(|at| times.both(*at)).collect::<Vec<_>>().join("\n"),
            },
        ),
        ("mails", job.spec.email_setting().to_string()),
        ("order", without_nulls(&order).to_string()),
    ])?;
    Ok(Exit::Done)
}
