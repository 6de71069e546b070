//! `prepress jobs list`.

use clap::Args;

use super::{kind, look};
use crate::config::Period;
use crate::model::id::InstanceId;
use crate::model::kind::JobKind;
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::service::jobs::board::{JobView, JobsQuery, MOST_ON_A_PAGE};
use crate::transport::cli::failure::{Exit, Failure};
use crate::transport::cli::place::Place;
use crate::transport::cli::schedule::instant;
use crate::transport::cli::screen::{Paint, Screen};
use crate::transport::cli::table::{Column, Table, Value};
use crate::transport::cli::times::Times;
use crate::words::harmless;

/// Said where runs are shown that are not done, and nobody works on them.
pub const NO_DAEMON: &str = "No daemon runs on this data folder; nothing moves until one does: prepress serve";

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this company: its name, number or handle
    #[arg(long)]
    company: Option<String>,
    /// Only runs in this state; several with commas: open, waiting, running, done, succeeded, failed, stopped
    #[arg(long, value_delimiter = ',', value_parser = states)]
    state: Vec<Wanted>,
    /// Only this kind, such as uploadDirectory
    #[arg(long, value_parser = kind)]
    kind: Option<JobKind>,
    /// Only jobs of this name
    #[arg(long)]
    name: Option<String>,
    /// Only runs that began (or were queued) since: a time such as 2026-11-23T09:00, or a while ago such as 2h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only runs older than this run number
    #[arg(long, value_name = "RUN")]
    before: Option<i64>,
    /// How many
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A word for states, and maybe an outcome.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    states: &'static [State],
    outcome: Option<Outcome>,
}

fn states(text: &str) -> Result<Wanted, String> {
    const OPEN: &[State] =
        &[State::New, State::WaitingClient, State::WaitingCoordinator, State::Running, State::Stopping];
    let (states, outcome): (&[State], _) = match text.to_ascii_lowercase().as_str() {
        "open" | "active" => (OPEN, None),
        "waiting" => (&OPEN[..3], None),
        "running" => (&OPEN[3..], None),
        "stopping" => (&OPEN[4..], None),
        "done" => (&[State::Done], None),
        "succeeded" => (&[State::Done], Some(Outcome::Succeeded)),
        "failed" => (&[State::Done], Some(Outcome::Failed)),
        "stopped" => (&[State::Done], Some(Outcome::Stopped)),
        _ => {
            return Err("must be open, waiting, running, stopping, done, succeeded, failed or stopped".to_owned());
        }
    };
    Ok(Wanted { states, outcome })
}

pub async fn run(args: ListArgs, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let caller = place.operator().await?;
    let times = place.times();
    let mut query = JobsQuery {
        company: args.company,
        kind: args.kind,
        name: args.name,
        since: args.since.as_deref().map(|text| since(text, times)).transpose()?,
        before: args.before.map(InstanceId),
        limit: if args.all { MOST_ON_A_PAGE } else { args.limit },
        ..JobsQuery::default()
    };
    (query.states, query.outcome) = wanted(&args.state)?;
    let limits = place.limits();
    let mut page = place.services.list_jobs_within(&caller, &query, &limits).await?;
    while let Some(next) = page.next.filter(|_| args.all) {
        let query = JobsQuery { before: Some(InstanceId(next)), ..query.clone() };
        let further = place.services.list_jobs_within(&caller, &query, &limits).await?;
        page.jobs.extend(further.jobs);
        page.next = further.next;
        page.held_by = page.held_by.or(further.held_by);
    }
    if args.json {
        screen.json(&page)?;
        return Ok(Exit::Done);
    }
    if page.jobs.is_empty() {
        screen.line("No runs. Jobs that wait for their time: prepress jobs schedule")?;
        return Ok(Exit::Done);
    }
    screen.line(table(&page.jobs, times).render(screen))?;
    if let Some(next) = page.next {
        let more = format!("More: --before {next}, a larger --limit, or --all");
        screen.line(format!("\n{}", screen.paint(Paint::Dim, more)))?;
    }
    if let Some(held_by) = &page.held_by {
        screen.line(format!("\n{}", screen.paint(Paint::Yellow, &held_by.text)))?;
    }
    if !place.daemon_runs() && page.jobs.iter().any(|job| job.state != State::Done) {
        screen.line(format!("\n{}", screen.paint(Paint::Yellow, NO_DAEMON)))?;
    }
    Ok(Exit::Done)
}

