//! Folders on two file systems, for tests of what happens between them.

use std::os::unix::fs::MetadataExt;

use tempfile::TempDir;

/// One beside what was built, which is on a disk, and one in memory. Where temporary files are says nothing: they may
/// be on either.
pub fn folders() -> (TempDir, TempDir) {
    let built = std::env::current_exe().expect("a test is a program");
    let here = tempfile::tempdir_in(built.parent().expect("a program is in a folder")).expect("a folder on a disk");
    let there = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let device = |folder: &TempDir| folder.path().metadata().expect("a folder that was made").dev();
    assert_ne!(device(&here), device(&there), "the test wants two file systems");
    (here, there)
}
