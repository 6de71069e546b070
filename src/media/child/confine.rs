//! The side of the child: restricts the process it runs in, and then becomes the tool.
//!
//! ```text
//! prepress __confined memory cpu file daemon's-pid folder reads… -- program arguments…
//! ```
//!
//! What each step keeps out: the death signal and the check of the parent, children that outlive the daemon; the limits,
//! use without bound; the empty set of capabilities, root's ways around all of it; Landlock, files, TCP, and signals to
//! others; seccomp, sockets of all kinds, new processes, folders and whatever else is no file, and the ways back: out of the
//! group, out of the death signal, to higher limits.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
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

use super::super::{errand, pdf, stand_in};
use super::{Limits, WORKER};

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
        let cpu = cpu.as_secs().saturating_add(u64::from(cpu.subsec_nanos() > 0));
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

/// How a child ends that got from the system not what it needs to begin: `EX_OSERR` of sysexits.h. No file is to blame.
pub const COULD_NOT_BEGIN: u8 = 71;

/// Carries out the orders in the arguments of this process, if it was started with any: to be called before all else.
pub fn confined(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    (arguments.next()? == COMMAND).then(|| {
        let arguments: Vec<OsString> = arguments.collect();
        become_confined(&arguments).unwrap_or_else(|error| {
            eprintln!("prepress: {error}");
            ExitCode::from(COULD_NOT_BEGIN)
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
    if program != OWN {
        restrict_files(Path::new(folder), &orders[5..], Some(Path::new(program)))?;
        restrict_calls(&forbidden()?)?;
        return run(program, rest).map(|never| match never {});
    }
    let (name, rest) = rest.split_first().ok_or_else(wrong)?;
    // What a worker works on comes as open files.
    restrict_files(Path::new(folder), &orders[5..], (name != WORKER).then_some(Path::new("")))?;
    restrict_calls(&permitted()?)?;
    own(name, rest).ok_or_else(wrong)
}

/// Work of our own, by name.
fn own(name: &OsStr, arguments: &[OsString]) -> Option<ExitCode> {
    match name.to_str()? {
        WORKER => Some(errand::work(arguments.first().map(OsString::as_os_str))),
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
        (Resource::Cpu, Rlimit { current: Some(cpu), maximum: Some(cpu.saturating_add(1)) }),
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

/// Without a `program` nothing of the system can be read either.
fn restrict_files(folder: &Path, reads: &[OsString], program: Option<&Path>) -> Result<(), ConfineError> {
    let read: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let run = read | AccessFs::Execute;
    let own = AccessFs::from_all(RULES) & !BitFlags::from(AccessFs::Execute);
    // A worker has files without names, so that none it makes outlasts its use, whoever looks after it meanwhile.
    let is_worker = program.is_none();
    let own = if is_worker && has_nameless_files(folder) { own & !BitFlags::from(AccessFs::MakeReg) } else { own };
    // A program may bring its libraries along, in a place of its own.
    let prefix = program.and_then(Path::parent).and_then(Path::parent).filter(|prefix| prefix.parent().is_some());
    let libraries = prefix.map(|prefix| prefix.join("lib"));
    let (system, readable): (&[&str], &[&str]) = if program.is_some() { (&SYSTEM, &READABLE) } else { (&[], &[]) };
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rules(path_beneath_rules(system, run))?
        .add_rules(path_beneath_rules(program.filter(|program| program.is_absolute()), run))?
        .add_rules(path_beneath_rules(libraries, run))?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(["/dev/null"], read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(reads, read))?
        .add_rules(path_beneath_rules([folder], own))?
        .restrict_self()?;
    Ok(())
}

/// Whether the file system can do without names. On one that cannot, files get one for a moment.
fn has_nameless_files(folder: &Path) -> bool {
    OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).open(folder).is_ok()
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
const FORBIDDEN: [i64; 36] = [
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
    libc::SYS_mkdirat,
    libc::SYS_symlinkat,
    libc::SYS_mknodat,
    libc::SYS_open_by_handle_at,
];

/// Calls that our own work has need of: memory, threads, files that are open or lie where files may be opened, and the end.
const PERMITTED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_openat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_unlinkat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_ppoll,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Answered by the filter beside this one.
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
];

/// A call, which of its arguments, how long that is, and what it must be for the rule to hold.
type Condition = (i64, u8, SeccompCmpArgLen, SeccompCmpOp, u64);

/// Rules by which some calls are answered, and what becomes of the others.
struct Calls {
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    named: SeccompAction,
    others: SeccompAction,
}

const REFUSED: SeccompAction = SeccompAction::Errno(libc::EPERM.unsigned_abs());

fn itself() -> u64 {
    getpid().as_raw_nonzero().get().unsigned_abs().into()
}

/// What programs of others may not call.
fn forbidden() -> Result<Calls, ConfineError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FORBIDDEN.map(|call| (call, Vec::new())).into();
    #[cfg(target_arch = "x86_64")]
    rules.extend(
        [libc::SYS_fork, libc::SYS_vfork, libc::SYS_mkdir, libc::SYS_symlink, libc::SYS_mknod]
            .map(|call| (call, Vec::new())),
    );
    let other = SeccompCmpOp::Ne;
    let conditions: [Condition; 8] = [
        // Threads are welcome, processes are not.
        (libc::SYS_clone, 0, Dword, SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64), 0),
        (libc::SYS_prctl, 0, Dword, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG as u64),
        // Limits may be read, not set.
        (libc::SYS_prlimit64, 2, Qword, other.clone(), 0),
        // Signals to itself. Kernels before 6.12 have no other way to keep them in.
        (libc::SYS_kill, 0, Dword, other.clone(), itself()),
        (libc::SYS_tgkill, 0, Dword, other.clone(), itself()),
        // Of its threads, the first: nobody can tell whose the others are.
        (libc::SYS_tkill, 0, Dword, other.clone(), itself()),
        (libc::SYS_rt_sigqueueinfo, 0, Dword, other.clone(), itself()),
        (libc::SYS_rt_tgsigqueueinfo, 0, Dword, other, itself()),
    ];
    rules.extend(conditional(conditions)?);
    Ok(Calls { rules, named: REFUSED, others: SeccompAction::Allow })
}

/// All that our own work may call.
fn permitted() -> Result<Calls, ConfineError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = PERMITTED.iter().map(|call| (*call, Vec::new())).collect();
    let thread = libc::CLONE_THREAD as u64;
    let conditions: [Condition; 4] = [
        (libc::SYS_clone, 0, Dword, SeccompCmpOp::MaskedEq(thread), thread),
        (libc::SYS_prctl, 0, Dword, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64),
        (libc::SYS_prlimit64, 2, Qword, SeccompCmpOp::Eq, 0),
        // How it gives up.
        (libc::SYS_tgkill, 0, Dword, SeccompCmpOp::Eq, itself()),
    ];
    rules.extend(conditional(conditions)?);
    Ok(Calls { rules, named: SeccompAction::Allow, others: REFUSED })
}

fn conditional<const N: usize>(conditions: [Condition; N]) -> Result<Vec<(i64, Vec<SeccompRule>)>, ConfineError> {
    let rule = |(call, argument, length, operator, value): Condition| {
        let condition = SeccompCondition::new(argument, length, operator, value)?;
        Ok((call, vec![SeccompRule::new(vec![condition])?]))
    };
    let rules: Result<_, seccompiler::BackendError> = conditions.into_iter().map(rule).collect();
    rules.map_err(|error| ConfineError::Seccomp(error.to_string()))
}

fn restrict_calls(calls: &Calls) -> Result<(), ConfineError> {
    // Its arguments cannot be looked at; without it, the C library takes the older call. This one comes first: what permits
    // little permits no further filter.
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let older = Calls { rules: [(libc::SYS_clone3, Vec::new())].into(), named: missing, others: SeccompAction::Allow };
    apply(&older)?;
    apply(calls)
}

fn apply(calls: &Calls) -> Result<(), ConfineError> {
    let failed = |error: &dyn std::fmt::Display| ConfineError::Seccomp(error.to_string());
    // An architecture that filters cannot be made for.
    let Ok(architecture) = std::env::consts::ARCH.try_into() else { return Ok(()) };
    let Calls { rules, named, others } = calls;
    let filter = SeccompFilter::new(rules.clone(), others.clone(), named.clone(), architecture);
    let program: BpfProgram =
        filter.map_err(|e| failed(&e))?.try_into().map_err(|e: seccompiler::BackendError| failed(&e))?;
    seccompiler::apply_filter(&program).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_makes_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(has_nameless_files(folder.path()), "the tests want a file system that has them");
        let made = |program: Option<&Path>| {
            std::thread::scope(|scope| {
                // Only the thread is restricted, and threads that it begins.
                let work = || {
                    restrict_files(folder.path(), &[], program).unwrap();
                    let nameless = tempfile::tempfile_in(folder.path()).map(drop);
                    let named = std::fs::write(folder.path().join("named"), "");
                    (nameless.is_ok(), named.map_err(|error| error.kind()))
                };
                scope.spawn(work).join().unwrap()
            })
        };
        assert_eq!(made(None), (true, Err(std::io::ErrorKind::PermissionDenied)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(made(Some(Path::new(""))), (true, Ok(())));
    }

    #[test]
    fn signals_to_others_are_kept_in_by_both_filters() {
        let (forbidden, permitted) = (forbidden().unwrap(), permitted().unwrap());
        let signals = [
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_tgkill,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_rt_tgsigqueueinfo,
            libc::SYS_pidfd_send_signal,
        ];
        for call in signals {
            assert!(forbidden.rules.contains_key(&call), "{call}");
            // To itself at most.
            assert!(permitted.rules.get(&call).is_none_or(|rules| !rules.is_empty()), "{call}");
        }
        assert!(FORBIDDEN.iter().all(|call| !permitted.rules.contains_key(call)), "what tools may not do we do not");
    }
}
