//! `prepress jobs`.

mod control;
mod list;
mod log;
mod look;
mod schedules;
mod show;

pub use list::table;
pub use log::text_line;
pub use look::short;

use clap::{Args, Subcommand};

use super::failure::{Exit, Failure};
use super::place::PlaceArgs;
use super::screen::Screen;
use crate::model::kind::JobKind;
use crate::service::jobs::Verb;
use crate::words::harmless;

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List runs, the newest first
    #[command(alias = "ls")]
    List(list::ListArgs),
    /// Show all about a run or a scheduled job: state, why it waits, progress, mails
    Show(show::ShowArgs),
    /// Print the log of a run
    Log(log::LogArgs),
    /// List jobs that wait for their time
    #[command(alias = "scheduled")]
    Schedule(schedules::SchedulesArgs),
    /// Show what became of the expected firings of a job
    Slots(schedules::SlotsArgs),
    /// Stop a run at its next safe point
    Stop(Named),
    /// Keep a scheduled job from firing
    Pause(Named),
    /// Let a paused job fire again
    Resume(Named),
    /// Queue a run of a job now, beside its schedule and after its other runs
    Run(Named),
    /// Try a run again now that waits for its next attempt
    Retry(Named),
    /// Remove a job and stop its runs; its logs stay
    #[command(alias = "rm")]
    Delete(Named),
}

/// A run or a job.
#[derive(Debug, Clone, Args)]
pub struct Named {
    /// Run number, job handle, run name or job name
    #[arg(value_name = "ID")]
    pub id: String,
    /// Company of the job, if several use the name: its name, number or handle
    #[arg(long)]
    pub company: Option<String>,
}

pub async fn run(command: JobsCommand, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let place = &place.open().await?;
    match command {
        JobsCommand::List(args) => list::run(args, place, screen).await,
        JobsCommand::Show(args) => show::run(args, place, screen).await,
        JobsCommand::Log(args) => log::run(args, place, screen).await,
        JobsCommand::Schedule(args) => schedules::list(args, place, screen).await,
        JobsCommand::Slots(args) => schedules::slots(args, place, screen).await,
        JobsCommand::Stop(job) => control::run(Verb::Stop, job, place, screen).await,
        JobsCommand::Pause(job) => control::run(Verb::Pause, job, place, screen).await,
        JobsCommand::Resume(job) => control::run(Verb::Resume, job, place, screen).await,
        JobsCommand::Run(job) => control::run(Verb::Execute, job, place, screen).await,
        JobsCommand::Retry(job) => control::run(Verb::Retry, job, place, screen).await,
        JobsCommand::Delete(job) => control::run(Verb::Delete, job, place, screen).await,
    }
}

fn no_such_job(said: &str) -> Failure {
    Failure::new(format!("there is no job \"{}\"", harmless(said)))
        .hint("see: prepress jobs list, and prepress jobs schedule")
}

/// A kind by its job element, with or without "Job", or by its job type; in any case.
pub fn kind(text: &str) -> Result<JobKind, String> {
    let named = |kind: &&JobKind| {
        let names = [kind.element(), look::short(**kind), kind.type_name()];
        names.iter().any(|name| name.eq_ignore_ascii_case(text))
    };
    JobKind::ALL.iter().find(named).copied().ok_or_else(|| {
        let names: Vec<&str> = JobKind::ALL.iter().map(|kind| look::short(*kind)).collect();
        format!("must be one of {}", names.join(", "))
    })
}
