//! `prepress demo`: a folder of pictures from submission to publish, as a client and an administrator see it.
//!
//! The daemon is the real one, and the job goes to it over HTTP as a client's would.

mod client;
mod orders;
mod show;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::failure::{Exit, Failure};
use super::place::PlaceArgs;
use super::screen::{Paint, Screen};
use super::serve::{self, Signals};
use super::watch::{self, Bar};
use crate::clock::{self, SystemClock};
use crate::config::{Config, Overrides};
use crate::daemon::lock::DataLock;
use crate::daemon::{Daemon, StartError};
use crate::media::sample;
use crate::model::asset::TrashState;
use crate::model::id::{CompanyId, InstanceId};
use crate::model::role::Role;
use crate::service::admin::AddUser;
use crate::service::password;
use crate::store::assets::query::{Asset, Search, Sort};
use crate::store::jobs::query::{Run, RunFilter, RunOrder};
use crate::words;

use client::Client;

const COMPANY: &str = "Demo";
const EMAIL: &str = "producer@demo.example";
const JOB: &str = "Spring catalogue";
const FOLDER: &str = "spring";

/// What a demo leaves in its folder.
const MARK: &str = ".prepress-demo";
const MADE_BY: &str = "made by prepress demo\n";

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Take the pictures of this folder instead of a sample catalogue
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Remove all that is in the data folder first (./prepress-demo, or that of --data), if an earlier demo made it
    #[arg(long)]
    clear: bool,
    /// End when the job is done instead of going on serving
    #[arg(long)]
    exit: bool,
    /// Address to listen on [default: 127.0.0.1 and a free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Longer side of the sample pictures, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1600, value_parser = clap::value_parser!(u32).range(32..=8192))]
    size: u32,
}

pub async fn run(args: DemoArgs, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let config = configure(place, &args)?;
    if args.from.is_none() {
        screen.line("Drawing a sample catalogue …")?;
    }
    let filling = tokio::task::spawn_blocking({
        let (config, from, size) = (config.clone(), args.from.clone(), args.size);
        move || fill(&config, from.as_deref(), size)
    });
    let pictures = tokio::select! {
        pictures = filling => pictures.map_err(|error| Failure::new(error.to_string()))??,
        _ = signals.next() => return Err(Failure::Interrupted("nothing was submitted".to_owned())),
    };
    let daemon = Daemon::start(config.clone(), SystemClock::shared()).await?;
    let shown = tokio::select! {
        runs = show_work(&daemon, &config, &args, pictures, screen) => runs.map(|runs| watch::exit_of(&runs)),
        _ = signals.next() => {
            let data = config.data().display();
            Err(Failure::Interrupted(format!("the jobs go on with: prepress serve --data {data}")))
        }
    };
    if shown.is_ok() && !args.exit && screen.line("\nServing until Ctrl-C …").is_ok() {
        signals.next().await;
    }
    serve::shut_down(daemon, &mut signals).await;
    shown
}

/// Submits the pictures as a client does, and shows what becomes of them.
async fn show_work(
    daemon: &Daemon,
    config: &Config,
    args: &DemoArgs,
    pictures: Filled,
    screen: &Screen,
) -> Result<Vec<Run>, Failure> {
    serve::announce_place(daemon, config.data(), None)?;
    let client = Client::new(daemon.address(), EMAIL, add_user(daemon).await?)?;
    let presets = orders::add_presets(daemon).await?;
    let handle = client.submit(CompanyId(1), JOB, &orders::upload(&presets)).await?;
    screen.facts([
        ("daemon", format!("http://{}, data in {}", daemon.address(), config.data().display())),
        ("pictures", format!("{pictures} in {}", ingest(config).display())),
        ("submitted", format!("by SOAP as {EMAIL}; the answer's job handle is {}", screen.paint(Paint::Bold, handle))),
    ])?;
    watch(daemon).await?;
    for (job, element) in orders::follow_ups(daemon).await? {
        client.submit(CompanyId(1), job, &element).await?;
    }
    let runs = watch(daemon).await?;
    show::everything(config, daemon, &runs, client.password(), args.exit, screen).await?;
    Ok(runs)
}

