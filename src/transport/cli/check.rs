//! `prepress check`: a checklist of what a daemon needs, with what to do about what is missing.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Access, access, statvfs};
use rustix::io::Errno;

use super::checklist::Verdict::{self, Bad, Good, Warning};
use super::checklist::{List, count};
use super::daemon_user::{Closed, DaemonUser};
use super::failure::{Exit, Failure};
use super::place::{PlaceArgs, agree, open_to_read};
use super::screen::{Paint, Screen};
use crate::assets::patience::look_at_each;
use crate::assets::published;
use crate::assets::room::{self, Disk};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::daemon::lock::DataLock;
use crate::daemon::{self, fitness, parts};
use crate::model::asset::ContextKind;
use crate::service::jobs::Disks;
use crate::service::mark::Age;
use crate::service::{Error, Services};
use crate::store::peek::{Peeked, is_absence, peek};
use crate::store::{Options, StoreError, Unopened, open_to_others};
use crate::transport::certificates::{Files, Nearness};
use crate::words::format;

/// Less than this free space is worth a warning.
const LITTLE_SPACE: u64 = 1 << 30;

/// What to do where a disk says nothing.
const SILENT: &str = "see that the disk answers; jobs that need it wait for it";

/// What to do where rights are missing.
const RIGHTS: &str = "run the command as the daemon's user, or as a member of its group";

pub async fn run(place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let mut list = List::new(screen);
    let config = match place.config() {
        Ok(config) => config,
        Err(Failure::Told { what, hint }) => {
            list.line("configuration", Bad(what, hint.unwrap_or_default()))?;
            return Ok(Exit::Failed);
        }
        Err(failure) => return Err(failure),
    };
    list.line(
        "configuration",
        Good(
            place
                .config
                .clone()
                .or_else(|| place.noted(&config))
                .map(|path| path.display().to_string())
                .unwrap_or_else(|| "no file named: all settings have their defaults".to_owned()),
        ),
    )?;
    list.line("zone", zone(&config).await)?;
    list.line("data", data(&config))?;
    for verdict in rooms(&config).await {
        list.line("room", verdict)?;
    }
    list.line("daemon", runs(&config))?;
    list.line("database", database(&config).await)?;
    list.line("blobs", blobs(config.data().join("blobs")))?;
    list.line("ingest", folder(config.data(), config.ingest_root(), Access::READ_OK, "made with the first company"))?;
    list.line("publish", publish(&config))?;
    if let Some(verdict) = links_to_stored_files(&config).await {
        list.line("published", verdict)?;
    }
    list.line(
        "exports",
        folder(config.data(), config.export_root(), Access::READ_OK | Access::WRITE_OK, "made by the first export"),
    )?;
    list.line("listener", listener(&config))?;
    if let Some(files) = Files::of(&config.server) {
        list.line("certificate", certificate(&files))?;
    }
    list.line("mail", mail(&config).await)?;
    for (tool, argument, package, what) in [
        ("gs", "--version", "ghostscript", "PostScript and EPS cannot be read"),
        ("pdftoppm", "-v", "poppler-utils", "pages with some kinds of transparency cannot be drawn right"),
        ("ffmpeg", "-version", "ffmpeg", "video cannot be read"),
        ("heif-convert", "--help", "libheif-examples", "HEIC and AVIF cannot be read"),
    ] {
        list.line(tool, tool_found(tool, argument, package, what))?;
    }
    let (errors, warnings) = (count(list.errors, "error"), count(list.warnings, "warning"));
    let (paint, sum) = match (list.errors, list.warnings) {
        (0, 0) => (Paint::Green, "Everything is in order.".to_owned()),
        (0, _) => (Paint::Yellow, format!("It works, with {warnings}.")),
        (_, 0) => (Paint::Red, format!("It does not work: {errors}.")),
        (..) => (Paint::Red, format!("It does not work: {errors}, and {warnings} beside.")),
    };
    screen.line(format!("\n{}", screen.paint(paint, sum)))?;
    Ok(if list.errors == 0 { Exit::Done } else { Exit::Failed })
}