fn wanted(words: &[Wanted]) -> Result<(Option<Vec<State>>, Option<Outcome>), Failure> {
    if words.is_empty() {
        return Ok((None, None));
    }
    let outcomes: Vec<Outcome> = words.iter().filter_map(|word| word.outcome).collect();
    if !outcomes.is_empty() && words.len() > 1 {
        return Err(Failure::new("succeeded, failed and stopped cannot be combined with other states")
            .hint("ask for one of them at a time"));
    }
    let states = words.iter().flat_map(|word| word.states).copied().collect();
    Ok((Some(states), outcomes.first().copied()))
}

fn since(text: &str, times: Times) -> Result<chrono::DateTime<chrono::Utc>, Failure> {
    match text.parse::<Period>() {
        Ok(ago) => Ok(times.now - ago.delta()),
        Err(_) => instant(text, times.zone),
    }
}

/// Runs as rows.
pub fn table(jobs: &[JobView], times: Times) -> Table {
    let columns = [
        Column::new("RUN").right(),
        Column::new("STATE").whole(),
        Column::new("JOB"),
        Column::new("KIND").shown_from(90),
        Column::new("COMPANY"),
        Column::new("RESULT").whole(),
        Column::new("BEGAN").whole(),
        Column::new("TOOK").whole().shown_from(100),
        Column::new("USER").shown_from(140),
    ];
    let mut table = Table::new(columns);
    for job in jobs {
        let began = match job.started_at {
            Some(at) => times.relative(at).into(),
            None => Value::painted(Paint::Dim, format!("queued {}", times.relative(job.created_at))),
        };
        let took = job.started_at.map(|from| times.took(from, job.finished_at)).unwrap_or_default();
        table.row([
            job.run.to_string().into(),
            look::state(job),
            harmless(&job.name).into(),
            Value::painted(Paint::Dim, look::short(job.kind)),
            harmless(&job.company.name).into(),
            look::result(&job.counters),
            began,
            took.into(),
            job.responsible.clone().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};

    use super::*;
    use crate::service::jobs::board::{CompanyView, CountersView, ProgressView};
    use crate::transport::cli::screen::Style;

    fn job(run: i64, name: &str) -> JobView {
        let at = Utc.with_ymd_and_hms(2026, 1, 5, 8, 0, 0).unwrap();
        let zero = CountersView::from(crate::model::outcome::Counters::default());
        JobView {
            run,
            job: run,
            handle: String::new(),
            name: name.to_owned(),
            run_name: String::new(),
            company: CompanyView { id: 47, name: "Acme Photographers".to_owned() },
            kind: JobKind::UploadDirectory,
            job_type: String::new(),
            state: State::Done,
            outcome: Some(Outcome::Succeeded),
            responsible: "ada@acme.example".to_owned(),
            submitter: String::new(),
            client: None,
            description: None,
            locale: None,
            due_at: at,
            created_at: at,
            started_at: Some(at),
            finished_at: Some(at + TimeDelta::seconds(61)),
            attempt: 1,
            failures: 0,
            progress: ProgressView { done: 0, total: 0, message: None, items: Vec::new(), updated_at: None },
            counters: CountersView { success: 1204, errors: 12, warnings: 3, ..zero },
            fatal_error: None,
            follow_up_of: None,
        }
    }

    /// Whose a run is can be told on any terminal; long names give way.
    #[test]
    fn companies_are_shown_on_a_narrow_terminal() {
        let times = Times { now: Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).unwrap(), zone: chrono_tz::Tz::UTC };
        let jobs = [job(1, "Short"), job(123_456, "A name that is far too long for the width of this terminal")];
        for width in [80, 100, 140] {
            let screen = Screen { style: Style { colour: false }, width: Some(width) };
            let shown = table(&jobs, times).render(&screen);
            let lines: Vec<&str> = shown.lines().collect();
            assert!(lines[0].contains("COMPANY") && lines[0].contains("JOB") && lines[0].contains("STATE"), "{shown}");
            assert!(lines.iter().all(|line| line.chars().count() <= usize::from(width)), "{shown}");
            assert!(lines[1].contains("Short") && lines[1].contains("Acme"), "{shown}");
            assert!(
                lines[2].contains("A na") && lines[2].contains('…') && lines[2].contains("done, errors"),
                "{shown}"
            );
        }
    }
}
