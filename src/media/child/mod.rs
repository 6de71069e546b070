//! Tools of others, and our own work on hostile bytes, as child processes that can do little harm.
//!
//! ```text
//! daemon -> itself, as `prepress __confined …`, which restricts itself -> becomes the tool
//! ```
//!
//! A child has a private folder as its working directory and its home, an empty environment, and limits on time, memory
//! and on the sizes and the number of files. It makes no folders. It sees the system's programs and libraries, the files it is given, and nothing else; it has no network, no
//! capabilities, and makes no processes. It ends when it is cancelled, when its time is over, and when the daemon ends, even
//! by `kill -9`. Where the kernel has no Landlock (before 5.13), the rights of the daemon's user are what bounds its
//! view of files; a line in the daemon's log says so.

mod again;
mod confine;
mod folder;
mod pool;
mod watch;
mod wire;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Once};
use std::time::Duration;

use super::decode::Cancel;
pub(crate) use confine::COULD_NOT_BEGIN;
pub use confine::confined;
pub use folder::Folder;
pub(in crate::media) use pool::NAME as WORKER;
pub use pool::{Crew, ErrandError, Pool, PoolLimits, borrowed, in_memory};
pub(in crate::media) use wire::{answer, take_order};

/// What a child may use. More ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From start to end.
    pub wall: Duration,
    /// Processor time of all its threads; whole seconds, rounded up.
    pub cpu: Duration,
    /// Bytes of address space.
    pub memory: u64,
    /// Bytes of any file that it writes.
    pub file: u64,
    /// Bytes that it says on its standard output.
    pub output: usize,
}

/// A program to run, with all that it is given.
#[derive(Debug)]
pub struct Tool {
    program: Program,
    arguments: Vec<OsString>,
    reads: Vec<PathBuf>,
    input: Option<File>,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    Installed { name: &'static str, package: &'static str },
    Own(&'static str),
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Installed { name, .. } | Self::Own(name) => name,
        }
    }
}

impl Tool {
    /// A program that is looked for in PATH. `package` is the Debian package that brings it.
    pub const fn installed(name: &'static str, package: &'static str, limits: Limits) -> Self {
        Self::new(Program::Installed { name, package }, limits)
    }

    /// Work of our own that the other side of the fence knows by this name.
    pub(crate) const fn own(name: &'static str, limits: Limits) -> Self {
        Self::new(Program::Own(name), limits)
    }

    const fn new(program: Program, limits: Limits) -> Self {
        Self { program, arguments: Vec::new(), reads: Vec::new(), input: None, limits }
    }

    /// The same once more, unless it has read its input.
    fn again(&self) -> Option<Self> {
        let Self { program, arguments, reads, input, limits } = self;
        let (arguments, reads) = (arguments.clone(), reads.clone());
        input.is_none().then(|| Self { program: *program, arguments, reads, input: None, limits: *limits })
    }

    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// A file or a folder that it may read, besides its own folder. To be given as an absolute path in its arguments.
    #[must_use]
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.reads.push(path.into());
        self
    }

    /// Its standard input, which is empty otherwise.
    #[must_use]
    pub fn input(mut self, file: File) -> Self {
        self.input = Some(file);
        self
    }
}

/// What a child said that ended well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Empty when it was handed out line by line.
    pub stdout: Vec<u8>,
    /// The end of it.
    pub stderr: String,
    pub complaints: Complaints,
}

/// The lines of its standard error that are not blank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Complaints {
    pub lines: u64,
    /// The beginning of the first.
    pub first: String,
}

