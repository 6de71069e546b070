//! By whom the daemon runs, and what that user may do: for root to know, who may do all. It goes by the modes of files: what lists of access
//! control, capabilities and mounts of the daemon's own admit is not seen, only that there are some.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, Stdio};

use rustix::fs::Access;
use rustix::process::geteuid;

use super::checklist::Verdict::{self, Bad, Warning};
use crate::daemon;
use crate::daemon::lock::DataLock;

/// Why the daemon cannot work with something.
pub struct Closed {
    pub why: String,
    pub doubt: Option<Doubt>,
}

/// What may make it work all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// By whom the daemon runs is only likely.
    User,
    /// The user may be in a group that the service manager alone knows of.
    Group(u32),
    /// A list of access control says more than the mode.
    List,
    /// The daemon that runs has capabilities, or sees other mounts.
    Own,
}

impl Closed {
    pub fn verdict(self) -> Verdict {
        let Self { why, doubt } = self;
        let hint = "give the daemon's user the rights, as with chown";
        match doubt {
            None => Bad(format!("{why}; the daemon cannot work like that"), hint.to_owned()),
            Some(Doubt::User) => Warning(
                format!("{why}; if the daemon is to run as that user, it cannot work like that"),
                format!("{hint}, unless it runs as root"),
            ),
            Some(Doubt::Group(group)) => Warning(
                format!("{why}; unless the daemon is to run with the group {group}, it cannot work like that"),
                format!("{hint}, or see that its service has the group"),
            ),
            Some(Doubt::List) => Warning(
                format!("{why} by its mode; its list of access control may say otherwise"),
                "ask as the daemon's user, as with runuser".to_owned(),
            ),
            Some(Doubt::Own) => Warning(
                format!("{why} here; the daemon has capabilities or mounts of its own, and may do so all the same"),
                "ask where the daemon runs, and as its user".to_owned(),
            ),
        }
    }
}

/// By whom the daemon runs: never root, who restores what it restores as its own.
pub struct DaemonUser {
    id: u32,
    groups: Vec<u32>,
    told_by: String,
    doubt: Option<Doubt>,
    /// As those of a process are; the accounts of a machine need not tell all.
    are_all_groups: bool,
}

impl DaemonUser {
    /// As a daemon that runs has it, or the newest of what it has made tells, or else whoever the data folder belongs to. None unless
    /// it is root who asks.
    pub fn of(data: &Path) -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let running = DataLock::holder(data).filter(|pid| holds_lock(*pid, data));
        if let Some((pid, (id, groups))) = running.and_then(|pid| Some((pid, of_process(pid)?))) {
            let (told_by, doubt) = ("the daemon".to_owned(), has_more_than_its_user(pid).then_some(Doubt::Own));
            return (id != 0).then_some(Self { id, groups, told_by, doubt, are_all_groups: true });
        }
        let tells = |path: &Path, doubt: Option<Doubt>| {
            let facts = fs::metadata(path).ok().filter(|facts| facts.uid() != 0)?;
            let groups = [of_account(facts.uid()), vec![facts.gid()]].concat();
            let told_by = path.display().to_string();
            Some(Self { id: facts.uid(), groups, told_by, doubt, are_all_groups: false })
        };
        let made = [daemon::database(data), daemon::lock(data)];
        made.iter().find_map(|path| tells(path, None)).or_else(|| tells(data, Some(Doubt::User)))
    }

    /// Why it does not have these rights to what is there, or does not get to it.
    pub fn refused(&self, path: &Path, rights: Access) -> Option<Closed> {
        let mut above: Vec<PathBuf> = absolute(path).iter().flat_map(|path| folders_above(path)).collect();
        // Where a link leads has folders above it of its own.
        above.extend(fs::canonicalize(path).iter().flat_map(|path| folders_above(path)));
        let entered = above.iter().find_map(|folder| self.refused_itself(folder, Access::EXEC_OK));
        entered.or_else(|| self.refused_itself(path, rights))
    }

    /// Why it cannot make a folder that is not there.
    pub fn refused_to_make(&self, path: &Path) -> Option<Closed> {
        let there = path.ancestors().skip(1).find(|above| above.exists())?;
        self.refused(there, Access::WRITE_OK | Access::EXEC_OK)
    }

    /// The same of something that it gets to.
    pub fn refused_itself(&self, path: &Path, rights: Access) -> Option<Closed> {
        let facts = fs::metadata(path).ok()?;
        let own = self.rights(&facts);
        let missing = [(Access::EXEC_OK, "enter"), (Access::READ_OK, "read"), (Access::WRITE_OK, "write to")];
        let (missing, verb) = missing.into_iter().find(|(right, _)| (rights - own).contains(*right))?;
        let Self { id, told_by, .. } = self;
        let why = format!(
            "{} belongs to the user {}, and {told_by} to {id}, who may not {verb} it",
            path.display(),
            facts.uid()
        );
        let is_open_to_group = !self.are_all_groups && facts.uid() != *id && of_group(&facts).contains(missing);
        // What a mode says of the group is something else where there is a list.
        let by_list = || has_list(path).then_some(Doubt::List);
        let by_group = || is_open_to_group.then_some(Doubt::Group(facts.gid()));
        let doubt = self.doubt.or_else(by_list).or_else(by_group);
        Some(Closed { why, doubt })
    }

    fn rights(&self, facts: &Metadata) -> Access {
        match (facts.uid() == self.id, self.groups.contains(&facts.gid())) {
            (true, _) => bits(facts.mode() >> 6),
            (false, true) => of_group(facts),
            (false, false) => bits(facts.mode()),
        }
    }
}