/// The zone of the data rules, until a daemon starts that is told another.
async fn zone(config: &Config) -> Verdict {
    let here = config.local_zone();
    let known = match peeked(config).await {
        Peeked::Ours { .. } => match services(config).await {
            // What is wrong with the database has a line of its own.
            Err(_) => None,
            Ok(services) => Some(services.zone()),
        },
        _ => None,
    };
    match known {
        Some(zone) if !agree(zone, here.zone, SystemClock.now()) => Warning(
            format!("{zone}, that of the data; here it is {} ({})", here.zone, here.origin),
            format!(
                "a daemon that starts here takes {} over, and computes all schedules anew; set zone = \"{zone}\" to keep it",
                here.zone
            ),
        ),
        Some(zone) => Good(format!("{zone}, that of the data")),
        None => Good(format!("{}, {}", here.zone, here.origin)),
    }
}

fn data(config: &Config) -> Verdict {
    let path = config.data();
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if !is_absence(&error) => return Bad(cannot_be_read(path, &error), RIGHTS.to_owned()),
        Err(_) => {
            if let Some(why) = cannot_be_made(path) {
                let what = format!("{shown} is not there, and cannot be made: {why}");
                return Bad(what, "name another with --data, or give the daemon's user the rights".to_owned());
            }
            return Warning(
                format!("{shown} is not there"),
                "prepress serve makes it; --data names another".to_owned(),
            );
        }
        Ok(facts) if !facts.is_dir() => {
            return Bad(format!("{shown} is not a folder"), "name another with --data".to_owned());
        }
        Ok(_) => {}
    }
    if let Err(error) = access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        return Bad(format!("{shown} cannot be used: {error}"), "give the daemon's user the rights to it".to_owned());
    }
    if let Some(open) = too_open(config) {
        return open;
    }
    Good(shown.to_string())
}

/// The disks that a daemon writes to, each with what it is for.
async fn rooms(config: &Config) -> Vec<Verdict> {
    match Disks::of(parts::written(config)).look().await {
        Ok(disks) => disks.iter().map(room_on).collect(),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            vec![Warning(format!("how much there is cannot be seen: {error}"), SILENT.to_owned())]
        }
        Err(error) => vec![Warning(format!("how much there is cannot be seen: {}", error.kind()), RIGHTS.to_owned())],
    }
}

fn room_on(disk: &Disk) -> Verdict {
    let uses: Vec<&str> = disk.uses.iter().map(|what| what.as_str()).collect();
    let (mount, free, needed) = (disk.mount.display(), format::size(disk.free, "en"), format::size(room::NEEDED, "en"));
    let said = format!("{mount}, {free} free, for {}", uses.join(", "));
    let meanwhile =
        "until then a job that cannot write waits, and what cannot be written down is refused; nothing is lost";
    if disk.free < room::NEEDED {
        return Bad(format!("{said}: jobs need {needed}"), format!("free some space on {mount}; {meanwhile}"));
    }
    if let Some(files) = disk.files.filter(|_| disk.lacks_files()) {
        let what = format!("{said}: there is room for {files} more files only (no inodes are left)");
        return Bad(what, format!("remove files from {mount}; {meanwhile}"));
    }
    if disk.free < LITTLE_SPACE {
        let hint = format!("free some space on {mount}: a job that cannot write waits until there is room");
        return Warning(format!("{said}: little"), hint);
    }
    Good(said)
}

