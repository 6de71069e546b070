//! Workers: what decodes what others sent, held to its limits, killed in the middle, and shared with nobody.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use prepress::executors::Registry;
use prepress::media::child::{ChildError, Crew, ErrandError, Launcher, Pool, PoolLimits};
use prepress::media::errand::Optimize;
use prepress::media::{Limits, MediaError, Optimized, Options, Outputs};
use prepress::model::kind::JobKind;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio_util::sync::CancellationToken;

use crate::child::{processes_with, wait_until};
use crate::world::{World, directory, jpeg};

/// Pictures, and workers that make pyramids of them.
struct Bench {
    home: tempfile::TempDir,
    pool: Pool,
}

type Made = Result<Optimized, ErrandError<MediaError>>;

impl Bench {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut PoolLimits)) -> Self {
        Self::at(&std::env::temp_dir(), change)
    }

    fn at(parent: &Path, change: impl FnOnce(&mut PoolLimits)) -> Self {
        let home = tempfile::tempdir_in(parent).unwrap();
        let scratch = home.path().join("scratch");
        let mut limits = PoolLimits {
            places: 4,
            picture: Limits { max_memory: 256 << 20, ..Limits::default() },
            file: 1 << 30,
            cpu: Duration::from_secs(600),
            wall: Duration::from_secs(600),
            idle: Duration::from_secs(3600),
        };
        change(&mut limits);
        let launcher = Launcher::new(Path::new(env!("CARGO_BIN_EXE_prepress")), &scratch);
        Self { pool: Pool::new(launcher, limits), home }
    }

    fn picture(&self, side: u32) -> PathBuf {
        let path = self.home.path().join(format!("{side}.jpg"));
        fs::write(&path, jpeg(side, 7)).unwrap();
        path
    }

    fn optimize(&self, crew: &Crew, picture: &Path, cancel: &dyn Fn() -> bool) -> Made {
        let open = |name: &str| File::create(self.home.path().join(name)).unwrap();
        let (mut pyramid, mut thumbnail, mut mask) = (open("pyramid"), open("thumbnail"), open("mask"));
        let outputs = Outputs { pyramid: &mut pyramid, thumbnail: &mut thumbnail, mask: &mut mask };
        Optimize::send(crew, &File::open(picture).unwrap(), None, outputs, &Options::default(), cancel)
    }

    fn workers(&self) -> Vec<u32> {
        processes_with(self.home.path().to_str().unwrap())
    }

    /// The only one. It has no command line while it starts.
    fn worker(&self) -> Pid {
        wait_until("there is a worker", || self.workers().len() == 1);
        pid(self.workers()[0])
    }

    /// Does something to the worker once it is busy.
    fn optimize_and(&self, crew: &Crew, picture: &Path, change: impl Fn(Pid)) -> Made {
        let is_done = Cell::new(false);
        self.optimize(crew, picture, &|| {
            if !is_done.replace(true) {
                change(self.worker());
            }
            false
        })
    }
}

fn is_confined(worker: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", worker.as_raw_nonzero())).unwrap();
    status.contains("Seccomp:\t2")
}

