//! `prepress bench media`: what is made of files, against tools that make the same of the same files in the same run.
//!
//! Each part is a list of [`Contest`]s: a batch of work, done by processes of ours and by processes of theirs, as many side
//! by side as there are cores. Rounds of both alternate; medians are compared. So is the most memory that one
//! process took, as the kernel remembers it.

mod contest;
mod memory;
mod pages;
mod pictures;
mod views;

use std::path::{Path, PathBuf};

use super::report::Report;
use super::{BenchError, failed};
use crate::media;
use contest::{Contest, Opponent};

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct MediaArgs {
    /// Folder for the files, on the disk that is to be measured
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    pub folder: PathBuf,
    /// Pictures of each format in a round
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub pictures: u16,
    /// Their longer side, in pixels
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(32..=8192))]
    pub side: u32,
    /// Megapixels of the one large JPEG that memory is measured with; 0 leaves it out
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub large: u32,
    /// PDF files to draw instead of the sample catalogue's
    #[arg(long, value_name = "FILE")]
    pub pdf: Vec<PathBuf>,
    /// Rounds of each side, of which the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub rounds: u16,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Measures every part.
pub(super) fn measure(plan: &MediaArgs, report: &mut Report) -> Result<(), BenchError> {
    let scratch = Scratch::new(&plan.folder)?;
    let catalogue = media::sample::write_catalogue(&scratch.0, plan.side).map_err(failed("make pictures"))?;
    let originals = pictures::originals(&catalogue);
    for contest in pictures::contests(plan, &scratch.0, &originals)? {
        contest.hold(plan.rounds, report)?;
    }
    pages::contest(plan, &scratch.0, &catalogue)?.hold(plan.rounds, report)?;
    views::contest(plan, &scratch.0, &originals)?.hold(plan.rounds, report)
}

/// Does one task of ours, in a process of its own.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Alone {
    /// Makes the pyramid and the thumbnail of a picture
    Optimize { source: PathBuf, pyramid: PathBuf },
    /// Makes the pyramids and the thumbnails of several pictures
    Batch {
        /// By a worker, as the daemon has it done
        #[arg(long)]
        pool: bool,
        pictures: Vec<PathBuf>,
    },
    /// Draws the pages of a PDF
    Pages { document: PathBuf, target: PathBuf },
    /// Makes views of pyramids
    Views { pyramids: Vec<PathBuf> },
}

pub(super) fn alone(task: &Alone) -> Result<(), BenchError> {
    match task {
        Alone::Optimize { source, pyramid } => pictures::optimize(source, pyramid),
        Alone::Batch { pool, pictures } => pictures::batch(pictures, *pool),
        Alone::Pages { document, target } => pages::draw(document, target),
        Alone::Views { pyramids } => views::render(pyramids),
    }
}

/// Folders are named on the command line, so that paths are text.
fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// A folder that is gone when the benchmark is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> Result<Self, BenchError> {
        let folder = parent.join(format!("prepress-bench-{}-media", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(failed("make a folder"))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a benchmark's folder stays behind");
        }
    }
}