/// Whether others than the owner of the data folder and its group get at what it holds.
fn too_open(config: &Config) -> Option<Verdict> {
    let data = config.data();
    let shown = data.display();
    let mode = fs::metadata(data).ok()?.permissions().mode() & 0o7777;
    if mode & 0o002 != 0 {
        let what = format!(
            "{shown} may be written by every user of this machine (mode {mode:04o}), who can then replace the database"
        );
        return Some(Bad(what, format!("chmod o-rwx {shown}")));
    }
    let login = daemon::admin_login(data);
    let is_open = |bits: u32| fs::metadata(&login).is_ok_and(|facts| facts.permissions().mode() & bits != 0);
    if mode & 0o005 != 0 {
        let mut files = open_to_others(&daemon::database(data));
        files.extend(is_open(0o004).then(|| login.clone()));
        let files = match files.as_slice() {
            [] => "the files of all companies".to_owned(),
            files => shown_names(files),
        };
        let what =
            format!("{shown} may be entered by every user of this machine (mode {mode:04o}), who can read {files}");
        return Some(Warning(what, format!("chmod o-rwx {shown}")));
    }
    // Others are kept away by the folder, whatever its files have; its group is not, and is not to have the login.
    if mode & 0o010 == 0 || !is_open(0o060) {
        return None;
    }
    let shown = login.display();
    Some(Warning(format!("{shown} may be read by the folder's group"), format!("chmod go-rwx {shown}")))
}

fn shown_names(files: &[PathBuf]) -> String {
    let names = files.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy());
    names.collect::<Vec<_>>().join(", ")
}

fn runs(config: &Config) -> Verdict {
    match DataLock::holder(config.data()) {
        Some(pid) => {
            let address = fs::read_to_string(config.data().join("listen")).unwrap_or_default();
            Good(format!("runs as process {pid}, listens on {}", address.trim()))
        }
        None if access(config.data(), Access::EXEC_OK) == Err(Errno::ACCESS) => {
            Warning("whether it runs cannot be seen".to_owned(), RIGHTS.to_owned())
        }
        None => Warning("does not run on this data folder".to_owned(), "start it: prepress serve".to_owned()),
    }
}

fn cannot_be_read(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be read: {}", path.display(), error.kind())
}

async fn peeked(config: &Config) -> Peeked {
    peek(&Options::new(daemon::database(config.data()), config.zone())).await
}

async fn database(config: &Config) -> Verdict {
    let path = daemon::database(config.data());
    let shown = path.display();
    if let Err(unfit) = fitness::examine(config).await {
        return Bad(unfit.what, unfit.remedy);
    }
    match fs::File::open(&path) {
        Err(error) if is_absence(&error) => {
            return Warning(format!("{shown} is not there"), "prepress serve makes it".to_owned());
        }
        Err(error) => return Bad(cannot_be_read(&path, &error), RIGHTS.to_owned()),
        Ok(_) => {}
    }
    if peeked(config).await == Peeked::Empty {
        return Warning(format!("{shown} is empty"), "prepress serve makes it".to_owned());
    }
    let restore = "stop the daemon and restore a backup".to_owned();
    let checked = async {
        let services = services(config).await?;
        let found = services.store().check_integrity().await?;
        // A daemon has looked when it started; a look at a disk that hangs could keep this one for good beside it.
        let age = match DataLock::holder(config.data()) {
            Some(_) => services.restored().await?.map(Age::from),
            None => services.age(&parts::beside(config)).await?,
        };
        Ok::<_, Error>((found, age))
    };
    match checked.await {
        Ok((found, None)) if found.is_empty() => Good(shown.to_string()),
        Ok((found, Some(age))) if found.is_empty() => {
            let (_, hint) = age.consequence();
            Warning(format!("{shown} {age}; Cleanup removes nothing"), hint.to_owned())
        }
        Ok((found, _)) => Bad(format!("{shown} is damaged: {}", found.join(", ")), restore),
        Err(error) => {
            let said = error.to_string();
            let (what, hint) = said.rsplit_once("; ").unwrap_or((&said, "check its rights"));
            let (what, hint) = (what.to_owned(), hint.to_owned());
            let is_older = matches!(error, Error::Store(StoreError::Open { reason: Unopened::Older, .. }));
            if is_older { Warning(what, hint) } else { Bad(what, hint) }
        }
    }
}

