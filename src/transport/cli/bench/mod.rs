//! `prepress bench`: how fast this machine runs it, as ratios to the limit and to a peer measured in the same run.
//!
//! Absolute numbers say little: machines differ, and their neighbours make noise. So each figure stands beside the best
//! that the same disk, or the same pictures, allow: raw SQLite group commits, and the `vips` command. Rounds of both sides
//! alternate, and the medians are compared.

mod pictures;
mod queue;
mod report;

use std::path::PathBuf;

use report::Report;

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Folder for databases and pictures; on the disk that is to be measured.
    pub folder: PathBuf,
    /// Jobs a round.
    pub jobs: usize,
    /// Clients at the same time.
    pub clients: usize,
    /// Pictures a round, and their longer side in pixels.
    pub pictures: usize,
    pub side: u32,
    /// Rounds of each side; the median counts.
    pub rounds: usize,
    pub json: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { folder: std::env::temp_dir(), jobs: 5000, clients: 64, pictures: 12, side: 4000, rounds: 3, json: false }
    }
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
pub async fn run(plan: &Plan) -> Result<(), BenchError> {
    let mut report = Report::default();
    queue::measure(plan, &mut report).await?;
    pictures::measure(plan, &mut report).await?;
    report.print(plan.json);
    Ok(())
}
