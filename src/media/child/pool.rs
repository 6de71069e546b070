//! Workers: children of ours that decode what others sent, one errand after the other.
//!
//! ```text
//! Pool    all workers, at most as many as there are places
//! Crew    those of one run: nobody else's errand reaches them
//! Worker  a confined child, its socket, and who watches it
//! ```
//!
//! A worker sees no file but those that come with its errand, as open descriptors: what it reads, to be read only, and what
//! it writes, to be written only. Its address space is bounded by the kernel; the processor time and the time of each errand, and how many
//! files a worker makes in its folder, are bounded from here. It ends when its crew ends, when it has had nothing to do for a while, when another crew needs the place,
//! and by a kill when its errand is cancelled or takes too much. A worker that dies costs the errand that it was on; one that was
//! killed from outside, as the system does when memory runs out, costs it when that happens a second time.
//!
//! One thread, the keeper, starts all of them: the kernel ends a child with the thread that started it, and other threads come
//! and go. The keeper ends with the pool, and all workers with it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::decode::Cancel;
use super::super::errand::{Errand, Orders};
use super::super::limits::Limits;
use super::again::Before;
use super::watch::{ASK_EVERY, Running, Tail, judge};
use super::wire::{self, Answer, Unheard};
use super::{ChildError, Folder, Launcher, Limits as ChildLimits, Output, Tool};

/// What the other side of the fence knows this work by.
pub const NAME: &str = "worker";

/// What workers may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLimits {
    /// Workers at a time.
    pub places: usize,
    /// What a picture may take; a worker's address space is that and [`PROGRAM`].
    pub picture: Limits,
    /// Bytes of any file that a worker writes.
    pub file: u64,
    /// Processor time of one errand.
    pub cpu: Duration,
    /// From the start of an errand to its end.
    pub wall: Duration,
    /// How long a worker waits for its next errand.
    pub idle: Duration,
}

/// Address space for the program itself and its threads, beside what a picture may take.
pub const PROGRAM: u64 = 512 << 20;

/// Why an errand was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ErrandError<E: std::error::Error + 'static> {
    /// The file is to blame, or what was asked of it.
    #[error(transparent)]
    Own(E),
    #[error(transparent)]
    Child(#[from] ChildError),
}

/// All workers. Clones share them.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    launcher: Launcher,
    limits: PoolLimits,
    yard: Arc<Yard>,
    keeper: OnceLock<Sender<Call>>,
    next_crew: AtomicU64,
}

/// Where workers are that have nothing to do, and how many there are in all.
#[derive(Debug, Default)]
struct Yard {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Who has waited longest comes first.
    idle: Vec<Idle>,
    /// Busy ones too.
    count: usize,
}

#[derive(Debug)]
struct Idle {
    crew: u64,
    since: Instant,
    worker: Worker,
}

impl Yard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_one(&self) {
        self.state().count -= 1;
        self.freed.notify_all();
    }

    /// Ends those that have waited long enough, and says when the next one will have.
    fn end_idle(&self, longest: Duration) -> Option<Duration> {
        let (ended, next): (Vec<Idle>, _) = {
            let mut state = self.state();
            let ended = state.idle.extract_if(.., |idle| idle.since.elapsed() >= longest).collect();
            (ended, state.idle.first().map(|idle| longest.saturating_sub(idle.since.elapsed())))
        };
        // Outside of the lock: whoever ends says so in the yard.
        drop(ended);
        next
    }
}

/// What the keeper is asked.
enum Call {
    Start(Box<Command>, Sender<io::Result<Child>>),
    /// Somebody has begun to wait.
    Look,
    /// Waiting for them is not for threads that do other things as well.
    End(Vec<Idle>),
}