/// All that the company has.
async fn assets(daemon: &Daemon) -> Result<Vec<Asset>, Failure> {
    const MOST: u32 = 1000;
    let search = Search {
        folder: String::new(),
        include_subfolders: true,
        trash_state: TrashState::NotInTrash,
        publish_state: None,
        types: None,
        excluded_types: Vec::new(),
        sub_types: Vec::new(),
        strict_sub_types: false,
        groups: Vec::new(),
        any_group: false,
        sort: Sort::Name,
        descending: false,
        limit: MOST,
        offset: 0,
    };
    Ok(daemon.services().store().search_assets(CompanyId(1), &search).await?.assets)
}

/// Where the company's upload jobs read.
fn ingest(config: &Config) -> PathBuf {
    config.ingest_root().join(COMPANY).join(FOLDER)
}

/// A data folder of its own: an empty one, or one that an earlier demo made and that is to be cleared.
fn configure(place: &PlaceArgs, args: &DemoArgs) -> Result<Arc<Config>, Failure> {
    let data = place.data.clone().unwrap_or_else(|| PathBuf::from("prepress-demo"));
    if let Some(from) = args.from.as_deref().filter(|from| !from.is_dir()) {
        return Err(Failure::new(format!("{} is not a folder", from.display())).hint("--from names one with pictures"));
    }
    let listen = args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let overrides = Overrides { data: Some(data.clone()), listen: Some(listen) };
    let config = Config::load(place.config.as_deref(), overrides)?;
    // Those of a configuration may be anywhere, and somebody's.
    for root in [config.ingest_root(), config.publish_root(), config.export_root()] {
        if !lies_in(&root, &data) && !is_empty(&root) {
            return Err(Failure::new(format!("{} is not empty, and not the demo's", root.display())).hint(
                "a demo puts its files there: run it without --config and PREPRESS_CONFIG, or with other folders",
            ));
        }
    }
    if !is_empty(&data) {
        clear(&data, args, place)?;
    }
    let made = std::fs::create_dir_all(&data).and_then(|()| std::fs::write(data.join(MARK), MADE_BY));
    made.map_err(|e| Failure::new(format!("cannot make {}: {e}", data.display())))?;
    Ok(Arc::new(config))
}

/// Whatever way its path takes.
fn lies_in(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (path.canonicalize(), folder.canonicalize());
    path.is_ok_and(|path| folder.is_ok_and(|folder| path.starts_with(folder)))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// Removes what an earlier demo left in its folder, if it is told to and nothing else is meant.
fn clear(data: &Path, args: &DemoArgs, place: &PlaceArgs) -> Result<(), Failure> {
    let shown = data.display();
    let mark = data.join(MARK);
    if std::fs::read(&mark).ok().as_deref() != Some(MADE_BY.as_bytes()) {
        return Err(Failure::new(format!("{shown} is not empty, and no demo made it"))
            .hint("name another folder with --data; the demo begins with an empty one"));
    }
    let _lock = DataLock::acquire(data).map_err(StartError::from)?;
    if !args.clear {
        return Err(Failure::new(format!("{shown} holds an earlier demo, and what was put there since"))
            .hint("remove all of it with --clear, or name another folder with --data"));
    }
    let cannot = |error: std::io::Error| Failure::new(format!("cannot clear {shown}: {error}"));
    let folder = data.canonicalize().map_err(cannot)?;
    for needed in [args.from.as_deref(), place.config.as_deref()].into_iter().flatten() {
        // A link that lies there goes, too.
        let named = |path: &Path| std::path::absolute(path).map_err(cannot);
        if named(needed)?.starts_with(named(data)?) || lies_in(needed, data) {
            return Err(Failure::new(format!("{} lies in {shown}, and would be removed with it", needed.display()))
                .hint("move it elsewhere first"));
        }
    }
    // The folder itself stays, which may be a link or a mount; the mark goes last, so that what failed can be tried again.
    for entry in std::fs::read_dir(&folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let is_folder = entry.file_type().map_err(cannot)?.is_dir();
        match is_folder {
            true => std::fs::remove_dir_all(entry.path()).map_err(cannot)?,
            false if entry.file_name() == MARK => {}
            false => std::fs::remove_file(entry.path()).map_err(cannot)?,
        }
    }
    std::fs::remove_file(mark).map_err(cannot)
}

/// What was put where the company's upload jobs read.
#[derive(Debug, Default, Clone, Copy)]
struct Filled {
    files: usize,
    /// Links and special files, which stay behind.
    left: usize,
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files", self.files)?;
        match self.left {
            0 => Ok(()),
            left => write!(f, " ({left} links and special files stay behind)"),
        }
    }
}

