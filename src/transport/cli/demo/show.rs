//! What came of the demo: job table, log, mail, tree, and where to look next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mail_parser::MessageParser;

use crate::clock::{self, SystemClock};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::model::id::InstanceId;
use crate::service::Caller;
use crate::service::jobs::board::{JobsQuery, LogQuery, MOST_ON_A_PAGE};
use crate::store::jobs::query::Run;
use crate::transport::cli::failure::Failure;
use crate::transport::cli::jobs;
use crate::transport::cli::screen::{Paint, Screen};
use crate::transport::cli::times::Times;
use crate::words::{self, format};

/// Problems and published files shown before the rest is only counted.
const SHOWN: usize = 8;

pub async fn everything(
    config: &Config,
    daemon: &Daemon,
    runs: &[Run],
    password: &str,
    ends: bool,
    screen: &Screen,
) -> Result<(), Failure> {
    let services = daemon.services();
    let caller = services.operator().await?;
    let times = Times { now: services.clock().now(), zone: config.zone() };
    screen.heading("The job table")?;
    let query = JobsQuery { limit: MOST_ON_A_PAGE, ..JobsQuery::default() };
    let page = services.list_jobs(&caller, &query).await?;
    screen.line(jobs::table(&page.jobs, times).render(screen))?;
    for run in runs {
        screen.heading(&format!("The log of run {}, {}", run.id, words::harmless(&run.run_name)))?;
        log(daemon, &caller, run.id, times, screen).await?;
    }
    mail(config, daemon, runs, screen).await?;
    made(daemon, screen).await?;
    for context in ["image-serving", "video"] {
        tree(&config.publish_root().join(context), screen)?;
    }
    archives(&config.export_root(), screen)?;
    next(config, daemon, (!ends).then_some(password), screen)
}

/// How many lines of each type, and those that need a person.
async fn log(daemon: &Daemon, caller: &Caller, run: InstanceId, times: Times, screen: &Screen) -> Result<(), Failure> {
    let mut query = LogQuery { limit: MOST_ON_A_PAGE, ..LogQuery::default() };
    let mut lines = Vec::new();
    loop {
        let page = daemon.services().read_log(caller, run, &query).await?;
        lines.extend(page.lines);
        match page.next {
            Some(next) => query.after = next,
            None => break,
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        *counts.entry(line.log_type.as_str()).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(log_type, count)| format!("{count} {log_type}")).collect();
    screen.line(format!("  {}", counts.join(", ")))?;
    let problems: Vec<_> = lines.iter().filter(|line| line.severity.is_some()).collect();
    for line in problems.iter().take(SHOWN) {
        screen.line(format!("  {}", jobs::text_line(line, times, screen)))?;
    }
    if problems.len() > SHOWN {
        screen.line(format!("  and {} more: prepress jobs log {run} --problems", problems.len() - SHOWN))?;
    }
    Ok(())
}

async fn mail(config: &Config, daemon: &Daemon, runs: &[Run], screen: &Screen) -> Result<(), Failure> {
    screen.heading("The mail")?;
    if !delivered(daemon, runs).await? {
        screen.line("  is still on its way")?;
    }
    if let Some(host) = &config.mail.smtp_host {
        return screen.line(format!("  went to {host}"));
    }
    for path in files(&config.eml_dir())?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "eml")) {
        let bytes = std::fs::read(&path).map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))?;
        let Some(mail) = MessageParser::default().parse(&bytes) else { continue };
        screen.line(format!("  {}", screen.paint(Paint::Dim, path.display().to_string())))?;
        let to = mail.to().and_then(|to| to.first()).and_then(|to| to.address()).unwrap_or_default();
        screen.line(format!("  To:      {to}"))?;
        screen.line(format!("  Subject: {}\n", screen.paint(Paint::Bold, mail.subject().unwrap_or_default())))?;
        for line in mail.body_text(0).unwrap_or_default().lines() {
            screen.line(format!("  {line}").trim_end())?;
        }
    }
    Ok(())
}

