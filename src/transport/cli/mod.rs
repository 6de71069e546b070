//! The command line: one file a subcommand. Every command but `serve` and `demo` works on the data of a running daemon
//! beside it.

mod bench;
mod check;
mod company;
mod demo;
mod fail;
mod schedule;
mod serve;
mod setup;
mod text;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use fail::Failure;

/// A persistent job queue daemon for image production that speaks the Scene7 IPS SOAP API.
#[derive(Debug, Parser)]
#[command(name = "prepress", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done; 1 it failed; 2 the command line is wrong.\n\
    Documentation of every setting: config/example.toml.")]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", global = true, env = "PREPRESS_CONFIG")]
    config: Option<PathBuf>,
    /// Data folder: database, blobs, mail [default: ./data]
    #[arg(long, value_name = "DIR", global = true, env = "PREPRESS_DATA")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve {
        /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Show it at work: a sample catalogue from submission to publish
    Demo(demo::DemoArgs),
    /// Add and list companies
    #[command(subcommand)]
    Company(company::CompanyCommand),
    /// Add and list users, set passwords
    #[command(subcommand)]
    User(user::UserCommand),
    /// Look at schedules
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Say what is wrong with configuration, folders, tools and mail
    Check,
    /// Measure queue and pictures against raw SQLite and vips
    Bench(bench::BenchArgs),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page
    Man,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let Cli { common, command } = cli;
    match command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "prepress", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout()).map_err(Failure::output)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Schedule(command) => schedule::run(&common, &command),
        command => runtime()?.block_on(with_runtime(common, command)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(|e| Failure::new(format!("cannot start threads: {e}")))
}

async fn with_runtime(common: Common, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve { listen } => serve::run(&common, listen).await,
        Command::Demo(args) => demo::run(&common, args).await,
        Command::Company(command) => company::run(&common, command).await,
        Command::User(command) => user::run(&common, command).await,
        Command::Check => check::run(&common).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Schedule(_) | Command::Completions { .. } | Command::Man => {
            Err(Failure::new("this command needs no runtime"))
        }
    }
}
