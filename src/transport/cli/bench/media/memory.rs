//! How much memory processes have taken, as the kernel keeps it in `/proc`.

/// The most that a process and each of its children has taken, in bytes; nothing of those that have ended.
pub(super) fn taken_by(process: u32) -> u64 {
    high_water(process).unwrap_or(0) + children(process).into_iter().map(taken_by).sum::<u64>()
}

fn high_water(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Each thread has a list of the processes that it started.
fn children(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::taken_by;

    #[test]
    fn children_count() {
        // A shell that waits for another, which has said that it is there.
        let mut shell = Command::new("sh")
            .args(["-c", "sh -c 'echo there; read line'; true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let alone = super::high_water(shell.id()).unwrap();
        assert!(alone > 100_000 && taken_by(shell.id()) > alone, "{alone}");
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert_eq!(taken_by(shell.id()), 0);
    }
}
