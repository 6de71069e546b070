//! What all executors share: the blob store, the settings, and a bound on how much is done at once.
//!
//! Whatever works on the bytes of a file does so by [`Workshop::work_on`], which marks the file for as long
//! ([`marks`](crate::assets::marks)). A file that was in work when the daemon ended is a suspect, and has the workshop for
//! itself the next time; a file that ended the daemon even then is refused.

use std::sync::{Arc, Weak};

use chrono::TimeDelta;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::mounts::{Mount, Mounts};
use super::pictures::Unmade;
use super::settings::Room;
use super::{Context, Failure, Settings, failure, reason};
use crate::assets::blobs::Blobs;
use crate::assets::marks::{Entered, Mark, MarkError, Marks, Work};
use crate::clock::{self, SharedClock};
use crate::media::Format;
use crate::media::child::{Crew, Launcher, Pool};
use crate::model::name::FileName;

/// Clones share it.
#[derive(Debug, Clone)]
pub struct Workshop {
    pub settings: Arc<Settings>,
    pub blobs: Blobs,
    /// For tools that work as child processes.
    pub launcher: Launcher,
    /// Who decodes what others sent.
    pub crew: Arc<Crew>,
    pool: Pool,
    benches: Arc<Semaphore>,
    /// Of the memory for pictures, one for each bench.
    shares: Arc<Semaphore>,
    /// Folders that are worked in apart from everything else.
    pub(super) mounts: Mounts,
    pub(super) marks: Marks,
    /// Held alone by a suspect, and together by everybody else.
    gate: Arc<RwLock<()>>,
}

/// The bytes of a stored file that are to be worked on.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    /// What the file is known by: the name of its blob.
    content: &'a str,
    step: &'a str,
    /// What it is called where it is in work.
    file: &'a str,
}

impl<'a> Bytes<'a> {
    pub const fn of(content: &'a str, file: &'a str) -> Self {
        Self { content, step: "", file }
    }

    /// A step of several. It is called the same in every attempt, and is the same work.
    pub const fn step(self, step: &'a str) -> Self {
        Self { step, ..self }
    }
}

/// How long a suspect may keep everybody else waiting. What has not ended the daemon by then goes on beside others.
const LONGEST_ALONE: TimeDelta = TimeDelta::minutes(10);

/// Who may be in work beside a file that is no suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// No suspect. It takes of the memory for pictures.
    Others(Room),
    /// Also a suspect, which then is not alone: nobody waits for work that takes hours.
    Everybody,
}

impl Workshop {
    pub fn new(settings: Settings, blobs: Blobs, marks: Marks) -> Self {
        let benches = Arc::new(Semaphore::new(settings.parallel.max(1)));
        let shares = Arc::new(Semaphore::new(settings.parallel.max(1)));
        let mounts = Mounts::new(settings.parallel.max(1));
        let launcher = Launcher::new(&settings.binary, &settings.scratch);
        let pool = Pool::new(launcher.clone(), settings.pool_limits());
        let crew = Arc::new(pool.crew());
        let (settings, gate) = (Arc::new(settings), Arc::default());
        Self { settings, blobs, launcher, crew, pool, benches, shares, mounts, marks, gate }
    }

    /// What a file of this name and size takes that is looked into for what it says of itself.
    pub fn room_of(&self, name: &FileName, bytes: u64) -> Room {
        let is_document = Format::Pdf.extensions().contains(&name.extension.as_str())
            || Format::Illustrator.extensions().contains(&name.extension.as_str());
        if is_document { self.settings.room_of_document(bytes) } else { Room::Share }
    }

    /// The same workshop with a crew of its own, which ends with the last clone of what is returned.
    pub fn for_one_run(&self) -> Self {
        Self { crew: Arc::new(self.pool.crew()), ..self.clone() }
    }

    /// Where the server directories of a company lie.
    pub fn ingest_mount(&self, company_root: &str) -> Mount {
        self.mounts.read_only(&self.settings.ingest_root.join(company_root))
    }

    /// Where exports lie.
    pub fn export_mount(&self) -> Mount {
        self.mounts.written(&self.settings.export_root)
    }

