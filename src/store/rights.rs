//! Who may read the database on the disk: its owner, and the group of the data folder if the folder admits it. Others never:
//! it holds the hashes of all passwords, and what every company has.
//!
//! SQLite gives the files that it makes beside the database (`-wal`, `-shm`, `-journal`) the rights of the database, so that
//! these are what to settle, whatever the umask of the process is. No file that is there is opened for it: closing it would
//! undo the locks that other connections of this process hold.

use std::fs::{self, DirEntry, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::Gid;

/// Group members may enter the folder.
const ADMITS_GROUP: u32 = 0o010;

/// Others may read or write.
const OTHERS: u32 = 0o006;

/// Sets the rights of a database, which is made if it is not there, of the files beside it, and of copies whose names begin
/// like its own. What cannot be changed is said in the log: a file system may know no rights.
pub(super) fn settle(database: &Path) {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(database);
    // Why it cannot be made is said by who then cannot open it.
    let is_new = made.is_ok();
    drop(made);
    let Ok(admitted) = fs::metadata(folder_of(database)) else { return };
    set(database, &admitted, true, is_new);
    for entry in beside(database) {
        let name = entry.file_name();
        let is_part = ["-wal", "-shm", "-journal"].iter().any(|end| name.to_string_lossy().ends_with(end));
        set(&entry.path(), &admitted, is_part, is_new);
    }
}

/// The files of a database, and copies beside it, that others than owner and group may read or write.
pub fn open_to_others(database: &Path) -> Vec<PathBuf> {
    let others =
        |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file() && facts.mode() & OTHERS != 0);
    let copies = beside(database).into_iter().map(|entry| entry.path());
    std::iter::once(led_to(database).unwrap_or_else(|| database.to_owned())).chain(copies).filter(others).collect()
}

/// The file itself, where the database is a link.
fn led_to(database: &Path) -> Option<PathBuf> {
    fs::canonicalize(database).ok().filter(|_| database.is_symlink())
}

fn folder_of(database: &Path) -> PathBuf {
    database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The files whose names begin with that of the database: beside it and, if it is a link, beside the file that it leads to,
/// where SQLite keeps its own.
fn beside(database: &Path) -> Vec<DirEntry> {
    let mut found = beside_file(database);
    if let Some(target) = led_to(database) {
        found.extend(beside_file(&target));
    }
    found
}

fn beside_file(database: &Path) -> Vec<DirEntry> {
    let folder = folder_of(database);
    let Some(own) = database.file_name().map(|name| name.to_string_lossy().into_owned()) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_beside = |entry: &DirEntry| {
        let name = entry.file_name();
        let rest = name.to_string_lossy().strip_prefix(&own).is_some_and(|rest| !rest.is_empty());
        rest && entry.file_type().is_ok_and(|kind| kind.is_file())
    };
    entries.filter_map(Result::ok).filter(is_beside).collect()
}

/// Gives a file the rights that the folder asks for. A copy that somebody closed further stays so. What is new has nobody's
/// rights yet, and is no news.
fn set(path: &Path, folder: &Metadata, is_part: bool, is_new: bool) {
    // Not there, or gone meanwhile.
    let Ok(facts) = fs::metadata(path) else { return };
    let now = facts.mode() & 0o777;
    let admitted = folder.mode() & ADMITS_GROUP != 0 && may_belong_to_group(path, &facts, folder.gid());
    let most = if admitted { 0o640 } else { 0o600 };
    let wanted = if is_part { most } else { now & most };
    if now == wanted {
        return;
    }
    match fs::set_permissions(path, Permissions::from_mode(wanted)) {
        Ok(()) if is_new => {}
        Ok(()) => {
            tracing::info!(path = %path.display(), from = %octal(now), to = %octal(wanted), "the rights of a file were set")
        }
        // Only its owner can; who else is kept out is kept out already.
        Err(_) if now & OTHERS == 0 => {}
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, mode = %octal(now), %error, "others may read a file of the database, and that cannot be changed");
        }
    }
}

/// Whether the file belongs to the group of the folder, or can be given to it.
fn may_belong_to_group(path: &Path, facts: &Metadata, group: u32) -> bool {
    facts.gid() == group || give(path, group).is_ok()
}

fn give(path: &Path, group: u32) -> io::Result<()> {
    Ok(rustix::fs::chown(path, None, Some(Gid::from_raw(group)))?)
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_folder_decides_whether_its_group_may_read() {
        for (folder_mode, expected) in [(0o700, 0o600), (0o750, 0o640), (0o755, 0o640), (0o701, 0o600)] {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            set_mode(folder.path(), folder_mode);
            settle(&path("prepress.db"));
            assert_eq!(mode(&path("prepress.db")), expected, "new, in {folder_mode:o}");
            for name in ["prepress.db-wal", "prepress.db-shm", "prepress.db.bak", "prepress.db-2026-11-23", "other.db"]
            {
                fs::write(path(name), "x").unwrap();
                set_mode(&path(name), 0o666);
            }
            fs::write(path("prepress.db.mine"), "x").unwrap();
            set_mode(&path("prepress.db.mine"), 0o400);
            set_mode(&path("prepress.db"), 0o644);
            assert_eq!(open_to_others(&path("prepress.db")).len(), 5);
            settle(&path("prepress.db"));
            for name in
                ["prepress.db", "prepress.db-wal", "prepress.db-shm", "prepress.db.bak", "prepress.db-2026-11-23"]
            {
                assert_eq!(mode(&path(name)), expected, "{name} in {folder_mode:o}");
            }
            assert_eq!(mode(&path("prepress.db.mine")), 0o400, "somebody closed it further");
            assert_eq!(mode(&path("other.db")), 0o666, "not ours");
            assert_eq!(open_to_others(&path("prepress.db")), Vec::<PathBuf>::new());
        }
    }

    #[test]
    fn beside_a_file_that_a_link_leads_to_nothing_stays_open() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        set_mode(folder.path(), 0o700);
        let (link, target) = (folder.path().join("prepress.db"), elsewhere.path().join("ours.db"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let log = elsewhere.path().join("ours.db-wal");
        for path in [&target, &log] {
            fs::write(path, "x").unwrap();
            set_mode(path, 0o644);
        }
        assert_eq!(open_to_others(&link), [target.clone(), log.clone()]);
        settle(&link);
        assert_eq!((mode(&target), mode(&log)), (0o600, 0o600));
        assert_eq!(open_to_others(&link), Vec::<PathBuf>::new());
    }
}
