//! The side of the child: restricts the process it runs in, and then becomes the tool.
//!
//! ```text
//! prepress __confined memory cpu file daemon's-pid folder reads… -- program arguments…
//! ```
//!
//! What each step keeps out: the death signal and the check of the parent, children that outlive the daemon; the limits,
//! use without bound; the empty set of capabilities, root's ways around all of it; Landlock, files, TCP, and signals to
//! others; seccomp, sockets of all kinds, new processes, and the ways back: out of the group, out of the death signal, to
//! higher limits.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope, make_bitflags, path_beneath_rules,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::super::{pdf, stand_in};
use super::Limits;

const COMMAND: &str = "__confined";
/// Before the name of work of our own, in the place of a program.
const OWN: &str = "--own";

/// What a process becomes once it is restricted.
pub enum Target {
    Program(PathBuf),
    Own(&'static str),
}

/// What the restricted process is told.
pub struct Orders<'a> {
    pub program: Target,
    pub limits: Limits,
    pub reads: Vec<PathBuf>,
    pub folder: &'a Path,
}

impl Orders<'_> {
    pub fn arguments(self) -> Vec<OsString> {
        let Limits { memory, cpu, file, .. } = self.limits;
        let cpu = cpu.as_secs() + u64::from(cpu.subsec_nanos() > 0);
        let mut all: Vec<OsString> = vec![COMMAND.into()];
        all.extend([memory, cpu.max(1), file, std::process::id().into()].map(|number| number.to_string().into()));
        all.push(self.folder.into());
        all.extend(self.reads.into_iter().map(OsString::from));
        all.push("--".into());
        match self.program {
            Target::Program(path) => all.push(path.into()),
            Target::Own(name) => all.extend([OWN.into(), name.into()]),
        }
        all
    }
}

/// Carries out the orders in the arguments of this process, if it was started with any: to be called before all else.
pub fn confined(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    (arguments.next()? == COMMAND).then(|| {
        let arguments: Vec<OsString> = arguments.collect();
        become_confined(&arguments).unwrap_or_else(|error| {
            eprintln!("prepress: {error}");
            ExitCode::FAILURE
        })
    })
}

#[derive(Debug, thiserror::Error)]
enum ConfineError {
    #[error("the arguments of {COMMAND} are wrong; it is no command for people")]
    Arguments,
    #[error("the process that asked for this one has ended")]
    Orphan,
    #[error("cannot {doing}: {source}")]
    System { doing: &'static str, source: std::io::Error },
    #[error("cannot restrict access to files: {0}")]
    Landlock(#[from] RulesetError),
    #[error("cannot restrict system calls: {0}")]
    Seccomp(String),
}

fn become_confined(arguments: &[OsString]) -> Result<ExitCode, ConfineError> {
    let wrong = || ConfineError::Arguments;
    let end = arguments.iter().position(|argument| argument == "--").ok_or_else(wrong)?;
    let (orders, rest) = (&arguments[..end], &arguments[end + 1..]);
    let number = |at: usize| orders.get(at).and_then(|text| text.to_str()?.parse::<u64>().ok()).ok_or_else(wrong);
    let folder = orders.get(4).ok_or_else(wrong)?;
    let (program, rest) = rest.split_first().ok_or_else(wrong)?;
    die_with(number(3)?)?;
    limit(number(0)?, number(1)?, number(2)?)?;
    drop_privileges()?;
    restrict_files(Path::new(folder), &orders[5..], Path::new(program))?;
    restrict_calls()?;
    if program == OWN {
        return rest.first().and_then(|name| own(name)).ok_or_else(wrong);
    }
    run(program, rest).map(|never| match never {})
}

/// Work of our own, by name.
fn own(name: &OsStr) -> Option<ExitCode> {
    match name.to_str()? {
        pdf::NAME => Some(pdf::work()),
        stand_in::NAME => Some(stand_in::work()),
        _ => None,
    }
}

fn run(program: &OsStr, arguments: &[OsString]) -> Result<Infallible, ConfineError> {
    let source = Command::new(program).args(arguments).exec();
    Err(ConfineError::System { doing: "run the program", source })
}

fn system<E: Into<std::io::Error>>(doing: &'static str) -> impl FnOnce(E) -> ConfineError {
    move |source| ConfineError::System { doing, source: source.into() }
}

fn die_with(parent: u64) -> Result<(), ConfineError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(system("ask to die with the daemon"))?;
    // It may have ended before the line above.
    let current = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs().into());
    if current == Some(parent) { Ok(()) } else { Err(ConfineError::Orphan) }
}