    /// Does work that blocks or computes on a thread of its own, when there is a free place. It is given a question to ask
    /// now and then: whether nobody waits for it any more.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (gate, shares) = (self.gate.clone(), self.shares.clone());
        let enter = async move {
            let share = shares.acquire_owned().await.map_err(failure::internal)?;
            Ok((share, gate.read_owned().await))
        };
        at_bench(self.benches.clone(), enter, move |_together, stop| work(stop)).await
    }

    /// The same for work on the bytes of a stored file.
    pub async fn work_on<T: Send + 'static>(
        &self,
        context: &Context,
        bytes: Bytes<'_>,
        work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, Unmade> + Send + 'static,
    ) -> Result<T, Unmade> {
        self.work_marked(context, bytes, Beside::Others(Room::Share), work).await
    }

    /// The same with so much of the memory for pictures, which it waits for.
    pub async fn work_in<T: Send + 'static>(
        &self,
        room: Room,
        context: &Context,
        bytes: Bytes<'_>,
        work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, Unmade> + Send + 'static,
    ) -> Result<T, Unmade> {
        self.work_marked(context, bytes, Beside::Others(room), work).await
    }

    /// The same for what a tool may do for hours. It has none of the memory for pictures.
    pub async fn work_long_on<T: Send + 'static>(
        &self,
        context: &Context,
        bytes: Bytes<'_>,
        work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, Unmade> + Send + 'static,
    ) -> Result<T, Unmade> {
        self.work_marked(context, bytes, Beside::Everybody, work).await
    }

    async fn work_marked<T: Send + 'static>(
        &self,
        context: &Context,
        bytes: Bytes<'_>,
        beside: Beside,
        work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, Unmade> + Send + 'static,
    ) -> Result<T, Unmade> {
        let Bytes { content, step, file } = bytes;
        if context.reads().is_condemned(content).await.map_err(Failure::from)? {
            return Err(Unmade::Refused(reason::condemned(content)));
        }
        let mark = Mark { file: file.to_owned(), company: context.run.company, run: context.run.fence.instance };
        let entrance = Entrance {
            gate: self.gate.clone(),
            marks: self.marks.clone(),
            clock: context.clock.clone(),
            work: Work::step(content, step),
            mark,
            beside,
            shares: self.shares.clone(),
            all: self.settings.parallel.max(1),
        };
        let work = move |turn: Turn, stop: &dyn Fn() -> bool| {
            let made = work(stop);
            if let Err(Unmade::Failed(_)) = &made {
                turn.entered.give_up();
            }
            made
        };
        at_bench(self.benches.clone(), entrance.enter(), work).await?
    }
}

/// A task of its own waits for the place. The future that is returned may be one of many in a stream that nobody asks
/// just then, because who would ask waits for a place as well: given to the future, the place would be held by it for
/// ever, and all work of all jobs would end.
pub(super) async fn at_bench<G: Send + 'static, T: Send + 'static>(
    benches: Arc<Semaphore>,
    enter: impl Future<Output = Result<G, Failure>> + Send + 'static,
    work: impl FnOnce(G, &dyn Fn() -> bool) -> T + Send + 'static,
) -> Result<T, Failure> {
    let abandoned = CancellationToken::new();
    let guard = abandoned.clone().drop_guard();
    let task = tokio::spawn(async move {
        let place = benches.acquire_owned().await.map_err(failure::internal)?;
        // Whoever waits here has a place: those it waits for have theirs, and come to their end.
        let entered = enter.await?;
        let work = move || {
            let _place = place;
            work(entered, &|| abandoned.is_cancelled())
        };
        tokio::task::spawn_blocking(work).await.map_err(failure::internal)
    });
    let done = AbortOnDropHandle::new(task).await;
    drop(guard);
    done.map_err(failure::internal)?
}

/// The way in for a file that is to be marked.
struct Entrance {
    gate: Arc<RwLock<()>>,
    marks: Marks,
    clock: SharedClock,
    work: Work,
    mark: Mark,
    beside: Beside,
    shares: Arc<Semaphore>,
    /// How many shares there are.
    all: usize,
}

/// A file in work. Its mark goes before others are let in.
struct Turn {
    entered: Arc<Entered>,
    _gate: Gate,
    _shares: Option<OwnedSemaphorePermit>,
}

/// What keeps others out, or lets them in.
enum Gate {
    Together {
        _guard: OwnedRwLockReadGuard<()>,
    },
    /// The task holds the gate for as long as it is to be held.
    Alone {
        _task: AbortOnDropHandle<()>,
    },
    Open,
}