fn has_list(path: &Path) -> bool {
    // None where it has none, or its file system knows of none.
    rustix::fs::getxattr_query(path, "system.posix_acl_access").is_ok_and(|length| length > 0)
}

fn of_group(facts: &Metadata) -> Access {
    bits(facts.mode() >> 3)
}

fn bits(mode: u32) -> Access {
    Access::from_bits_truncate(mode & 0o7)
}

/// From the root on.
fn folders_above(path: &Path) -> Vec<PathBuf> {
    let mut above: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
    above.reverse();
    above
}

fn process(pid: u32) -> PathBuf {
    format!("/proc/{pid}").into()
}

/// Whether a process may reach more than its user may from here.
fn has_more_than_its_user(pid: u32) -> bool {
    const MAY_OVERRIDE: u64 = 1 << 1 | 1 << 2;
    let mounts = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let status = fs::read_to_string(process(pid).join("status")).unwrap_or_default();
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    capabilities & MAY_OVERRIDE != 0 || mounts(&pid.to_string()) != mounts("self")
}

/// The user and the groups that a process works with.
fn of_process(pid: u32) -> Option<(u32, Vec<u32>)> {
    let status = fs::read_to_string(process(pid).join("status")).ok()?;
    let numbers = |of: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(of)).unwrap_or_default();
        line.split_whitespace().filter_map(|number| number.parse().ok()).collect()
    };
    // Real, effective, saved, and that of files.
    let of_files = |of: &str| numbers(of).get(3).copied();
    Some((of_files("Uid:")?, [numbers("Groups:"), vec![of_files("Gid:")?]].concat()))
}

/// The groups that the accounts of this machine give a user; none of one that they do not know.
fn of_account(user: u32) -> Vec<u32> {
    let told = Command::new("id").args(["-G", &user.to_string()]).stdin(Stdio::null()).output();
    let told = told.ok().filter(|told| told.status.success()).map(|told| told.stdout).unwrap_or_default();
    String::from_utf8_lossy(&told).split_whitespace().filter_map(|group| group.parse().ok()).collect()
}

/// Whether a process has the lock's file open: in a container its number is another, and may be that of any process here.
fn holds_lock(pid: u32, data: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()));
    let lock = file(&daemon::lock(data));
    let open = fs::read_dir(process(pid).join("fd")).into_iter().flatten().flatten();
    lock.is_some() && open.into_iter().any(|entry| file(&entry.path()) == lock)
}