/// It has started all threads that it works on: as many as the processors that it sees, beside its first.
fn has_begun(worker: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", worker.as_raw_nonzero())).unwrap().count();
    is_confined(worker) && threads > std::thread::available_parallelism().unwrap().get()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

#[track_caller]
fn refused(made: Made) -> String {
    match made {
        Err(ErrandError::Child(ChildError::Cancelled { .. } | ChildError::Io { .. })) | Ok(_) => {
            panic!("the file should be refused: {made:?}")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_worker_does_one_errand_after_the_other_and_gives_what_is_made_here() {
    let bench = Bench::new();
    let (crew, picture) = (bench.pool.crew(), bench.picture(300));
    let made = bench.optimize(&crew, &picture, &|| false).unwrap();
    let workers = bench.workers();
    assert_eq!((made.pyramid.levels[0], workers.len()), ((300, 300), 1));
    let files = ["pyramid", "thumbnail", "mask"].map(|name| fs::read(bench.home.path().join(name)).unwrap());
    let [mut pyramid, mut thumbnail, mut mask] = [(); 3].map(|()| std::io::Cursor::new(Vec::new()));
    let outputs = Outputs { pyramid: &mut pyramid, thumbnail: &mut thumbnail, mask: &mut mask };
    let here = prepress::media::optimize(&picture, outputs, &Options::default(), &Limits::default(), &|| false);
    assert_eq!(here.unwrap(), made);
    assert_eq!([pyramid, thumbnail, mask].map(std::io::Cursor::into_inner), files);
    fs::write(bench.home.path().join("broken.jpg"), &fs::read(&picture).unwrap()[..2000]).unwrap();
    let said = refused(bench.optimize(&crew, &bench.home.path().join("broken.jpg"), &|| false));
    assert!(said.contains("ends too early"), "{said}");
    bench.optimize(&crew, &picture, &|| false).unwrap();
    assert_eq!(bench.workers(), workers, "a file that is refused costs no worker");
}

#[test]
fn it_is_confined() {
    let bench = Bench::new();
    let made = bench.optimize_and(&bench.pool.crew(), &bench.picture(64), |worker| {
        let about = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", worker.as_raw_nonzero())).unwrap();
        wait_until("it is confined", || is_confined(worker));
        let status = about("status");
        for line in ["NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
            assert!(status.contains(line), "{status}");
        }
        let limits = about("limits");
        let limit =
            |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().rev().nth(2);
        assert_eq!(limit("Max address space"), Some(((256 << 20) + (512 << 20)).to_string().as_str()), "{limits}");
        assert_eq!(limit("Max file size"), Some((1 << 30).to_string().as_str()), "{limits}");
    });
    made.unwrap();
}

#[test]
fn one_that_is_killed_has_its_file_taken_up_by_another() {
    let bench = Bench::new();
    let (crew, picture) = (bench.pool.crew(), bench.picture(64));
    let made = || ["pyramid", "thumbnail", "mask"].map(|name| fs::read(bench.home.path().join(name)).unwrap());
    bench.optimize(&crew, &picture, &|| false).unwrap();
    let undisturbed = made();
    let busy = bench.optimize_and(&crew, &picture, |worker| kill_process(worker, Signal::KILL).unwrap());
    busy.unwrap();
    assert_eq!(made(), undisturbed);
    // One that is killed while it waits is nobody's loss.
    kill_process(bench.worker(), Signal::KILL).unwrap();
    wait_until("it is gone", || bench.workers().is_empty());
    bench.optimize(&crew, &picture, &|| false).unwrap();
}

#[test]
fn a_file_whose_workers_are_killed_one_after_the_other_is_given_up() {
    let bench = Bench::new();
    let (crew, picture) = (bench.pool.crew(), bench.picture(3000));
    let killed = Cell::new(0);
    let made = bench.optimize(&crew, &picture, &|| {
        for worker in bench.workers() {
            // It may be gone by now.
            if kill_process(pid(worker), Signal::KILL).is_ok() {
                killed.set(killed.get() + 1);
            }
        }
        false
    });
    assert_eq!(refused(made), "the picture reader was killed (SIGKILL), as the system does when memory runs out");
    assert!(killed.get() >= 2, "{}", killed.get());
    bench.optimize(&crew, &picture, &|| false).unwrap();
}

#[test]
fn each_limit_ends_its_file_and_is_named() {
    let bench = Bench::new();
    let picture = bench.picture(1500);
    let starved = bench.optimize_and(&bench.pool.crew(), &picture, |worker| {
        wait_until("it has begun", || has_begun(worker));
        let little = Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) };
        prlimit(Some(worker), Resource::As, little).unwrap();
    });
    let said = refused(starved);
    assert!(said.contains("memory"), "{said}");
    let slow = Bench::with(|limits| limits.wall = Duration::from_millis(200));
    let stopped = slow.optimize_and(&slow.pool.crew(), &picture, |worker| kill_process(worker, Signal::STOP).unwrap());
    assert_eq!(refused(stopped), "the picture reader took longer than 0.2 s");
    let busy = Bench::with(|limits| limits.cpu = Duration::ZERO);
    assert_eq!(
        refused(busy.optimize(&busy.pool.crew(), &picture, &|| false)),
        "the picture reader used more than 0 s of processor time"
    );
    let small = Bench::with(|limits| limits.file = 5000);
    assert_eq!(
        refused(small.optimize(&small.pool.crew(), &picture, &|| false)),
        "the picture reader would write a file of more than 5000 bytes"
    );
    for bench in [bench, slow, busy, small] {
        wait_until("none is left", || bench.workers().is_empty());
        assert_eq!(bench.pool.workers(), 0);
    }
}

#[test]
fn an_errand_that_is_cancelled_kills_its_worker() {
    let bench = Bench::new();
    let crew = bench.pool.crew();
    let cancelled = bench.optimize(&crew, &bench.picture(3000), &|| !bench.workers().is_empty());
    assert!(matches!(cancelled, Err(ErrandError::Child(ChildError::Cancelled { .. }))), "{cancelled:?}");
    assert_eq!((bench.workers(), bench.pool.workers()), (vec![], 0));
}

#[test]
fn it_ends_when_it_has_nothing_to_do_and_when_its_crew_ends() {
    let bench = Bench::with(|limits| limits.idle = Duration::from_millis(1));
    let crew = bench.pool.crew();
    bench.optimize(&crew, &bench.picture(64), &|| false).unwrap();
    wait_until("it ends", || bench.workers().is_empty() && bench.pool.workers() == 0);
    let bench = Bench::new();
    let crew = bench.pool.crew();
    bench.optimize(&crew, &bench.picture(64), &|| false).unwrap();
    assert_eq!(bench.workers().len(), 1);
    drop(crew);
    wait_until("it ends", || bench.workers().is_empty() && bench.pool.workers() == 0);
    wait_until("its folder is gone", || fs::read_dir(bench.home.path().join("scratch")).unwrap().count() == 0);
}

#[test]
fn crews_share_no_worker_and_make_room_for_each_other() {
    let bench = Bench::new();
    let (one, other, picture) = (bench.pool.crew(), bench.pool.crew(), bench.picture(64));
    bench.optimize(&one, &picture, &|| false).unwrap();
    let first = bench.workers();
    bench.optimize(&other, &picture, &|| false).unwrap();
    assert_eq!(bench.workers().len(), 2);
    bench.optimize(&one, &picture, &|| false).unwrap();
    assert_eq!(bench.workers().len(), 2);
    drop(other);
    wait_until("the other one's ends", || bench.workers() == first);
    let bench = Bench::with(|limits| limits.places = 1);
    let (one, other) = (bench.pool.crew(), bench.pool.crew());
    bench.optimize(&one, &picture, &|| false).unwrap();
    let first = bench.workers();
    bench.optimize(&other, &picture, &|| false).unwrap();
    let second = bench.workers();
    assert!(first.len() == 1 && second.len() == 1 && first != second, "{first:?} and then {second:?}");
}

#[test]
fn a_file_that_hangs_in_one_crew_delays_no_other() {
    let bench = Bench::new();
    let (one, other, picture) = (bench.pool.crew(), bench.pool.crew(), bench.picture(64));
    let (hangs, is_hanging) = mpsc::channel();
    let (is_done, done) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::Ordering::SeqCst);
    let stop = || is_done.load(done);
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| {
            let hangs = Cell::new(Some(hangs));
            bench.optimize(&one, &picture, &|| {
                if let Some(hangs) = hangs.take() {
                    kill_process(bench.worker(), Signal::STOP).unwrap();
                    hangs.send(()).unwrap();
                }
                stop()
            })
        });
        is_hanging.recv().unwrap();
        let made = bench.optimize(&other, &picture, &|| false);
        is_done.store(true, done);
        made.unwrap();
        let hanging = hanging.join().unwrap();
        assert!(matches!(hanging, Err(ErrandError::Child(ChildError::Cancelled { .. }))), "{hanging:?}");
    });
}