/// To look, and no more.
async fn services(config: &Config) -> Result<Services, Error> {
    Services::new(open_to_read(config).await?, SystemClock::shared(), parts::service_settings(config))
}

/// What parting the trees of an earlier version from the stored files takes. None if there is nothing to part.
async fn links_to_stored_files(config: &Config) -> Option<Verdict> {
    // Opening one that is empty, or another program's, would make it ours.
    if !matches!(peeked(config).await, Peeked::Ours { .. }) || fitness::examine(config).await.is_err() {
        return None;
    }
    let counted = async {
        let services = services(config).await?;
        services.links_to_blobs(&parts::places(config, false)).await
    };
    let (files, bytes) = match counted.await {
        // What is wrong with the database has a line of its own.
        Err(_) | Ok((0, _)) => return None,
        Ok(counted) => counted,
    };
    let free = statvfs(config.publish_root()).map_or(0, |space| space.f_bavail * space.f_frsize);
    let (size, room) = (format::size(bytes, "en"), format::size(free, "en"));
    let what = format!(
        "{} {} to stored files; the next publish of each context gives them room of their own, up to {size} \
         (none where the file system shares room), and {room} are free",
        count(files as usize, "file"),
        if files == 1 { "is a link" } else { "are links" },
    );
    let hint =
        "until then, who edits one in place changes the stored file; prepress doctor --repair parts them at once";
    if bytes.saturating_add(LITTLE_SPACE) > free {
        return Some(Bad(what, format!("free some space first: publishes wait while the disk is full; {hint}")));
    }
    Some(Warning(what, hint.to_owned()))
}

/// Where stored files are: in folders of two digits each, which all are written to.
fn blobs(path: PathBuf) -> Verdict {
    let rights = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    let of_all = folder(path.parent().unwrap_or(&path), path.clone(), rights, "made with the first file");
    if !matches!(of_all, Good(_)) {
        return of_all;
    }
    let looked = look_at_each(&[(path.clone(), rights)], |(path, rights)| closed(path, *rights)).pop();
    match looked.unwrap_or(Ok(None)) {
        Ok(None) => of_all,
        Ok(Some(closed)) => closed.verdict(),
        Err(error) => Bad(format!("{} cannot be looked at: {error}", path.display()), SILENT.to_owned()),
    }
}

/// Why the daemon cannot write to its data folder, to what it has there, or to one of the folders of files.
fn closed(path: &Path, rights: Access) -> io::Result<Option<Closed>> {
    let has_digits =
        |name: &OsStr| name.len() == 2 && name.to_string_lossy().bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(data) = path.parent() else { return Ok(None) };
    let user = DaemonUser::of(data);
    let sure = |path: &Path, what: &str, error: io::Error| Closed {
        why: format!("{} cannot be {what}: {error}", path.display()),
        doubt: None,
    };
    let refused = |path: &Path, facts: &fs::Metadata| match &user {
        Some(user) if facts.is_dir() => user.refused(path, rights),
        Some(user) => user.refused(path, Access::READ_OK | Access::WRITE_OK),
        None => access(path, Access::WRITE_OK).err().map(|error| sure(path, "written", error.into())),
    };
    let database = daemon::database(data);
    let beside = |ending: &str| PathBuf::from([database.as_os_str(), OsStr::new(ending)].join(OsStr::new("")));
    let own = [
        data.to_owned(),
        database.clone(),
        beside("-wal"),
        beside("-shm"),
        daemon::lock(data),
        daemon::marks(data),
        path.to_owned(),
    ];
    let there = own.iter().filter_map(|path| Some((path, fs::metadata(path).ok()?)));
    if let Some(closed) = there.into_iter().find_map(|(path, facts)| refused(path, &facts)) {
        return Ok(Some(closed));
    }
    let entries = match fs::read_dir(path) {
        // The daemon makes it.
        Err(error) if is_absence(&error) => return Ok(None),
        entries => entries?,
    };
    for entry in entries.flatten().filter(|entry| has_digits(&entry.file_name())) {
        let folder = entry.path();
        if let Err(error) = access(&folder, rights) {
            return Ok(Some(sure(&folder, "used", error.into())));
        }
        if let Some(closed) = user.as_ref().and_then(|user| user.refused_itself(&folder, rights)) {
            return Ok(Some(closed));
        }
    }
    Ok(None)
}

