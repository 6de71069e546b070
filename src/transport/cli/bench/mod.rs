//! `prepress bench`: how fast this machine runs it, as ratios to the limit and to a peer measured in the same run.
//!
//! Absolute numbers say little: machines differ, and their neighbours make noise. So each figure stands beside the best
//! that the same disk, or the same files, allow: raw SQLite group commits, and the tools that others use. Rounds of both sides
//! alternate, and the medians are compared.

mod media;
mod queries;
mod queue;
mod report;
mod scratch;

use std::path::PathBuf;

use super::failure::{Exit, Failure};
use report::Report;

/// Measures the queue, or one part alone.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchCommand {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    plan: BenchArgs,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Part {
    /// Lists and logs of a server with many runs, against a plain read of the same table
    Queries(queries::QueriesArgs),
    /// What is made of files, against other tools on the same files
    Media(media::MediaArgs),
    /// One task, in a process whose memory is measured
    #[command(hide = true, subcommand)]
    Alone(media::Alone),
}

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchArgs {
    /// Folder for databases and pictures, on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Jobs in a round
    #[arg(long, default_value_t = 5000)]
    jobs: usize,
    /// Clients at the same time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    clients: u16,
    /// Rounds of each side, of which the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Why a benchmark could not run.
#[derive(Debug, thiserror::Error)]
#[error("the benchmark could not {doing}: {reason}")]
pub struct BenchError {
    doing: &'static str,
    reason: String,
}

fn failed<E: std::fmt::Display>(doing: &'static str) -> impl FnOnce(E) -> BenchError {
    move |error| BenchError { doing, reason: error.to_string() }
}

/// Measures, and prints what it found.
pub async fn run(command: BenchCommand) -> Result<Exit, Failure> {
    let mut report = Report::default();
    let json = match command.part {
        None => {
            let plan = command.plan;
            eprintln!("Measuring the queue: {} rounds of {} jobs, {} clients …", plan.rounds, plan.jobs, plan.clients);
            queue::measure(&plan, &mut report).await?;
            plan.json
        }
        Some(Part::Media(plan)) => {
            let json = plan.json;
            let measure = move || media::measure(&plan, &mut report).map(|()| report);
            report = tokio::task::spawn_blocking(measure).await.map_err(failed("measure"))??;
            json
        }
        Some(Part::Queries(plan)) => {
            queries::measure(&plan, &mut report).await?;
            plan.json
        }
        Some(Part::Alone(task)) => {
            tokio::task::spawn_blocking(move || media::alone(&task)).await.map_err(failed("do a task"))??;
            return Ok(Exit::Done);
        }
    };
    report.print(json);
    Ok(Exit::Done)
}
