//! Tools as child processes: real ones, which are held to their limits and leave nothing behind.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prepress::media::child::{ChildError, Folder, Launcher, Limits, Output, Tool};
use rustix::process::{Pid, Signal, kill_process};

const LIMITS: Limits = Limits {
    wall: Duration::from_secs(60),
    cpu: Duration::from_secs(30),
    memory: 1 << 30,
    file: 1 << 20,
    output: 1 << 20,
};

fn launcher(home: &Path) -> Launcher {
    Launcher::new(Path::new(env!("CARGO_BIN_EXE_prepress")), &home.join("scratch"))
}

fn shell(script: &str, limits: Limits) -> Tool {
    Tool::installed("sh", "dash", limits).arguments(["-c", script])
}

fn perl(code: &str) -> Tool {
    Tool::installed("perl", "perl-base", LIMITS).arguments(["-e", code])
}

struct Bench {
    home: tempfile::TempDir,
    launcher: Launcher,
    folder: Folder,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let launcher = launcher(home.path());
        let folder = launcher.folder().unwrap();
        Self { home, launcher, folder }
    }

    fn run(&self, tool: Tool) -> Result<Output, ChildError> {
        self.launcher.run(tool, &self.folder, &|| false)
    }

    #[track_caller]
    fn says(&self, script: &str) -> String {
        let output = self.run(shell(script, LIMITS)).unwrap_or_else(|error| panic!("{script}: {error}"));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, tool: Tool) -> String {
        self.run(tool).map_or_else(|error| error.to_string(), |output| panic!("{output:?}"))
    }
}

/// Processes that have this text in their command line.
pub fn processes_with(text: &str) -> Vec<u32> {
    let is_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != std::process::id() && String::from_utf8_lossy(&line).contains(text)
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_it).collect()
}

#[test]
fn a_tool_works_in_a_folder_of_its_own_and_knows_nothing_of_the_daemon() {
    let bench = Bench::new();
    let path = bench.folder.path().to_owned();
    assert_eq!(bench.says("pwd; echo $HOME $TMPDIR").trim(), format!("{0}\n{0} {0}", path.display()));
    let environment = bench.says("export -p");
    for line in environment.lines() {
        let name = line.trim_start_matches("export ").split('=').next().unwrap();
        assert!(
            ["GLIBC_TUNABLES", "HOME", "LC_ALL", "PATH", "PWD", "OLDPWD", "TMPDIR", "TZ"].contains(&name),
            "{line}"
        );
    }
    assert_eq!(bench.says("echo hello > result; exec cat"), "");
    assert_eq!(fs::read_to_string(path.join("result")).unwrap(), "hello\n");
    drop(bench.folder);
    assert!(!path.exists());
    assert_eq!(fs::read_dir(bench.home.path().join("scratch")).unwrap().count(), 0);
}

#[test]
fn it_is_given_input_and_its_words_come_line_by_line() {
    let bench = Bench::new();
    let path = bench.home.path().join("input");
    fs::write(&path, "one\ntwo\rthree\n\nlast").unwrap();
    let tool = Tool::installed("cat", "coreutils", LIMITS).input(fs::File::open(&path).unwrap());
    let mut lines = Vec::new();
    let output = bench.launcher.run_with_lines(tool, &bench.folder, &|| false, &mut |line| lines.push(line.to_owned()));
    assert_eq!(output.unwrap().stdout, b"");
    assert_eq!(lines, ["one", "two", "three", "last"]);
}

#[test]
fn files_that_it_was_not_given_are_out_of_reach() {
    let bench = Bench::new();
    let secret = bench.home.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let read = |path: &Path| Tool::installed("cat", "coreutils", LIMITS).argument(path);
    let denied = bench.fails(read(&secret));
    assert!(denied.contains("Permission denied"), "{denied}");
    for path in ["/etc/passwd", "/etc/hostname", "/proc/1/environ", "/root/.bashrc"] {
        assert!(bench.fails(read(Path::new(path))).contains("denied"), "{path}");
    }
    assert_eq!(bench.run(read(&secret).reads(&secret)).unwrap().stdout, b"secret");
    let write = format!("echo spoilt > {}", secret.display());
    assert!(bench.fails(shell(&write, LIMITS).reads(&secret)).contains("denied"));
    let outside = bench.home.path().join("outside");
    assert!(bench.fails(shell(&format!("echo > {}", outside.display()), LIMITS)).contains("denied"));
    assert!(!outside.exists());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    // What it wrote itself is no program.
    let run =
        "open(my $out, '>', 'run'); print $out '#!/bin/sh'; close $out; chmod 0755, 'run'; exec './run' or die $!";
    assert!(bench.fails(perl(run)).contains("denied"));
}

