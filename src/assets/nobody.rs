//! For tests: what becomes of files that are somebody else's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_uid;

/// Does `work` as a user whom nothing belongs to, but who may write to all folders below `folder`. Only who has all rights can
/// become somebody else.
pub fn as_nobody(folder: &Path, work: impl FnOnce() + Send) {
    const NOBODY: u32 = 65_534;
    assert!(geteuid().is_root(), "this test hands files to somebody else: run it as root, or in a container");
    open(folder);
    std::thread::scope(|scope| {
        let done = scope.spawn(|| {
            // Of this thread, and of no other.
            set_thread_uid(Uid::from_raw(NOBODY)).unwrap();
            work();
        });
        done.join().unwrap();
    });
}

fn open(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            open(&path);
        }
    }
}
