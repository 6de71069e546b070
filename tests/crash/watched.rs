//! What a daemon and its children take, as the kernel counts it.

use std::path::{Path, PathBuf};

/// The most memory that a process has had at a time, in bytes; None when it is gone.
fn peak(pid: u32) -> Option<u64> {
    bytes(pid, "VmHWM:")
}

fn bytes(pid: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

pub fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let of_task = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("children")).ok()?;
        Some(text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
    };
    tasks.filter_map(of_task).flatten().collect()
}

/// Waits until the children of a daemon with this data folder are gone with their folders: one that has done its last order
/// ends a moment after the run that it was for, its folder a moment after it, and until then the daemon has pipes to it.
pub async fn comes_to_rest(pid: u32, data: &Path) {
    let scratch = data.join("scratch");
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !(children(pid).is_empty() && left_in(&scratch).is_empty()) && std::time::Instant::now() < patience {
        tokio::task::yield_now().await;
    }
    assert_eq!((children(pid), left_in(&scratch)), (Vec::new(), Vec::new()));
}

pub fn is_there(pid: u32) -> bool {
    // One that has ended and that nobody has asked after is a zombie, and has no memory any more.
    peak(pid).is_some()
}

/// The most that a daemon has had, and the most that its children have had at a time, beside each other.
#[derive(Debug, Default, Clone, Copy)]
pub struct Peak {
    pub daemon: u64,
    pub children: u64,
}

impl Peak {
    pub fn look(&mut self, daemon: u32) {
        self.daemon = self.daemon.max(peak(daemon).unwrap_or(0));
        self.children = self.children.max(children(daemon).into_iter().filter_map(peak).sum());
    }

    pub const fn total(&self) -> u64 {
        self.daemon + self.children
    }
}

/// What a process holds now.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Without those of the database.
    pub files: usize,
    /// Those of the connections to the database, which are opened as they are needed, up to as many as there may be.
    pub database: usize,
    pub threads: usize,
    /// Bytes of memory.
    pub memory: u64,
}

impl Held {
    pub fn by(pid: u32) -> Self {
        let of =
            |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().map(|entry| entry.unwrap().path());
        let is_database =
            |link: &PathBuf| std::fs::read_link(link).is_ok_and(|file| file.to_string_lossy().contains("/prepress.db"));
        let (database, files): (Vec<_>, Vec<_>) = of("fd").partition(is_database);
        let (database, files) = (database.len(), files.len());
        Self { files, database, threads: of("task").count(), memory: bytes(pid, "VmRSS:").unwrap() }
    }
}

/// What is left below a folder, if it is there.
pub fn left_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
}