#[test]
fn the_thread_that_asked_first_may_end() {
    let bench = Bench::new();
    let (crew, picture) = (bench.pool.crew(), bench.picture(64));
    std::thread::scope(|scope| {
        scope.spawn(|| bench.optimize(&crew, &picture, &|| false).unwrap());
    });
    let first = bench.workers();
    bench.optimize(&crew, &picture, &|| false).unwrap();
    assert_eq!(bench.workers(), first);
}

/// Started by the test below as a daemon that is about to be killed.
#[test]
fn a_daemon_that_keeps_a_worker() {
    let Ok(home) = std::env::var("PREPRESS_TEST_HOME_OF_WORKERS") else { return };
    let bench = Bench::at(Path::new(&home), |_| ());
    let crew = bench.pool.crew();
    bench.optimize(&crew, &bench.picture(64), &|| false).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn no_worker_outlives_a_daemon_that_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "workers::a_daemon_that_keeps_a_worker"])
        .env("PREPRESS_TEST_HOME_OF_WORKERS", home.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let workers = || processes_with(home.path().to_str().unwrap());
    wait_until("a worker is there", || workers().len() == 1);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    wait_until("the worker is gone", || workers().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_loses_nothing_when_a_worker_is_killed() {
    let world = World::new().await;
    for seed in 1..=4 {
        world.put(&format!("in/{seed}.jpg"), &jpeg(64, seed));
    }
    let scratch = world.settings.scratch.to_str().unwrap().to_owned();
    let killer = std::thread::spawn(move || {
        // It has its first errand before it has begun.
        loop {
            if let Some(worker) = processes_with(&scratch).first() {
                return kill_process(pid(*worker), Signal::KILL).unwrap();
            }
        }
    });
    let done = world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    killer.join().unwrap();
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.error), (4, 0), "{text}");
    wait_until("none is left", || processes_with(world.settings.scratch.to_str().unwrap()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_dropped_leaves_no_worker() {
    let world = World::new().await;
    for seed in 1..=4 {
        world.put(&format!("in/{seed}.jpg"), &jpeg(1000, seed));
    }
    world.submit(JobKind::UploadDirectory, directory("in")).await;
    let claimed = world.claim().await;
    let context = world.context(&claimed, CancellationToken::new());
    let scratch = world.settings.scratch.to_str().unwrap().to_owned();
    let registry = world.registry();
    let executor = registry.executor(&claimed.spec);
    tokio::select! {
        result = executor.run(&context) => panic!("it was to be dropped before: {result:?}"),
        () = async { while processes_with(&scratch).is_empty() { tokio::task::yield_now().await; } } => {}
    }
    drop(executor);
    let none = move || processes_with(&scratch).is_empty();
    tokio::task::spawn_blocking(move || wait_until("no worker is left", none)).await.unwrap();
}
