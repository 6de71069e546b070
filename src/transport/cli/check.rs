//! `prepress check`: a checklist of what a daemon needs.

use std::path::Path;
use std::process::{Command, ExitCode};

use super::{Common, Failure, setup, text};
use crate::config::Config;
use crate::daemon::lock::DataLock;
use crate::daemon::{self, parts};
use crate::store::{Options, Store};

/// Less than this free space is worth a warning.
const LITTLE_SPACE: u64 = 1 << 30;

enum Verdict {
    Good(String),
    Warning(String),
    Bad(String),
}

#[derive(Default)]
struct List {
    errors: usize,
    warnings: usize,
}

impl List {
    fn line(&mut self, what: &str, verdict: Verdict) {
        let (mark, colour, said) = match verdict {
            Verdict::Good(said) => ("ok", "32", said),
            Verdict::Warning(said) => {
                self.warnings += 1;
                ("warning", "33", said)
            }
            Verdict::Bad(said) => {
                self.errors += 1;
                ("error", "31", said)
            }
        };
        let mark = format!("{mark:<8}");
        let mark = if text::colour() { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark };
        println!("{mark} {what:<13} {said}");
    }
}

pub async fn run(common: &Common) -> Result<ExitCode, Failure> {
    let config = setup::config(common, None)?;
    let mut list = List::default();
    let file = common.config.as_deref().map_or("defaults, no file named".to_owned(), |path| path.display().to_string());
    list.line("configuration", Verdict::Good(file));
    list.line("zone", Verdict::Good(config.zone().to_string()));
    list.line("data", data(&config));
    list.line(
        "daemon",
        match DataLock::holder(config.data()) {
            Some(pid) => Verdict::Good(format!("runs, process {pid}")),
            None => Verdict::Warning("does not run on this data folder; start it with: prepress serve".to_owned()),
        },
    );
    list.line("database", database(&config).await);
    list.line("ingest", folder(&config.ingest_root(), "upload jobs read below it; it is made at need"));
    list.line("publish", folder(&config.publish_root(), "it is made by the first publish"));
    list.line("tls", tls(&config));
    list.line("mail", mail(&config).await);
    for (tool, package, what) in [("gs", "ghostscript", "PostScript"), ("ffmpeg", "ffmpeg", "video")] {
        list.line(tool, tool_found(tool, package, what));
    }
    println!();
    match (list.errors, list.warnings) {
        (0, 0) => println!("Everything is in order."),
        (0, warnings) => println!("It will run; {warnings} of these deserve a look."),
        (errors, _) => println!("{errors} of these must be mended."),
    }
    Ok(if list.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn data(config: &Config) -> Verdict {
    let path = config.data();
    if !path.is_dir() {
        return Verdict::Warning(format!("{} is not there; prepress serve makes it", path.display()));
    }
    if let Err(error) = rustix::fs::access(path, rustix::fs::Access::WRITE_OK) {
        return Verdict::Bad(format!("{} cannot be written: {error}", path.display()));
    }
    match rustix::fs::statvfs(path) {
        Ok(space) => {
            let free = space.f_bavail * space.f_frsize;
            let said = format!("{}, {} free", path.display(), crate::words::format::size(free, "en"));
            if free < LITTLE_SPACE { Verdict::Warning(said) } else { Verdict::Good(said) }
        }
        Err(error) => Verdict::Warning(format!("{}: free space unknown: {error}", path.display())),
    }
}

async fn database(config: &Config) -> Verdict {
    let path = daemon::database(config.data());
    if !path.exists() {
        return Verdict::Warning(format!("{} is not there; prepress serve makes it", path.display()));
    }
    let store = match Store::open(Options::new(&path, config.zone())).await {
        Ok(store) => store,
        Err(error) => return Verdict::Bad(error.to_string()),
    };
    match store.check_integrity().await {
        Ok(problems) if problems.is_empty() => Verdict::Good(path.display().to_string()),
        Ok(problems) => {
            Verdict::Bad(format!("{} is damaged: {}; restore a backup", path.display(), problems.join("; ")))
        }
        Err(error) => Verdict::Bad(error.to_string()),
    }
}

fn folder(path: &Path, absent: &str) -> Verdict {
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_dir() => match rustix::fs::access(path, rustix::fs::Access::READ_OK) {
            Ok(()) => Verdict::Good(path.display().to_string()),
            Err(error) => Verdict::Bad(format!("{} cannot be read: {error}", path.display())),
        },
        Ok(_) => Verdict::Bad(format!("{} is no folder", path.display())),
        Err(_) => Verdict::Good(format!("{} ({absent})", path.display())),
    }
}

fn tls(config: &Config) -> Verdict {
    let files: Vec<&Path> = [&config.server.tls_certificate, &config.server.tls_key]
        .into_iter()
        .flatten()
        .map(|path| path.as_path())
        .collect();
    match files.iter().find_map(|path| std::fs::File::open(path).err().map(|error| (path, error))) {
        Some((path, error)) => Verdict::Bad(format!("{} cannot be read: {error}", path.display())),
        None if files.is_empty() => Verdict::Good(format!("off; listens on http://{}", config.server.listen)),
        None => Verdict::Good(format!("on; listens on https://{}", config.server.listen)),
    }
}

async fn mail(config: &Config) -> Verdict {
    if config.mail.smtp_host.is_none() {
        let folder = config.eml_dir();
        return Verdict::Warning(format!("no SMTP server is configured: mails are written to {}", folder.display()));
    }
    let checked = async { Ok::<_, Failure>(parts::smtp(config, parts::mail_sender(config, "check")?)?.check().await) };
    match checked.await {
        Ok(Ok(())) => Verdict::Good(format!("{:?} answers", config.mail.smtp_host.as_deref().unwrap_or_default())),
        Ok(Err(error)) => Verdict::Bad(error.to_string()),
        Err(_) => Verdict::Bad("the mail settings cannot be used; see mail.from and mail.password_file".to_owned()),
    }
}

fn tool_found(tool: &str, package: &str, what: &str) -> Verdict {
    match Command::new(tool).arg(if tool == "gs" { "--version" } else { "-version" }).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            Verdict::Good(said.lines().next().unwrap_or("found").chars().take(60).collect())
        }
        Err(_) => Verdict::Warning(format!("not found; {what} needs the Debian package {package}")),
    }
}