/// Puts the pictures where the company's upload jobs read.
fn fill(config: &Config, from: Option<&Path>, size: u32) -> Result<Filled, Failure> {
    let ingest = ingest(config);
    let cannot = |error: std::io::Error| Failure::new(format!("cannot make {}: {error}", ingest.display()));
    std::fs::create_dir_all(&ingest).map_err(cannot)?;
    let Some(from) = from else {
        let files = sample::write_catalogue(&ingest, size)?.len() + usize::from(film(&ingest));
        return Ok(Filled { files, left: 0 });
    };
    // What is copied may hold the folders that the demo writes to, which are no pictures of it.
    let own = [config.data(), &config.ingest_root(), &ingest].map(Path::canonicalize);
    let own: Vec<PathBuf> = own.into_iter().collect::<Result<_, _>>().map_err(cannot)?;
    let mut filled = Filled::default();
    copy_tree(from, &ingest, &own, &mut filled)
        .map_err(|e| Failure::new(format!("cannot copy {} to {}: {e}", from.display(), ingest.display())))?;
    Ok(filled)
}

/// Makes a film of the frames of the spin, where ffmpeg is installed.
fn film(catalogue: &Path) -> bool {
    let made = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-stream_loop", "2", "-framerate", "12", "-i"])
        .arg(catalogue.join("Spin/Mug-%02d.jpg"))
        .args(["-vf", "scale=640:-2", "-pix_fmt", "yuv420p"])
        .arg(catalogue.join("Spin/Mug-turning.mp4"))
        .stdin(std::process::Stdio::null())
        .output();
    made.is_ok_and(|made| made.status.success())
}

/// Copies files and folders, but not those of the demo.
fn copy_tree(from: &Path, to: &Path, own: &[PathBuf], filled: &mut Filled) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            if !own.contains(&entry.path().canonicalize()?) {
                std::fs::create_dir_all(&target)?;
                copy_tree(&entry.path(), &target, own, filled)?;
            }
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target)?;
            filled.files += 1;
        } else {
            filled.left += 1;
        }
    }
    Ok(())
}

/// The company, and a user with a password.
async fn add_user(daemon: &Daemon) -> Result<String, Failure> {
    let services = daemon.services();
    services.add_company(COMPANY, Some(CompanyId(1)), None).await?;
    let password = password::generate()?;
    let user = AddUser {
        email: EMAIL.to_owned(),
        first_name: "Paula".to_owned(),
        last_name: "Producer".to_owned(),
        company: COMPANY.to_owned(),
        role: Role::IpsUser,
        password: Some(password.clone()),
        locale: None,
    };
    services.add_user(user).await?;
    Ok(password)
}

/// Shows progress until all runs are done.
async fn watch(daemon: &Daemon) -> Result<Vec<Run>, Failure> {
    const LOOK: chrono::TimeDelta = chrono::TimeDelta::milliseconds(100);
    let services = daemon.services();
    let filter = RunFilter { order: RunOrder::Number, ..RunFilter::default() };
    let mut shown: Option<(InstanceId, Bar)> = None;
    loop {
        let runs = services.store().runs(&filter).await?;
        match runs.iter().find(|run| run.finished_at.is_none()) {
            None if !runs.is_empty() => return Ok(runs),
            None => {}
            Some(run) => {
                let bar = match shown.take() {
                    Some((id, bar)) if id == run.id => bar,
                    other => {
                        drop(other);
                        Bar::new(super::jobs::short(run.kind))
                    }
                };
                let message = run.progress.as_ref().map(|message| words::say(message, "en", services.zone()));
                bar.show(run.items_done, run.items_total, &message.unwrap_or_default());
                shown = Some((run.id, bar));
            }
        }
        clock::sleep(&SystemClock, LOOK).await;
    }
}