fn limit(memory: u64, cpu: u64, file: u64) -> Result<(), ConfineError> {
    let exactly = |value| Rlimit { current: Some(value), maximum: Some(value) };
    const OPEN_FILES: u64 = 256;
    let limits = [
        (Resource::As, exactly(memory)),
        // The first is a signal with a name, the second kills those who do not listen.
        (Resource::Cpu, Rlimit { current: Some(cpu), maximum: Some(cpu + 1) }),
        (Resource::Fsize, exactly(file)),
        (Resource::Core, exactly(0)),
        (Resource::Nofile, exactly(OPEN_FILES)),
    ];
    limits.into_iter().try_for_each(|(resource, limit)| setrlimit(resource, limit)).map_err(system("set limits"))
}

fn drop_privileges() -> Result<(), ConfineError> {
    set_no_new_privs(true).map_err(system("forswear new privileges"))?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(system("drop capabilities"))
}

/// What programs need of the system, readable and executable.
const SYSTEM: [&str; 7] = ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store"];

/// What programs need to read: the linker's list of libraries, fonts, their own settings, facts about the machine.
const READABLE: [&str; 18] = [
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ghostscript",
    "/etc/ImageMagick-6",
    "/etc/ImageMagick-7",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/papersize",
    "/etc/paperspecs",
    "/var/cache/fontconfig",
    "/var/lib/ghostscript",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self",
    "/sys/devices/system/cpu",
];

/// The newest rules known here; the kernel enforces those it knows.
const RULES: ABI = ABI::V6;

fn restrict_files(folder: &Path, reads: &[OsString], program: &Path) -> Result<(), ConfineError> {
    let read: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let run = read | AccessFs::Execute;
    let own = AccessFs::from_all(RULES) & !BitFlags::from(AccessFs::Execute);
    // A program may bring its libraries along, in a place of its own.
    let libraries = program.parent().and_then(Path::parent).filter(|prefix| prefix.parent().is_some());
    let libraries = libraries.map(|prefix| prefix.join("lib"));
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, run))?
        .add_rules(path_beneath_rules(program.is_absolute().then_some(program), run))?
        .add_rules(path_beneath_rules(libraries, run))?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(["/dev/null"], read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(reads, read))?
        .add_rules(path_beneath_rules([folder], own))?
        .restrict_self()?;
    Ok(())
}

/// Asks the kernel, and restricts nothing.
pub fn has_landlock() -> bool {
    let asked = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create);
    asked.is_ok()
}

/// Calls that a tool for pictures has no need of.
const FORBIDDEN: [i64; 34] = [
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_io_uring_setup,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_setrlimit,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_mknodat,
    libc::SYS_open_by_handle_at,
];

fn restrict_calls() -> Result<(), ConfineError> {
    let failed = |error: &dyn std::fmt::Display| ConfineError::Seccomp(error.to_string());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FORBIDDEN.map(|call| (call, Vec::new())).into();
    #[cfg(target_arch = "x86_64")]
    rules.extend([libc::SYS_fork, libc::SYS_vfork].map(|call| (call, Vec::new())));
    let itself = getpid().as_raw_nonzero().get().unsigned_abs().into();
    let conditional: [(i64, u8, SeccompCmpOp, u64); 5] = [
        // Threads are welcome, processes are not.
        (libc::SYS_clone, 0, SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64), 0),
        (libc::SYS_prctl, 0, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG as u64),
        // Limits may be read, not set.
        (libc::SYS_prlimit64, 2, SeccompCmpOp::Ne, 0),
        (libc::SYS_kill, 0, SeccompCmpOp::Ne, itself),
        (libc::SYS_tgkill, 0, SeccompCmpOp::Ne, itself),
    ];
    for (call, argument, operator, value) in conditional {
        let length = if call == libc::SYS_prlimit64 { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
        let condition = SeccompCondition::new(argument, length, operator, value).map_err(|e| failed(&e))?;
        rules.insert(call, vec![SeccompRule::new(vec![condition]).map_err(|e| failed(&e))?]);
    }
    apply(rules, libc::EPERM)?;
    // Its arguments cannot be looked at; without it, the C library takes the older call.
    apply([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)
}

fn apply(rules: BTreeMap<i64, Vec<SeccompRule>>, answer: i32) -> Result<(), ConfineError> {
    let failed = |error: &dyn std::fmt::Display| ConfineError::Seccomp(error.to_string());
    // An architecture that filters cannot be made for.
    let Ok(architecture) = std::env::consts::ARCH.try_into() else { return Ok(()) };
    let refuse = SeccompAction::Errno(answer.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture).map_err(|e| failed(&e))?;
    let program: BpfProgram = filter.try_into().map_err(|e: seccompiler::BackendError| failed(&e))?;
    seccompiler::apply_filter(&program).map_err(|e| failed(&e))
}
