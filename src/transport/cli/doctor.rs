//! `prepress doctor`: whether the files on the disk are what the database says.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::checklist::Verdict::{self, Bad, Good, Told, Warning};
use super::checklist::{List, count};
use super::failure::{Exit, Failure};
use super::place::{Place, PlaceArgs};
use super::screen::{Paint, Screen};
use super::watch::Bar;
use crate::assets::blobs::content_of;
use crate::daemon::lock::{DataLock, LockError};
use crate::daemon::{fitness, parts};
use crate::model::log::Message;
use crate::service::doctor::{Finding, Looked, Notice, Order, Report, Section, Watch};
use crate::words;

#[derive(Debug, Args)]
#[command(after_help = "\
Without --repair nothing is changed, and it may run beside the daemon.
Exit codes: 0 all agrees, or was repaired; 1 something does not agree, or it could not be looked at; 78 the database is
none to work on (see `prepress --help`).")]
pub struct DoctorArgs {
    /// Read all bytes, and compare their hashes
    #[arg(long)]
    verify: bool,
    /// Repair what can be made again; nothing is deleted. The daemon must not run
    #[arg(long)]
    repair: bool,
    /// Let a file that ended the daemon be tried again: its name, as the doctor or a log line shows it, the beginning of its
    /// SHA-256, or a path to the file. It does nothing else, and may run beside the daemon
    #[arg(long, value_name = "FILE", conflicts_with_all = ["verify", "repair", "json"])]
    clear: Option<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: DoctorArgs, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    if let Some(named) = &args.clear {
        // The beginning of every file's hash.
        if named.to_string_lossy().trim().is_empty() {
            return Err(Failure::new("--clear names no file").hint("see which have ended the daemon: prepress doctor"));
        }
        return clear(named, &place.open().await?, screen).await;
    }
    let _lock = if args.repair { Some(alone(place).await?) } else { None };
    // A database of an earlier version is none that can be repaired: it is refused before anything is changed.
    let looked = place.open_to_look().await?;
    let place = if args.repair { place.open_to_repair().await? } else { looked };
    let order = Order { verify: args.verify, repair: args.repair };
    let report = examine(&place, order).await?;
    if args.json {
        screen.json(&as_json(&report, &place))?
    } else {
        show(&report, &place, screen)?
    }
    Ok(if report.is_sound() { Exit::Done } else { Exit::Failed })
}

/// Keeps the daemon away while files are repaired.
async fn alone(place: &PlaceArgs) -> Result<DataLock, Failure> {
    let config = place.config()?;
    fitness::examine(&config).await.map_err(Failure::Unfit)?;
    // A lock would make the folder's lock file: there must be something to repair.
    place.require_database(&config)?;
    DataLock::acquire(config.data()).map_err(|error| match error {
        LockError::Taken { holder, .. } => {
            let holder = holder.map_or_else(String::new, |pid| format!(" (process {pid})"));
            Failure::new(format!(
                "the daemon{holder} works on {}, and repairs are made without it",
                config.data().display()
            ))
            .hint("stop it first; without --repair the doctor only looks, also beside a daemon")
        }
        LockError::Failed { .. } | LockError::Full { .. } => Failure::new(error.to_string()),
    })
}

async fn examine(place: &Place, order: Order) -> Result<Report, Failure> {
    // Who repairs holds the lock that a daemon would hold.
    let places = parts::places(&place.config, !order.repair && place.daemon_runs());
    let watch = Arc::new(Progress(Bar::new("Looking at files")));
    Ok(place.services.examine(&places, order, watch).await?)
}