/// Why a child did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    #[error("{tool} is not installed; it comes with the Debian package {package}")]
    Missing { tool: &'static str, package: &'static str },
    #[error("{tool} was stopped before it had finished")]
    Cancelled { tool: &'static str },
    #[error("{tool} took longer than {} s", .limit.as_secs_f64())]
    TimedOut { tool: &'static str, limit: Duration },
    #[error("{tool} used more than {} s of processor time", .limit.as_secs_f64())]
    TooMuchCpu { tool: &'static str, limit: Duration },
    #[error("{tool} wanted more than {limit} bytes of memory")]
    TooMuchMemory { tool: &'static str, limit: u64 },
    #[error("{tool} would write a file of more than {limit} bytes")]
    FileTooLarge { tool: &'static str, limit: u64 },
    #[error("{tool} made more than {limit} files")]
    TooManyFiles { tool: &'static str, limit: usize },
    #[error("{tool} wrote more than {limit} bytes to its standard output")]
    TooMuchOutput { tool: &'static str, limit: usize },
    #[error("{tool} was killed (SIGKILL), as the system does when memory runs out")]
    Killed { tool: &'static str },
    #[error("{tool} failed ({status}): {said}")]
    Failed { tool: &'static str, status: String, said: String },
    /// It did as it was told, and said what is wrong with what it was given.
    #[error("{0}")]
    Refused(String),
    #[error("cannot {doing}: {source}")]
    Io { doing: String, source: io::Error },
}

impl ChildError {
    pub(super) fn doing(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// Starts children. Clones share it.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The binary that knows [`confined`].
    binary: Arc<Path>,
    /// Where private folders are made.
    scratch: Arc<Path>,
}

/// This program, also when its file has been replaced meanwhile.
pub const RUNNING_BINARY: &str = "/proc/self/exe";

impl Launcher {
    /// Children start as `binary`: [`RUNNING_BINARY`], unless the process is a test. They get private folders below
    /// `scratch`, which is made when it is needed.
    pub fn new(binary: &Path, scratch: &Path) -> Self {
        Self { binary: binary.into(), scratch: scratch.into() }
    }

    /// A private folder: for a tool to work in, and to take its results from.
    pub fn folder(&self) -> Result<Folder, ChildError> {
        Folder::new(&self.scratch)
    }

    /// Removes what earlier processes left behind. For the one process that works here, before it does.
    pub fn sweep(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Runs a tool in `folder` until it ends, and blocks as long.
    pub fn run(&self, tool: Tool, folder: &Folder, cancel: Cancel<'_>) -> Result<Output, ChildError> {
        self.start(tool, folder, cancel, None)
    }

    /// The same, and hands out what it writes to its standard output line by line, as soon as it comes. Lines that are
    /// longer than [`LONGEST_LINE`] come in pieces.
    pub fn run_with_lines(
        &self,
        tool: Tool,
        folder: &Folder,
        cancel: Cancel<'_>,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Output, ChildError> {
        self.start(tool, folder, cancel, Some(on_line))
    }

    /// One that is killed from outside, as happens when memory runs out, begins once more, and repeats what it said.
    fn start(
        &self,
        tool: Tool,
        folder: &Folder,
        cancel: Cancel<'_>,
        mut on_line: Option<&mut dyn FnMut(&str)>,
    ) -> Result<Output, ChildError> {
        let again = tool.again();
        let hear = on_line.as_mut().map(|hear| &mut **hear as &mut dyn FnMut(&str));
        match (self.start_once(tool, folder, cancel, hear), again) {
            (Err(ChildError::Killed { tool }), Some(again)) => {
                tracing::warn!("{tool} was killed (SIGKILL): it begins once more");
                self.start_once(again, folder, cancel, on_line)
            }
            (ended, _) => ended,
        }
    }

    fn start_once(
        &self,
        tool: Tool,
        folder: &Folder,
        cancel: Cancel<'_>,
        on_line: Option<&mut dyn FnMut(&str)>,
    ) -> Result<Output, ChildError> {
        let (program, limits) = (tool.program, tool.limits);
        let child = self.command(tool, folder)?.spawn();
        let child = child.map_err(ChildError::doing(format!("start {}", program.name())))?;
        match watch::watch(program.name(), child, folder, limits, cancel, on_line) {
            // Tools say so in their own words, and only some of them.
            Err(ChildError::Failed { tool, .. }) if is_full(folder.path()) => {
                Err(ChildError::doing(format!("run {tool}"))(io::ErrorKind::StorageFull.into()))
            }
            ended => ended,
        }
    }

    /// What starts a tool in `folder`, with pipes for what it says.
    fn command(&self, tool: Tool, folder: &Folder) -> Result<Command, ChildError> {
        warn_without_landlock();
        let Tool { program, arguments, reads, input, limits } = tool;
        let mut command = Command::new(&*self.binary);
        command
            .arg0("prepress")
            .args(confine::Orders { program: self.find(program)?, limits, reads, folder: folder.path() }.arguments())
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")])
            .env("GLIBC_TUNABLES", ALLOCATOR)
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .stdin(input.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        Ok(command)
    }

    fn find(&self, program: Program) -> Result<confine::Target, ChildError> {
        match program {
            Program::Own(name) => Ok(confine::Target::Own(name)),
            Program::Installed { name, package } => {
                let missing = ChildError::Missing { tool: name, package };
                find_in_path(name).map(confine::Target::Program).ok_or(missing)
            }
        }
    }
}

/// How the C library's allocator works in children. Each of its arenas takes much of the address space that is allowed,
/// and none of the memory. Pictures come and go in blocks of megabytes, which are kept for the next one: what is given
/// back has to be cleared by the kernel before it can be had again. Large pages would be cleared whole where half of
/// them is used.
const ALLOCATOR: &str = "glibc.malloc.arena_max=2:glibc.malloc.mmap_threshold=33554432:\
     glibc.malloc.trim_threshold=268435456";

/// Whether so little is free where a tool has worked that it may have failed for want of room.
fn is_full(folder: &Path) -> bool {
    const ROOM: u64 = 1 << 20;
    rustix::fs::statvfs(folder).is_ok_and(|space| space.f_bavail.saturating_mul(space.f_frsize) < ROOM)
}

/// Longest piece of a line that is handed out at once, in bytes.
pub const LONGEST_LINE: usize = 1 << 16;

/// The program of this name, as a shell would find it.
pub fn find_in_path(name: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    };
    let folders = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    env::split_paths(&folders).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(runs)
}

fn warn_without_landlock() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !confine::has_landlock() {
            tracing::warn!("this kernel has no Landlock: tools can read and write what the daemon's user can");
        }
    });
}