/// The outbox is emptied behind the jobs' backs.
async fn delivered(daemon: &Daemon, runs: &[Run]) -> Result<bool, Failure> {
    const PATIENCE: u32 = 100;
    for _ in 0..PATIENCE {
        let mut pending = false;
        for run in runs {
            let notices = daemon.services().store().notices(run.id).await?;
            pending |= notices.iter().any(|notice| notice.state == "Pending");
        }
        if !pending {
            return Ok(true);
        }
        clock::sleep(&SystemClock, chrono::TimeDelta::milliseconds(100)).await;
    }
    Ok(false)
}

/// Assets, by their types.
async fn made(daemon: &Daemon, screen: &Screen) -> Result<(), Failure> {
    screen.heading("What the company has now")?;
    let mut by_type: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for asset in super::assets(daemon).await? {
        by_type.entry(asset.asset_type.to_string()).or_default().push(asset.name);
    }
    for (asset_type, names) in by_type {
        let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
        let some = names.iter().take(SHOWN).map(|name| words::harmless(name)).collect::<Vec<_>>().join(", ");
        screen.line(format!("  {:>5}  {:<12}  {some}{more}", names.len(), asset_type))?;
    }
    Ok(())
}

/// Where archives of exports lie; their addresses are in the log.
fn archives(root: &Path, screen: &Screen) -> Result<(), Failure> {
    for run in files(root)? {
        for archive in files(&run)? {
            let bytes = std::fs::metadata(&archive).map_or(0, |facts| facts.len());
            screen.heading("The exported archive")?;
            screen.line(format!("  {}: {}", archive.display(), format::size(bytes, "en")))?;
        }
    }
    Ok(())
}

/// What readers of a publish context find.
fn tree(root: &Path, screen: &Screen) -> Result<(), Failure> {
    for company in files(root)?.into_iter().filter(|path| path.is_dir() && !is_hidden(path)) {
        let mut found = Vec::new();
        let mut folders = vec![company.clone()];
        while let Some(folder) = folders.pop() {
            for path in files(&folder)?.into_iter().filter(|path| !is_hidden(path)) {
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        let sizes: Vec<u64> = found.iter().map(|file| std::fs::metadata(file).map_or(0, |facts| facts.len())).collect();
        screen.heading(&format!("Published in {}", company.display()))?;
        screen.line(format!("  {} files, {}", found.len(), format::size(sizes.iter().sum(), "en")))?;
        for (file, bytes) in found.iter().zip(&sizes).take(SHOWN) {
            let name = file.strip_prefix(&company).unwrap_or(file).to_string_lossy();
            screen.line(format!("  {:>9}  {}", format::size(*bytes, "en"), words::harmless(&name)))?;
        }
        if found.len() > SHOWN {
            screen.line(format!("  {:>9}  and {} more", "", found.len() - SHOWN))?;
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

/// Over HTTP only while the daemon goes on.
fn next(config: &Config, daemon: &Daemon, password: Option<&str>, screen: &Screen) -> Result<(), Failure> {
    let (data, address) = (config.data().display(), daemon.address());
    screen.heading("Where to look next")?;
    let mut places = vec![
        ("Jobs, on the command line", format!("prepress jobs list --data {data}")),
        ("The database", format!("sqlite3 {data}/prepress.db 'SELECT * FROM job_overview'")),
    ];
    places.extend(match password {
        None => vec![("The same daemon again", format!("prepress serve --data {data}"))],
        Some(password) => vec![
            ("Jobs as JSON", format!("curl -u '{}:{password}' http://{address}/api/jobs", super::EMAIL)),
            ("What a SOAP client needs", format!("curl http://{address}/scene7/webservice/IpsApi-2014-04-03.wsdl")),
            ("The metrics", format!("curl http://{address}/metrics")),
        ],
    });
    for (what, command) in places {
        screen.line(format!("  {}\n    {command}", screen.paint(Paint::Dim, what)))?;
    }
    Ok(())
}