/// Lets a file be tried again.
async fn clear(named: &OsStr, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let folder = parts::mark_folder(&place.config, place.daemon_runs());
    let mut cleared = place.services.clear_file(&folder, &named.to_string_lossy()).await?;
    if cleared.is_none() && Path::new(named).is_file() {
        let content = content_of(Path::new(named))
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", named.to_string_lossy())))?;
        cleared = place.services.clear_file(&folder, &content).await?;
    }
    let Some(file) = cleared else {
        let what = format!("no file {} has ended the daemon", named.to_string_lossy());
        return Err(Failure::new(what).hint("see which have: prepress doctor"));
    };
    let shown = format!("{} ({})", words::harmless(file.shown()), file.shown_content());
    let next = if file.is_condemned {
        "submit the job that it failed in once more"
    } else {
        "its job goes on by itself when the daemon runs"
    };
    screen.line(format!("{shown} is tried again like any other file; {next}."))?;
    Ok(Exit::Done)
}

/// A bar on the terminal.
struct Progress(Bar);

impl Watch for Progress {
    fn at(&self, done: u64, total: u64) {
        self.0.show_bytes(done, total);
    }
}

fn say(message: &Message, place: &Place) -> String {
    words::harmless(&words::say(message, "en", place.services.zone()))
}

/// The report, with what it comes to and the words of its codes.
fn as_json(report: &Report, place: &Place) -> Value {
    let text = |message| say(message, place);
    let looked = report.looked.iter().map(|looked| worded(looked, [("text", text(&looked.message))]));
    let findings = report
        .findings
        .iter()
        .map(|found| worded(found, [("text", text(&found.message)), ("remedyText", text(&found.remedy))]));
    let notices = report
        .notices
        .iter()
        .map(|notice| worded(notice, [("text", text(&notice.message)), ("remedyText", text(&notice.remedy))]));
    json!({
        "verdict": if report.is_sound() { "sound" } else { "differences" },
        "looked": looked.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "notices": notices.collect::<Vec<_>>(),
    })
}

fn worded<const N: usize>(part: &impl Serialize, texts: [(&str, String); N]) -> Value {
    let mut part = json!(part);
    for (name, text) in texts {
        part[name] = text.into();
    }
    part
}

fn show(report: &Report, place: &Place, screen: &Screen) -> Result<(), Failure> {
    let say = |message: &Message| say(message, place);
    let mut list = List::new(screen);
    for section in Section::ALL {
        let is_sound = report.findings.iter().all(|finding| finding.section != *section);
        for Looked { message, .. } in report.looked.iter().filter(|looked| looked.section == *section) {
            list.line(name(*section), if is_sound { Good(say(message)) } else { Told(say(message)) })?;
        }
        for Notice { message, remedy, .. } in report.notices.iter().filter(|notice| notice.section == *section) {
            list.line(name(*section), Warning(say(message), say(remedy)))?;
        }
        for finding in report.findings.iter().filter(|finding| finding.section == *section) {
            list.line(name(*section), verdict(finding, say))?;
        }
    }
    let (found, open) = (report.findings.len(), report.open());
    let (paint, sum) = match (found, open) {
        (0, _) => (Paint::Green, "Everything agrees.".to_owned()),
        (_, 0) => (Paint::Green, format!("{} repaired; everything else agrees.", count(found, "difference"))),
        (_, _) if open < found => {
            (Paint::Red, format!("{}, of which {} repaired.", count(found, "difference"), found - open))
        }
        _ => (Paint::Red, format!("{}.", count(found, "difference"))),
    };
    screen.line(format!("\n{}", screen.paint(paint, sum)))
}

/// What is repaired is told as well.
fn verdict(finding: &Finding, say: impl Fn(&Message) -> String) -> Verdict {
    let (said, remedy) = (say(&finding.message), say(&finding.remedy));
    if finding.is_repaired { Warning(said, format!("repaired: {remedy}")) } else { Bad(said, remedy) }
}

const fn name(section: Section) -> &'static str {
    match section {
        Section::Database => "database",
        Section::Blobs => "blobs",
        Section::Trees => "published",
        Section::Exports => "exports",
        Section::Mark => "mark",
        Section::Crashes => "crashes",
    }
}