impl Entrance {
    async fn enter(self) -> Result<Turn, Failure> {
        let _shares = self.shares().await?;
        if self.marks.is_suspect(&self.work) {
            let guard = self.gate.clone().write_owned().await;
            let entered = Arc::new(self.mark().await?);
            let _task = AbortOnDropHandle::new(tokio::spawn(hold(guard, Arc::downgrade(&entered), self.clock)));
            return Ok(Turn { entered, _gate: Gate::Alone { _task }, _shares });
        }
        // A mark is made while no suspect is alone, however long it stays.
        let guard = self.gate.clone().read_owned().await;
        let entered = Arc::new(self.mark().await?);
        let gate = match self.beside {
            Beside::Others(_) => Gate::Together { _guard: guard },
            Beside::Everybody => Gate::Open,
        };
        Ok(Turn { entered, _gate: gate, _shares })
    }

    /// Who has shares and waits for the gate waits for those who have theirs.
    async fn shares(&self) -> Result<Option<OwnedSemaphorePermit>, Failure> {
        let count = match self.beside {
            Beside::Everybody => return Ok(None),
            Beside::Others(Room::Share) => 1,
            Beside::Others(Room::All) => u32::try_from(self.all).unwrap_or(u32::MAX),
        };
        self.shares.clone().acquire_many_owned(count).await.map(Some).map_err(failure::internal)
    }

    async fn mark(&self) -> Result<Entered, Failure> {
        let failed = |error: MarkError| Failure::of_io(&error.source, &error);
        let (marks, work, mark) = (self.marks.clone(), self.work.clone(), self.mark.clone());
        let entered = tokio::task::spawn_blocking(move || marks.enter(&work, &mark)).await;
        let entered = entered.map_err(failure::internal)?.map_err(failed)?;
        if entered.is_alone() {
            let Mark { file, run, .. } = &self.mark;
            tracing::info!(work = %self.work, file, run = %run, "was in work when the daemon ended: it is tried alone");
        }
        Ok(entered)
    }
}

async fn hold(guard: OwnedRwLockWriteGuard<()>, entered: Weak<Entered>, clock: SharedClock) {
    clock::sleep(&*clock, LONGEST_ALONE).await;
    let admitted = tokio::task::spawn_blocking(move || entered.upgrade().map(|entered| entered.admit_others())).await;
    if let Ok(Some(Err(error))) = admitted {
        tracing::warn!(%error, "a file stays marked as the only one in work, and is not any more");
    }
    drop(guard);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::config::{Config, Environment, Overrides};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_takes_from_a_stream_of_work_may_work_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let overrides = Overrides { data: Some(folder.path().to_owned()), listen: None };
        let config = Config::load_in(&Environment::of_process(), None, overrides).unwrap();
        let settings = Settings { parallel: 1, ..Settings::new(&config) };
        let workshop = &Workshop::new(settings, Blobs::open(&folder.path().join("blobs")).unwrap(), Marks::none());
        let mut numbers = stream::iter(0..20).map(|number| workshop.work(move |_| number)).buffered(4);
        let taken = async {
            let mut sum = 0;
            while let Some(number) = numbers.next().await {
                let number = number.unwrap();
                sum += workshop.work(move |_| number).await.unwrap();
            }
            sum
        };
        let sum = tokio::time::timeout(Duration::from_secs(60), taken).await.expect("everybody gets a place");
        assert_eq!(sum, 190);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_learns_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let overrides = Overrides { data: Some(folder.path().to_owned()), listen: None };
        let config = Config::load_in(&Environment::of_process(), None, overrides).unwrap();
        let settings = Settings { parallel: 1, ..Settings::new(&config) };
        let workshop = Workshop::new(settings, Blobs::open(&folder.path().join("blobs")).unwrap(), Marks::none());
        let (began, begun) = tokio::sync::oneshot::channel();
        let first = workshop.work(move |is_abandoned| {
            began.send(()).unwrap();
            while !is_abandoned() {
                std::thread::yield_now();
            }
        });
        let second = workshop.work(|_| panic!("nobody waits for it"));
        tokio::select! {
            // Who asks first gets the place.
            biased;
            _ = first => panic!("it ends only when it is abandoned"),
            _ = second => panic!("there is no place for it"),
            begun = begun => begun.unwrap(),
        }
        assert_eq!(workshop.work(|_| 7).await, Ok(7), "the place is free again");
    }
}
