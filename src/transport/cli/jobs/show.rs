//! `prepress jobs show`.

use clap::Args;
use serde_json::Value as Json;

use super::{Named, list, look, schedules};
use crate::model::state::State;
use crate::service::jobs::board::{Found, JobDetails, NoticeView, ScheduleView};
use crate::transport::cli::failure::{Exit, Failure, quoted};
use crate::transport::cli::place::Place;
use crate::transport::cli::screen::{Paint, Screen, without_nulls};
use crate::transport::cli::table::{Column, Table, Value};
use crate::transport::cli::times::Times;
use crate::words::harmless;

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    job: Named,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: ShowArgs, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let caller = place.operator().await?;
    let services = &place.services;
    let times = place.times();
    let found = services.find_job(&caller, args.job.company.as_deref(), &args.job.id).await?;
    let others = match &found {
        // A handle or a number of a run means no other.
        Found::Run(run) if run.job_name != args.job.id => None,
        Found::Scheduled(job, _) if job.name != args.job.id => None,
        found => {
            let several = services.is_one_of_several(&caller, args.job.company.as_deref(), found).await?;
            several.then(|| {
                format!("\nOther jobs have this name, or had it: prepress jobs list --name {}", quoted(&args.job.id))
            })
        }
    };
    match found {
        Found::Run(run) => {
            let details = services.job_details(&caller, &run, &place.limits()).await?;
            if args.json { screen.json(&details)? } else { show_run(&details, place, screen)? }
        }
        Found::Scheduled(job, run) => {
            let schedule = services.schedule_view(&caller, &job).await?;
            if args.json {
                screen.json(&schedule)?;
                return Ok(Exit::Done);
            }
            schedules::show(&schedule, times, screen)?;
            if let Some(run) = run {
                screen.heading("Newest run")?;
                let details = services.job_details(&caller, &run, &place.limits()).await?;
                screen.line(list::table(&[details.job], times).render(screen))?;
            }
        }
    }
    if let Some(others) = others.filter(|_| !args.json) {
        screen.line(screen.paint(Paint::Dim, others))?;
    }
    Ok(Exit::Done)
}

fn show_run(details: &JobDetails, place: &Place, screen: &Screen) -> Result<(), Failure> {
    let (job, times) = (&details.job, place.times());
    screen.line(screen.paint(Paint::Bold, harmless(&job.run_name)))?;
    let progress = &job.progress;
    let done = match (progress.total, &progress.message) {
        (0, None) => String::new(),
        (0, Some(message)) => message.text.clone(),
        (total, None) => format!("{} of {total} items", progress.done),
        (total, Some(message)) => format!("{} of {total} items: {}", progress.done, message.text),
    };
    let items: Vec<String> =
        progress.items.iter().map(|item| format!("{:3.0} % {}", item.fraction * 100.0, harmless(&item.name))).collect();
    let attempts = match (job.attempt, job.failures) {
        (0, _) => "not begun".to_owned(),
        (attempt, 0) => format!("{attempt} begun"),
        (attempt, failures) => format!("{attempt} begun, {failures} failed"),
    };
    let submitter = if job.submitter == job.responsible { String::new() } else { job.submitter.clone() };
    screen.facts([
        ("state", painted(look::state(job), screen)),
        ("waits", details.waits.as_ref().map(|waits| screen.paint(Paint::Yellow, &waits.text)).unwrap_or_default()),
        ("failed", job.fatal_error.as_ref().map(|error| screen.paint(Paint::Red, &error.text)).unwrap_or_default()),
        ("result", painted(look::result(&job.counters), screen)),
        ("progress", done),
        ("in work", items.join("\n")),
        ("kind", format!("{} ({})", job.kind, job.job_type)),
        ("company", format!("{} (c|{})", harmless(&job.company.name), job.company.id)),
        ("responsible", job.responsible.clone()),
        ("submitted by", submitter),
        ("client", job.client.as_deref().map(harmless).unwrap_or_default()),
        ("description", job.description.as_deref().map(harmless).unwrap_or_default()),
        ("due", times.both(job.due_at)),
        ("began", job.started_at.map(|at| times.both(at)).unwrap_or_default()),
        ("ended", job.finished_at.map(|at| times.both(at)).unwrap_or_default()),
        ("took", job.started_at.map(|at| times.took(at, job.finished_at)).unwrap_or_default()),
        ("attempts", attempts),
        ("follow-up of", job.follow_up_of.map(|run| format!("run {run}")).unwrap_or_default()),
        ("run", job.run.to_string()),
        ("handle", harmless(&job.handle)),
    ])?;
    show_order(details, screen)?;
    show_notices(&details.notices, times, screen)?;
    if !details.follow_ups.is_empty() {
        screen.heading("Follow-ups")?;
        screen.line(list::table(&details.follow_ups, times).render(screen))?;
    }
    if let Some(schedule) = &details.schedule {
        show_schedule(schedule, times, screen)?;
    }
    // What waits says so already.
    if matches!(job.state, State::Running | State::Stopping) && !place.daemon_runs() {
        screen.line(format!("\n{}", screen.paint(Paint::Yellow, list::NO_DAEMON)))?;
    }
    if job.state == State::Done || job.attempt > 0 {
        let hint = format!("\nLog: prepress jobs log {}", job.run);
        screen.line(screen.paint(Paint::Dim, hint))?;
    }
    Ok(())
}

