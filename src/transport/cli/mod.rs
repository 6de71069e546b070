//! The command line: one file a subcommand.
//!
//! Commands open the database of the data folder themselves, beside a running daemon, and ring its bell after a write.
//! They never take its lock, so that they work whether it runs or not.

mod bench;
mod check;
mod checklist;
mod company;
mod daemon_user;
mod demo;
mod doctor;
mod failure;
mod jobs;
mod logging;
mod manual;
mod place;
mod preset;
mod reload;
mod schedule;
mod screen;
mod serve;
mod submit;
mod table;
mod times;
mod user;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use failure::{Exit, Failure};
use place::PlaceArgs;
use screen::Screen;

/// A persistent job queue daemon for image production that speaks the Scene7 IPS SOAP API
#[derive(Debug, Parser)]
#[command(name = "prepress", version, after_help = Exit::HELP, max_term_width = 100, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground
    Serve(serve::ServeArgs),
    /// Add, list and set up companies
    #[command(subcommand)]
    Company(company::CompanyCommand),
    /// Add and list users, set passwords
    #[command(subcommand)]
    User(user::UserCommand),
    /// Submit a job from an XML or JSON file, or from flags
    Submit(Box<submit::SubmitArgs>),
    /// Look at jobs and control them
    #[command(subcommand, alias = "job")]
    Jobs(jobs::JobsCommand),
    /// Work with schedules (execSchedule)
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Add, change and list set scripts and video encoding presets
    #[command(subcommand)]
    Preset(preset::PresetCommand),
    /// Say what is wrong with configuration, folders, tools and mail
    Check,
    /// Compare what the database says with what lies on the disk; repair what can be made again
    Doctor(doctor::DoctorArgs),
    /// Show the whole of it at work: sample pictures, uploaded over SOAP, optimized, published, mailed
    Demo(demo::DemoArgs),
    /// Measure queue and pictures against raw SQLite and vips
    Bench(bench::BenchCommand),
    /// Write a completion script for a shell to standard output
    Completions(manual::CompletionsArgs),
    /// Write the manual page to standard output, or all pages into a folder
    Man(manual::ManArgs),
}

/// Parses the arguments of the process and carries them out.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match runtime(&cli.command) {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("cannot start: {error}")).report(),
    };
    let outcome = runtime.block_on(run(cli));
    // Whatever still blocks a thread (a watch on signals, say) must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

/// A daemon uses all processors; anything else is done before threads would help.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Serve(_) | Command::Demo(_) | Command::Bench(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    let (place, screen) = (&cli.place, &Screen::new());
    match cli.command {
        Command::Serve(args) => serve::run(args, place, screen).await,
        Command::Company(command) => company::run(command, place, screen).await,
        Command::User(command) => user::run(command, place, screen).await,
        Command::Submit(args) => submit::run(*args, place, screen).await,
        Command::Jobs(command) => jobs::run(command, place, screen).await,
        Command::Schedule(command) => schedule::run(command, place, screen).await,
        Command::Preset(command) => preset::run(command, place, screen).await,
        Command::Check => check::run(place, screen).await,
        Command::Doctor(args) => doctor::run(args, place, screen).await,
        Command::Demo(args) => demo::run(args, place, screen).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Completions(args) => manual::completions(args, Cli::command(), screen),
        Command::Man(args) => manual::man(args, Cli::command(), screen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }
}
