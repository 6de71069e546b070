//! `prepress jobs log`.

use std::time::Duration;

use clap::Args;

use super::Named;
use crate::model::id::InstanceId;
use crate::model::log::LogType;
use crate::model::state::State;
use crate::service::jobs::board::{LineView, LogPage, LogQuery, MOST_ON_A_PAGE, Severity};
use crate::transport::cli::failure::{Exit, Failure, quoted, warn};
use crate::transport::cli::place::Place;
use crate::transport::cli::screen::{Paint, Screen};
use crate::transport::cli::times::Times;

/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(flatten)]
    job: Named,
    /// Only lines of this type, such as UploadError; several with commas
    #[arg(long = "type", value_delimiter = ',', value_parser = log_type, value_name = "TYPE")]
    types: Vec<LogType>,
    /// Only errors and warnings
    #[arg(long, conflicts_with = "types")]
    problems: bool,
    /// Only errors
    #[arg(long, conflicts_with_all = ["types", "problems"])]
    errors: bool,
    /// Go on with new lines until the run is done
    #[arg(long, short)]
    follow: bool,
    /// Print JSON, a line an object
    #[arg(long)]
    json: bool,
}

fn log_type(text: &str) -> Result<LogType, String> {
    let known = LogType::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(text));
    known.copied().ok_or_else(|| {
        let likeness = |known: &&LogType| strsim::normalized_damerau_levenshtein(known.as_str(), text);
        let nearest = LogType::ALL.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        format!("no log type of the API; did you mean {}?", nearest.map_or("UploadError", |known| known.as_str()))
    })
}

pub async fn run(args: LogArgs, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let caller = place.operator().await?;
    let services = &place.services;
    let found = services.find_job(&caller, args.job.company.as_deref(), &args.job.id).await?;
    let run = found.into_run().ok_or_else(|| {
        Failure::new("the job has not run yet")
            .hint(format!("when it will: prepress jobs show {}", quoted(&args.job.id)))
    })?;
    let least = match (args.errors, args.problems) {
        (true, _) => Some(Severity::Error),
        (false, true) => Some(Severity::Warning),
        (false, false) => None,
    };
    let types = (!args.types.is_empty()).then_some(args.types);
    let mut query = LogQuery { types, least, after: 0, limit: MOST_ON_A_PAGE };
    let (mut shown, mut told) = (0_usize, false);
    loop {
        // The state is read before the lines, so that the last of them are not missed.
        let done = is_done(place, run.id).await?;
        let LogPage { lines, next } = services.read_log(&caller, run.id, &query).await?;
        for line in &lines {
            if args.json {
                screen.line(json_line(line)?)?
            } else {
                screen.line(text_line(line, place.times(), screen))?
            }
        }
        shown += lines.len();
        query.after = lines.last().map_or(query.after, |line| line.id);
        if next.is_some() {
            continue;
        }
        if done || !args.follow {
            break;
        }
        if !told && !place.daemon_runs() {
            told = true;
            warn(super::list::NO_DAEMON);
        }
        tokio::time::sleep(LOOK).await;
    }
    if shown == 0 && !args.json {
        screen.line("No lines.")?;
    }
    Ok(Exit::Done)
}

async fn is_done(place: &Place, run: InstanceId) -> Result<bool, Failure> {
    let run = place.services.store().run(run).await?;
    Ok(run.is_none_or(|run| run.state == State::Done))
}

fn json_line(line: &LineView) -> Result<String, Failure> {
    serde_json::to_string(line).map_err(|error| Failure::new(format!("cannot write a line as JSON: {error}")))
}

/// "10:15:04  UploadSuccess  …", the type in the colour of its severity.
pub fn text_line(line: &LineView, times: Times, screen: &Screen) -> String {
    let log_type = format!("{:26}", line.log_type.as_str());
    let log_type = match line.severity {
        Some(Severity::Error) => screen.paint(Paint::Red, log_type),
        Some(Severity::Warning) => screen.paint(Paint::Yellow, log_type),
        None => screen.paint(Paint::Cyan, log_type),
    };
    let clock = screen.paint(Paint::Dim, times.clock(line.at));
    format!("{clock}  {log_type}  {}", line.message.text)
}