fn show_schedule(schedule: &ScheduleView, times: Times, screen: &Screen) -> Result<(), Failure> {
    screen.heading("Schedule")?;
    schedules::facts(schedule, times, screen)
}

fn painted(value: Value, screen: &Screen) -> String {
    value.on(screen)
}

/// The fields of the order that say something.
fn show_order(details: &JobDetails, screen: &Screen) -> Result<(), Failure> {
    let Some(fields) = details.order.as_object().and_then(|order| order.values().next()).and_then(Json::as_object)
    else {
        return Ok(());
    };
    let said = |value: &&Json| match value {
        Json::Null => false,
        Json::Bool(set) => *set,
        Json::Array(items) => !items.is_empty(),
        Json::Object(fields) => !fields.is_empty(),
        Json::String(text) => !text.is_empty(),
        Json::Number(_) => true,
    };
    let fields: Vec<(&str, String)> = fields
        .iter()
        .filter(|(_, value)| said(value))
        .map(|(name, value)| {
            let text = match value {
                Json::String(text) => text.clone(),
                Json::Array(items) if items.len() > 3 => format!("{} items", items.len()),
                value => without_nulls(value).to_string(),
            };
            (name.as_str(), harmless(&text))
        })
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    screen.heading("Order")?;
    screen.facts(fields)
}

fn show_notices(notices: &[NoticeView], times: Times, screen: &Screen) -> Result<(), Failure> {
    if notices.is_empty() {
        return Ok(());
    }
    screen.heading("Mails and calls")?;
    let mut table = Table::new([Column::new("WHAT").whole(), Column::new("TO"), Column::new("STATE")]).wrapping();
    for notice in notices {
        let what = match (notice.channel.as_str(), notice.moment.as_str()) {
            ("mail", "begin") => "mail, begin",
            ("mail", _) => "mail, end",
            _ => "completion URL",
        };
        let error = notice.last_error.as_deref().map(|error| format!(": {}", harmless(error))).unwrap_or_default();
        let tries = notice.attempts;
        let state = match (notice.state.as_str(), notice.finished_at, notice.next_try_at) {
            ("Delivered", Some(at), _) => Value::painted(Paint::Green, format!("delivered {}", times.relative(at))),
            ("Delivered", None, _) => Value::painted(Paint::Green, "delivered"),
            ("GivenUp", _, _) => Value::painted(Paint::Red, format!("given up after {tries} tries{error}")),
            (_, _, Some(at)) if tries > 0 => {
                Value::painted(Paint::Yellow, format!("tried {tries} times, again {}{error}", times.relative(at)))
            }
            _ => "waits for its delivery".into(),
        };
        table.row([what.into(), harmless(&notice.recipient).into(), state]);
    }
    screen.line(table.render(screen))
}