#[test]
fn there_is_no_network_no_other_process_and_no_way_up() {
    /// A `siginfo_t`.
    const WORDS: &str = "my $words = pack('i3 x116', 0, 0, -1)";
    let daemon = std::process::id();
    let bench = Bench::new();
    let calls = [
        "use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!".to_owned(),
        "use Socket; socket(my $s, PF_INET, SOCK_DGRAM, 0) or die $!".to_owned(),
        "use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die $!".to_owned(),
        "defined(fork) or die $!".to_owned(),
        "use POSIX; POSIX::setsid() > 0 or die $!".to_owned(),
        "setpgrp(0, 0) or die $!".to_owned(),
        format!("kill(0, {}) or die $!", std::process::id()),
        "kill(0, -1) or die $!".to_owned(),
        // Ways around what keeps `kill` in. The last argument says: from one process to another.
        format!("syscall({}, {daemon}, 0) == 0 or die $!", libc::SYS_tkill),
        format!("{WORDS}; syscall({}, {daemon}, 0, $words) == 0 or die $!", libc::SYS_rt_sigqueueinfo),
        format!("{WORDS}; syscall({}, {daemon}, {daemon}, 0, $words) == 0 or die $!", libc::SYS_rt_tgsigqueueinfo),
    ];
    for call in calls {
        let said = bench.fails(perl(&call));
        assert!(said.contains("not permitted"), "{call}: {said}");
    }
    assert!(bench.fails(shell("ulimit -t 1", LIMITS)).contains("not permitted"));
    let rights = bench.says("while read -r name value; do case $name in Cap*|NoNewPrivs:) echo $name $value;; esac; done < /proc/self/status");
    for right in ["CapEff: 0000000000000000", "CapPrm: 0000000000000000", "NoNewPrivs: 1"] {
        assert!(rights.contains(right), "{rights}");
    }
}

#[test]
fn each_limit_ends_it_and_is_named() {
    let bench = Bench::new();
    let cpu = Limits { cpu: Duration::from_secs(1), ..LIMITS };
    let busy = bench.run(shell("while :; do :; done", cpu));
    assert!(matches!(busy, Err(ChildError::TooMuchCpu { .. })), "{busy:?}");
    let wall = Limits { wall: Duration::from_millis(200), ..LIMITS };
    let late = bench.run(shell("exec sleep 100", wall));
    assert!(matches!(late, Err(ChildError::TimedOut { .. })), "{late:?}");
    let file = bench.run(Tool::installed("head", "coreutils", LIMITS).arguments(["-c", "2M", "/dev/zero"]));
    assert!(matches!(file, Err(ChildError::TooMuchOutput { limit: 0x10_0000, .. })), "{file:?}");
    let file = bench.run(shell("exec head -c 2000000 /dev/zero > large", LIMITS));
    assert!(matches!(file, Err(ChildError::FileTooLarge { .. })), "{file:?}");
    assert!(fs::metadata(bench.folder.path().join("large")).unwrap().len() <= LIMITS.file);
    assert!(bench.fails(perl("my $much = 'x' x (2 << 30)")).contains("Out of memory"));
    // It goes on until it is ended.
    let many = bench.run(shell("i=0; while :; do : > $i; i=$((i + 1)); done", LIMITS));
    assert!(matches!(many, Err(ChildError::TooManyFiles { limit: 1000, .. })), "{many:?}");
}

/// Each of them takes an inode that nothing would count.
#[test]
fn it_makes_nothing_but_files() {
    let bench = Bench::new();
    for made in ["mkdir('folder')", "symlink('away', 'link')", "use POSIX; POSIX::mkfifo('pipe', 0600)"] {
        assert!(bench.fails(perl(&format!("{made} or die $!"))).contains("not permitted"), "{made}");
    }
    assert_eq!(fs::read_dir(bench.folder.path()).unwrap().count(), 0);
}

