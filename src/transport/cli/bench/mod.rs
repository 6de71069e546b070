//! `prepress bench`: how fast this machine runs it, as ratios to the limit and to a peer measured in the same run.
//!
//! Absolute numbers say little: machines differ, and their neighbours make noise. So each figure stands beside the best
//! that the same disk, or the same pictures, allow: raw SQLite group commits, and the `vips` command. Rounds of both sides
//! alternate, and the medians are compared.

mod pictures;
mod queue;
mod report;

use std::path::PathBuf;

use super::failure::{Exit, Failure};
use report::Report;

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
    /// Pictures in a round; 0 leaves them out
    #[arg(long, default_value_t = 12)]
    pictures: usize,
    /// Their longer side, in pixels
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(32..=8192))]
    side: u32,
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

/// Measures queue and pictures, and prints what it found.
pub async fn run(plan: BenchArgs) -> Result<Exit, Failure> {
    let mut report = Report::default();
    eprintln!("Measuring the queue: {} rounds of {} jobs, {} clients …", plan.rounds, plan.jobs, plan.clients);
    queue::measure(&plan, &mut report).await?;
    if plan.pictures > 0 {
        eprintln!("Measuring pictures: {} rounds of {} …", plan.rounds, plan.pictures);
        pictures::measure(&plan, &mut report).await?;
    }
    report.print(plan.json);
    Ok(Exit::Done)
}