/// Where published files are, and the trees of image servers below, which may be on another disk and somebody else's.
fn publish(config: &Config) -> Verdict {
    let look = |path| folder(config.data(), path, Access::READ_OK | Access::WRITE_OK, "made by the first publish");
    let trees = config.publish_root().join(published::folder(ContextKind::ImageServing));
    let of_all = look(config.publish_root());
    if !matches!(of_all, Good(_)) {
        return of_all;
    }
    match look(trees) {
        Good(_) => of_all,
        of_trees => of_trees,
    }
}

/// What a folder on a disk that does not answer is said to be.
fn folder(data: &Path, path: PathBuf, rights: Access, absent: &'static str) -> Verdict {
    let place = (data.to_owned(), path.clone(), rights, absent);
    let looked = look_at_each(&[place], |(data, path, rights, absent)| Ok(folder_there(data, path, *rights, absent)));
    let silent = |error: io::Error| Bad(format!("{} cannot be looked at: {error}", path.display()), SILENT.to_owned());
    looked.into_iter().map(|looked| looked.unwrap_or_else(silent)).next().unwrap_or_else(|| Good(String::new()))
}

fn folder_there(data: &Path, path: &Path, rights: Access, absent: &str) -> Verdict {
    let (shown, rights, user) = (path.display(), rights | Access::EXEC_OK, DaemonUser::of(data));
    match fs::metadata(path) {
        Err(error) if !is_absence(&error) => Bad(cannot_be_read(path, &error), RIGHTS.to_owned()),
        Err(_) => match (cannot_be_made(path), user.and_then(|user| user.refused_to_make(path))) {
            (Some(why), _) => {
                Bad(format!("{shown} cannot be made: {why}"), "name another in the configuration".to_owned())
            }
            (None, Some(closed)) => {
                Closed { why: format!("{shown} cannot be made: {}", closed.why), ..closed }.verdict()
            }
            (None, None) => Good(format!("{shown} ({absent})")),
        },
        Ok(facts) if !facts.is_dir() => {
            Bad(format!("{shown} is not a folder"), "name another in the configuration".to_owned())
        }
        Ok(_) => match access(path, rights) {
            Ok(()) => match user.and_then(|user| user.refused(path, rights)) {
                Some(closed) => closed.verdict(),
                None => Good(shown.to_string()),
            },
            Err(error) => {
                Bad(format!("{shown} cannot be used: {error}"), "give the daemon's user the rights".to_owned())
            }
        },
    }
}

/// Why a folder that is not there cannot be made either.
fn cannot_be_made(path: &Path) -> Option<String> {
    let above = path.ancestors().skip(1).find(|above| above.exists())?;
    let refused = access(above, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!("{}: {refused}", above.display()))
}

fn listener(config: &Config) -> Verdict {
    if DataLock::holder(config.data()).is_none()
        && let Err(error) = std::net::TcpListener::bind(config.server.listen)
    {
        let is_told = access(config.data(), Access::EXEC_OK) != Err(Errno::ACCESS);
        return not_bound(config.server.listen, &error, is_told);
    }
    let scheme = if config.server.tls_certificate.is_some() { "https" } else { "http" };
    let exposed = scheme == "http" && !config.server.listen.ip().is_loopback();
    let said = format!("{scheme}://{}", config.server.listen);
    if exposed {
        return Warning(said, "passwords cross the network in the clear: set server.tls_certificate".to_owned());
    }
    Good(said)
}

