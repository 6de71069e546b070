//! What came of the demo: job table, log, mail, tree, and where to look next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mail_parser::MessageParser;

use crate::clock::{self, SystemClock};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::store::jobs::query::{DetailFilter, Run};
use crate::transport::cli::{Failure, text};
use crate::words::{self, format};

/// Log lines of a run that the demo reads at most.
const LINES: u32 = 10_000;

/// Problems and published files shown before the rest is only counted.
const SHOWN: usize = 8;

pub async fn everything(config: &Config, daemon: &Daemon, runs: &[Run], password: &str) -> Result<(), Failure> {
    jobs(config, runs)?;
    for run in runs {
        log(config, daemon, run).await?;
    }
    mail(config, daemon, runs).await?;
    tree(&config.publish_root().join("image-serving"))?;
    next(config, daemon, password);
    Ok(())
}

fn heading(what: &str) {
    println!("\n{}", text::bold(what));
}

fn jobs(config: &Config, runs: &[Run]) -> Result<(), Failure> {
    heading("The job table");
    let mut table = text::table(&[
        "run",
        "job",
        "kind",
        "outcome",
        "ok",
        "updated",
        "warnings",
        "errors",
        "published",
        "began",
        "took",
    ]);
    for run in runs {
        let (began, ended) = (run.started_at.unwrap_or(run.created_at), run.finished_at.unwrap_or(run.created_at));
        let took = (ended - began).num_milliseconds().unsigned_abs();
        table.add_row([
            run.id.to_string(),
            run.job_name.clone(),
            run.kind.element().to_owned(),
            run.outcome.map_or_else(|| run.state.to_string(), |outcome| outcome.to_string()),
            run.counters.success.to_string(),
            run.counters.update.to_string(),
            run.counters.warning.to_string(),
            run.counters.error.to_string(),
            run.counters.transfer_success.to_string(),
            text::time(began, config.zone()),
            format::duration(took, "en"),
        ]);
    }
    Ok(text::print(&table)?)
}

/// How many lines of each type, and those that need a person.
async fn log(config: &Config, daemon: &Daemon, run: &Run) -> Result<(), Failure> {
    let filter = DetailFilter { limit: LINES, ..DetailFilter::default() };
    let lines = daemon.services().store().details(run.id, &filter).await?;
    heading(&format!("The log of {}", run.run_name));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        *counts.entry(line.log_type.as_str()).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(log_type, count)| format!("{count} {log_type}")).collect();
    println!("{}", counts.join(", "));
    let problems: Vec<_> = lines
        .iter()
        .filter(|line| ["Warning", "Error", "Failure"].iter().any(|end| line.log_type.as_str().ends_with(end)))
        .collect();
    for line in problems.iter().take(SHOWN) {
        println!("  {}  {}", line.log_type, words::say(&line.message, "en", config.zone()));
    }
    if problems.len() > SHOWN {
        println!("  and {} more", problems.len() - SHOWN);
    }
    Ok(())
}

async fn mail(config: &Config, daemon: &Daemon, runs: &[Run]) -> Result<(), Failure> {
    heading("The mail");
    wait_for_mail(daemon, runs).await?;
    if let Some(host) = &config.mail.smtp_host {
        println!("was sent by {host}");
        return Ok(());
    }
    for path in files(&config.eml_dir())?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "eml")) {
        let bytes = std::fs::read(&path).map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))?;
        let Some(mail) = MessageParser::default().parse(&bytes) else { continue };
        println!("{}", path.display());
        println!("  Subject: {}", mail.subject().unwrap_or_default());
        for line in mail.body_text(0).unwrap_or_default().lines() {
            println!("  {line}");
        }
    }
    Ok(())
}

/// The outbox is emptied behind the jobs' backs.
async fn wait_for_mail(daemon: &Daemon, runs: &[Run]) -> Result<(), Failure> {
    const PATIENCE: u32 = 100;
    for _ in 0..PATIENCE {
        let mut pending = false;
        for run in runs {
            let notices = daemon.services().store().notices(run.id).await?;
            pending |= notices.iter().any(|notice| notice.state == "Pending");
        }
        if !pending {
            return Ok(());
        }
        clock::sleep(&SystemClock, chrono::TimeDelta::milliseconds(100)).await;
    }
    println!("is still on its way");
    Ok(())
}

fn tree(root: &Path) -> Result<(), Failure> {
    heading("The published tree");
    for company in files(root)?.into_iter().filter(|path| path.is_dir() && !is_hidden(path)) {
        println!("{}", company.display());
        let files = files(&company)?;
        for file in files.iter().take(SHOWN) {
            let bytes = std::fs::metadata(file).map_or(0, |facts| facts.len());
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            println!("  {:>8}  {name}", format::size(bytes, "en"));
        }
        if files.len() > SHOWN {
            println!("  and {} more files", files.len() - SHOWN);
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// What a folder holds, in order; nothing if it is not there.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::new(format!("cannot read {}: {error}", folder.display()))),
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.sort();
    Ok(files)
}

fn next(config: &Config, daemon: &Daemon, password: &str) {
    let (data, address) = (config.data().display(), daemon.address());
    heading("Where to look next");
    println!("  prepress jobs list --data {data}");
    println!("  sqlite3 {data}/prepress.db 'SELECT * FROM job_overview'");
    println!("  curl http://{address}/scene7/webservice/IpsApi-2014-04-03.wsdl");
    println!("  user {}, password {password}", super::EMAIL);
}