fn keep(calls: &Receiver<Call>, yard: &Yard, longest: Duration) {
    loop {
        let next = yard.end_idle(longest);
        let call = match next {
            Some(time) => calls.recv_timeout(time),
            None => calls.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match call {
            Ok(Call::Start(mut command, reply)) => {
                // Who does not wait for it any more drops it.
                let _ = reply.send(command.spawn());
            }
            Ok(Call::Look) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Call::End(workers)) => drop(workers),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Pool {
    /// No worker is started before there is something to do.
    pub fn new(launcher: Launcher, limits: PoolLimits) -> Self {
        Self(Arc::new(Inner {
            launcher,
            limits,
            yard: Arc::default(),
            keeper: OnceLock::new(),
            next_crew: AtomicU64::new(0),
        }))
    }

    /// Workers for one run.
    pub fn crew(&self) -> Crew {
        Crew { pool: self.clone(), id: self.0.next_crew.fetch_add(1, Ordering::Relaxed) }
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.0.yard.state().count
    }

    fn call(&self, call: Call) -> io::Result<()> {
        let start = || {
            let (sender, calls) = mpsc::channel();
            let (yard, longest) = (self.0.yard.clone(), self.0.limits.idle);
            thread::spawn(move || keep(&calls, &yard, longest));
            sender
        };
        self.0.keeper.get_or_init(start).send(call).map_err(|_| io::Error::other("who keeps the workers has ended"))
    }

    fn start(&self) -> Result<Worker, ChildError> {
        let failed = |error| ChildError::doing("start a worker")(error);
        let Inner { launcher, limits, yard, .. } = &*self.0;
        let folder = launcher.folder()?;
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        // One that takes no orders any more must not hold up who gives them.
        socket.set_write_timeout(Some(LONGEST_WRITE)).map_err(failed)?;
        let memory = limits.picture.max_memory.saturating_add(PROGRAM);
        // Each errand has its own limits of time, which are watched from here.
        let forever = Duration::from_secs(u64::MAX);
        let child = ChildLimits { wall: forever, cpu: forever, memory, file: limits.file, output: 0 };
        let threads = rayon::current_num_threads().clamp(1, MOST_THREADS).to_string();
        let mut command = launcher.command(Tool::own(NAME, child).argument(threads), &folder)?;
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let (reply, started) = mpsc::channel();
        self.call(Call::Start(Box::new(command), reply)).map_err(failed)?;
        let child = started.recv().map_err(|_| failed(io::ErrorKind::Interrupted.into()))?.map_err(failed)?;
        let mut running = Running::new(child);
        let ended = pidfd_open(running.pid(), PidfdFlags::empty()).map_err(|error| failed(error.into()))?;
        let stderr = running.take_stderr();
        Ok(Worker { running, ended, socket, stderr, keeps: None, yard: yard.clone(), folder })
    }
}

/// How long a worker may take to make room for an order. It is at rest when it gets one.
const LONGEST_WRITE: Duration = Duration::from_secs(10);

/// Most threads of a worker: each takes address space.
const MOST_THREADS: usize = 16;

/// The workers of one run. When the last use of it is over, they end.
#[derive(Debug)]
pub struct Crew {
    pool: Pool,
    id: u64,
}

impl Drop for Crew {
    fn drop(&mut self) {
        let ended: Vec<Idle> = self.pool.0.yard.state().idle.extract_if(.., |idle| idle.crew == self.id).collect();
        if !ended.is_empty() && self.pool.call(Call::End(ended)).is_err() {
            tracing::warn!("who keeps the workers has ended, and they with it");
        }
    }
}

impl Crew {
    /// Has an errand carried out, and blocks until it is. Its files come in the order that it expects.
    pub fn send<E: Errand>(
        &self,
        errand: E,
        files: &[BorrowedFd<'_>],
        cancel: Cancel<'_>,
    ) -> Result<E::Answer, ErrandError<E::Error>> {
        let keeps = errand.keeps().map(str::to_owned);
        let orders = Orders { limits: self.pool.0.limits.picture.clone(), errand: errand.into() };
        let told = serde_json::to_vec(&orders).map_err(|error| ChildError::doing("write an order")(error.into()))?;
        let before = Before::of(files).map_err(ChildError::doing("look at the files of an errand"))?;
        let asked = match self.ask(E::NAME, keeps.as_deref(), &told, files, cancel) {
            Err(ChildError::Killed { tool }) => {
                tracing::warn!("{tool} was killed (SIGKILL): its errand begins once more");
                before.restore(files).map_err(ChildError::doing("begin an errand once more"))?;
                self.ask(E::NAME, keeps.as_deref(), &told, files, cancel)
            }
            asked => asked,
        };
        let (worker, said) = asked?;
        let answer: Result<E::Answer, E::Error> =
            serde_json::from_slice(&said).map_err(|error| gibberish(E::NAME, &error))?;
        self.give_back(worker, keeps);
        answer.map_err(ErrandError::Own)
    }

    fn ask(
        &self,
        tool: &'static str,
        keeps: Option<&str>,
        order: &[u8],
        files: &[BorrowedFd<'_>],
        cancel: Cancel<'_>,
    ) -> Result<(Worker, Vec<u8>), ChildError> {
        let limits = &self.pool.0.limits;
        loop {
            let (mut worker, is_new) = self.worker(tool, keeps, cancel)?;
            match wire::order(&worker.socket, order, files) {
                Ok(()) => {}
                // It was killed while it had nothing to do, which is nobody's fault.
                Err(error) if !is_new && error.kind() == io::ErrorKind::BrokenPipe => continue,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(worker.last_words(tool, limits)),
                Err(error) => return Err(ChildError::doing(format!("tell {tool}"))(error)),
            }
            let said = worker.listen(tool, limits, cancel)?;
            return Ok((worker, said));
        }
    }

    /// One of the crew that is there, or a new one. Waits for a place, if it must.
    fn worker(
        &self,
        tool: &'static str,
        keeps: Option<&str>,
        cancel: Cancel<'_>,
    ) -> Result<(Worker, bool), ChildError> {
        let Inner { yard, limits, .. } = &*self.pool.0;
        let mut state = yard.state();
        loop {
            let ours = |idle: &Idle| idle.crew == self.id;
            let knows = |idle: &Idle| ours(idle) && keeps.is_some() && idle.worker.keeps.as_deref() == keeps;
            if let Some(at) = state.idle.iter().position(knows).or_else(|| state.idle.iter().rposition(ours)) {
                return Ok((state.idle.remove(at).worker, false));
            }
            if state.count < limits.places.max(1) {
                state.count += 1;
                drop(state);
                return self.pool.start().inspect_err(|_| yard.forget_one()).map(|worker| (worker, true));
            }
            if !state.idle.is_empty() {
                // One that has nothing at hand costs whoever sent it nothing but a start.
                let at = state.idle.iter().position(|idle| idle.worker.keeps.is_none()).unwrap_or(0);
                let other = state.idle.remove(at);
                drop(state);
                drop(other);
            } else {
                let waited = yard.freed.wait_timeout(state, ASK_EVERY).unwrap_or_else(PoisonError::into_inner);
                drop(waited);
                if cancel() {
                    return Err(ChildError::Cancelled { tool });
                }
            }
            state = yard.state();
        }
    }

    fn give_back(&self, mut worker: Worker, keeps: Option<String>) {
        if keeps.is_some() {
            worker.keeps = keeps;
        }
        let is_first = {
            let mut state = self.pool.0.yard.state();
            state.idle.push(Idle { crew: self.id, since: Instant::now(), worker });
            state.idle.len() == 1
        };
        self.pool.0.yard.freed.notify_all();
        // It looks at those that come later when it looks at the first.
        if is_first && self.pool.call(Call::Look).is_err() {
            tracing::warn!("who keeps the workers has ended: they stay until their run ends");
        }
    }
}

fn gibberish(tool: &'static str, why: &dyn std::fmt::Display) -> ChildError {
    ChildError::Failed { tool, status: "it answered what nobody can read".to_owned(), said: why.to_string() }
}

#[derive(Debug)]
struct Worker {
    running: Running,
    ended: OwnedFd,
    socket: UnixStream,
    stderr: Option<ChildStderr>,
    /// What of an earlier errand it still has at hand.
    keeps: Option<String>,
    yard: Arc<Yard>,
    folder: Folder,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.running.end();
        self.yard.forget_one();
    }
}

impl Worker {
    /// Waits for the answer.
    fn listen(&mut self, tool: &'static str, limits: &PoolLimits, cancel: Cancel<'_>) -> Result<Vec<u8>, ChildError> {
        let failed = |error| ChildError::doing(format!("listen to {tool}"))(error);
        let (mut answer, mut tail) = (Answer::default(), Tail::default());
        let deadline = Instant::now() + limits.wall;
        let (mut looked, used_before) = (Instant::now(), processor_time(self.running.pid()));
        loop {
            if cancel() {
                return Err(ChildError::Cancelled { tool });
            }
            if Instant::now() >= deadline {
                return Err(ChildError::TimedOut { tool, limit: limits.wall });
            }
            if looked.elapsed() >= ASK_EVERY {
                looked = Instant::now();
                if processor_time(self.running.pid()).saturating_sub(used_before) > limits.cpu {
                    return Err(ChildError::TooMuchCpu { tool, limit: limits.cpu });
                }
                self.folder.check(tool)?;
            }
            let (speaks, complains) = self.wait(ASK_EVERY).map_err(failed)?;
            if complains
                && let Some(stderr) = &mut self.stderr
                && !tail.take(stderr).map_err(failed)?
            {
                self.stderr = None;
            }
            if !speaks {
                continue;
            }
            let goes_on = answer.read(&self.socket).map_err(failed)?;
            match answer.take() {
                Ok(Some(json)) => return Ok(json),
                Ok(None) => {}
                Err(Unheard::TooLong) => {
                    return Err(ChildError::TooMuchOutput { tool, limit: wire::LONGEST_ANSWER });
                }
                Err(Unheard::WentOn) => return Err(gibberish(tool, &"it went on")),
            }
            if !goes_on {
                return Err(self.ending(tool, limits, tail));
            }
        }
    }

    /// Whether it speaks, and whether it complains.
    fn wait(&self, time: Duration) -> io::Result<(bool, bool)> {
        let mut fds = vec![PollFd::new(&self.socket, PollFlags::IN)];
        fds.extend(self.stderr.as_ref().map(|stderr| PollFd::new(stderr, PollFlags::IN)));
        wait_for(&mut fds, time)?;
        let happened = |at: usize| fds.get(at).is_some_and(|fd: &PollFd<'_>| !fd.revents().is_empty());
        Ok((happened(0), happened(1)))
    }

    fn last_words(&mut self, tool: &'static str, limits: &PoolLimits) -> ChildError {
        self.ending(tool, limits, Tail::default())
    }

    /// What ended it.
    fn ending(&mut self, tool: &'static str, limits: &PoolLimits, mut tail: Tail) -> ChildError {
        /// From when it has nothing more to say until it is gone.
        const LAST: Duration = Duration::from_secs(5);
        let memory = limits.picture.max_memory.saturating_add(PROGRAM);
        let child = ChildLimits { wall: limits.wall, cpu: limits.cpu, memory, file: limits.file, output: 0 };
        let waited = wait_for(&mut [PollFd::new(&self.ended, PollFlags::IN)], LAST);
        self.running.kill_group();
        let said = waited.and_then(|()| {
            while let Some(stderr) = &mut self.stderr
                && tail.take(stderr)?
            {}
            Ok(tail.finish())
        });
        let judged = said.and_then(|stderr| Ok((self.running.wait()?, Output { stderr, ..Output::default() })));
        match judged.map(|(status, output)| judge(tool, status, child, output)) {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => gibberish(tool, &"it left without an answer"),
            Err(error) => ChildError::doing(format!("learn what ended {tool}"))(error),
        }
    }
}

fn wait_for(fds: &mut [PollFd<'_>], time: Duration) -> io::Result<()> {
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    match poll(fds, Some(&time)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What all threads of a process have used so far; nothing of one that is gone.
fn processor_time(process: Pid) -> Duration {
    /// The kernel counts in hundredths of a second wherever this program runs (`USER_HZ`).
    const TICK: Duration = Duration::from_millis(10);
    let path = format!("/proc/{}/stat", process.as_raw_nonzero());
    let stat = fs::read_to_string(path).unwrap_or_default(); // bounded: a line of the kernel's
    // The name of the program comes before, in parentheses; then the third field and those behind it.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
    ticks.map(|ticks| TICK * ticks).sum()
}

/// A descriptor of bytes that are nowhere on a disk, for errands that take files.
pub fn in_memory(bytes: &[u8]) -> io::Result<fs::File> {
    use std::io::Write;
    let made = rustix::fs::memfd_create("errand", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = fs::File::from(made);
    file.write_all(bytes)?;
    Ok(file)
}

/// The descriptors of files, as errands take them.
pub fn borrowed<'a>(files: impl IntoIterator<Item = &'a fs::File>) -> Vec<BorrowedFd<'a>> {
    files.into_iter().map(AsFd::as_fd).collect()
}