/// Another user than the daemon's may not be able to tell whether the daemon itself has the address.
fn not_bound(listen: SocketAddr, error: &std::io::Error, is_told: bool) -> Verdict {
    if error.kind() == std::io::ErrorKind::AddrInUse && !is_told {
        let what =
            format!("{listen} is listened on, maybe by the daemon: who may not enter the data folder cannot tell");
        return Warning(what, RIGHTS.to_owned());
    }
    let what = format!("{listen} cannot be listened on: {error}");
    Bad(what, "set server.listen to another address, or end what listens there".to_owned())
}

/// The pair as a daemon would serve it, and how long that will do.
fn certificate(files: &Files) -> Verdict {
    let pair = match files.load() {
        Ok(pair) => pair,
        Err(error) => return Bad(error.to_string(), "a daemon that runs goes on with the one from before".to_owned()),
    };
    let now = SystemClock.now();
    let (shown, until) = (files.certificate.display(), pair.validity.until);
    let date = until.format("%Y-%m-%d %H:%M UTC");
    let renew = || "renew it; a daemon that runs reads it within a minute".to_owned();
    match Nearness::of(&pair.validity, now) {
        Nearness::Far if pair.validity.from > now => {
            let from = pair.validity.from.format("%Y-%m-%d %H:%M UTC");
            Warning(format!("{shown} is valid only from {from} on"), "check the clock of this machine".to_owned())
        }
        Nearness::Far => Good(format!("{shown}, valid until {date}")),
        Nearness::Near(_) => Warning(format!("{shown} expires in {} days, {date}", (until - now).num_days()), renew()),
        Nearness::Over => Bad(format!("{shown} has expired, {date}: clients refuse it"), renew()),
    }
}

async fn mail(config: &Config) -> Verdict {
    let Some(host) = &config.mail.smtp_host else {
        let what = format!("written as files into {}", config.eml_dir().display());
        return Warning(what, "set mail.smtp_host to have it sent".to_owned());
    };
    let hint = || "see [mail] in the configuration".to_owned();
    let transport = match parts::mail_sender(config, "check").and_then(|sender| parts::smtp(config, sender)) {
        Ok(transport) => transport,
        Err(error) => return Bad(error.to_string(), hint()),
    };
    match transport.check().await {
        Ok(()) => Good(format!("{host}:{} takes mails", config.mail.smtp_port())),
        Err(error) => Bad(error.to_string(), hint()),
    }
}

fn tool_found(tool: &str, argument: &str, package: &str, what: &str) -> Verdict {
    let output = Command::new(tool).arg(argument).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            let said = [output.stdout, output.stderr].concat();
            Good(version(&String::from_utf8_lossy(&said)).unwrap_or("found, of an unknown version").to_owned())
        }
        Ok(output) => {
            let what = format!("is there but does not run ({}); {what}", output.status);
            Warning(what, format!("see what `{tool} {argument}` says, or: apt install --reinstall {package}"))
        }
        Err(_) => Warning(format!("not found; {what}"), format!("apt install {package}")),
    }
}

/// The first word that is a version, of whatever a tool says of itself.
fn version(said: &str) -> Option<&str> {
    let numbered = |word: &&str| word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit());
    said.split_whitespace().find(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_see_the_daemon_does_not_call_its_port_taken_by_another() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        let taken = || io::Error::from(io::ErrorKind::AddrInUse);
        let Warning(what, hint) = not_bound(listen, &taken(), false) else { panic!("it may be the daemon itself") };
        assert!(what.contains("maybe by the daemon") && hint.contains("the daemon's user"), "{what}: {hint}");
        assert!(matches!(not_bound(listen, &taken(), true), Bad(..)));
        assert!(matches!(not_bound(listen, &io::Error::from(io::ErrorKind::PermissionDenied), false), Bad(..)));
    }
}