#[test]
fn one_that_is_killed_begins_once_more() {
    let bench = Bench::new();
    // It is found by its text.
    let name = bench.home.path().to_str().unwrap().to_owned();
    let kill = || {
        for number in processes_with(&name) {
            // It may be gone by now.
            let _ = kill_process(Pid::from_raw(number as i32).unwrap(), Signal::KILL);
        }
    };
    let begun = bench.folder.path().join("begun");
    let tool = perl(&format!(
        "if (-e 'begun') {{ print 'done' }} else {{ open my $file, '>', 'begun'; close $file; sleep 60 }} # {name}"
    ));
    let is_killed = Cell::new(false);
    let stop = || {
        if begun.exists() && !is_killed.replace(true) {
            kill();
        }
        false
    };
    assert_eq!(bench.launcher.run(tool, &bench.folder, &stop).unwrap().stdout, b"done");
    assert!(is_killed.get());
    let stop = || {
        kill();
        false
    };
    let always = bench.launcher.run(perl(&format!("sleep 60 # {name}")), &bench.folder, &stop);
    let said = always.unwrap_err().to_string();
    assert_eq!(said, "perl was killed (SIGKILL), as the system does when memory runs out");
}

#[test]
fn failures_say_what_the_tool_said() {
    let bench = Bench::new();
    let failed = bench.fails(shell("echo first >&2; echo the last word >&2; exit 3", LIMITS));
    assert_eq!(failed, "sh failed (exit status: 3): first\nthe last word");
    let killed = bench.fails(shell("kill -ABRT $$", LIMITS));
    assert!(killed.contains("signal: 6"), "{killed}");
    let missing = bench.fails(Tool::installed("no-such-tool", "no-such-package", LIMITS));
    assert_eq!(missing, "no-such-tool is not installed; it comes with the Debian package no-such-package");
}

#[test]
fn cancelling_kills_it_at_once() {
    let bench = Bench::new();
    let mark = format!("{}.25", 100_000 + std::process::id());
    let started = AtomicBool::new(false);
    let cancel = || {
        started.fetch_or(!processes_with(&mark).is_empty(), Ordering::Relaxed);
        started.load(Ordering::Relaxed)
    };
    let tool = Tool::installed("sleep", "coreutils", LIMITS).argument(&mark);
    let cancelled = bench.launcher.run(tool, &bench.folder, &cancel);
    assert!(matches!(cancelled, Err(ChildError::Cancelled { .. })), "{cancelled:?}");
    assert!(processes_with(&mark).is_empty());
}

/// Started by the test below as a daemon that is about to be killed.
#[test]
fn a_daemon_that_waits_for_a_tool() {
    let (Ok(home), Ok(mark)) = (std::env::var("PREPRESS_TEST_HOME"), std::env::var("PREPRESS_TEST_MARK")) else {
        return;
    };
    let launcher = launcher(&PathBuf::from(home));
    let folder = launcher.folder().unwrap();
    let tool = Tool::installed("sleep", "coreutils", Limits { wall: Duration::from_secs(1000), ..LIMITS });
    let ended = launcher.run(tool.argument(mark), &folder, &|| false);
    panic!("the tool should have outlasted its daemon: {ended:?}");
}

#[test]
fn nothing_outlives_a_daemon_that_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let mark = format!("{}.75", 200_000 + std::process::id());
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::a_daemon_that_waits_for_a_tool"])
        .env("PREPRESS_TEST_HOME", home.path())
        .env("PREPRESS_TEST_MARK", &mark)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let tools = || -> Vec<u32> {
        let comm = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        processes_with(&mark).into_iter().filter(|pid| comm(pid).trim() == "sleep").collect()
    };
    wait_until("the tool runs", || tools().len() == 1);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    wait_until("the tool is gone", || processes_with(&mark).is_empty());
    // Its folder stays, and is swept by the next daemon.
    assert_eq!(fs::read_dir(home.path().join("scratch")).unwrap().count(), 1);
    launcher(home.path()).sweep().unwrap();
    assert!(!home.path().join("scratch").exists());
    launcher(home.path()).sweep().unwrap();
}

/// Children end, and their folders go, soon after who needed them is done.
pub fn nothing_is_left_in(folder: &Path) {
    let left = || fs::read_dir(folder).map_or(0, Iterator::count);
    wait_until(&format!("nothing is left in {}", folder.display()), || left() == 0);
}

/// For what other processes do, which no clock of ours governs.
pub fn wait_until(what: &str, happened: impl Fn() -> bool) {
    for _ in 0..3000 {
        if happened() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not in time: {what}");
}
