//! The composition root: what a daemon is made of, in which order it starts, and in which it stops.
//!
//! Start: see that the files have their database, lock the data folder, open the database, put back what an earlier process left (engine), listen. Stop: refuse
//! new requests, let running attempts come to a checkpoint and put them back, close the database.

pub mod fitness;
pub mod lock;
pub mod parts;
pub mod wake;

mod crashes;
mod exchange;
mod listener;
mod room;

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::assets::marks::{MarkError, Marks};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::engine::{Engine, Parts};
use crate::executors::Registry;
use crate::media::child::RUNNING_BINARY;
use crate::service::jobs::Disks;
use crate::service::mark::{Age, Beside, MarkKeeper, Standing};
use crate::service::uploads::Uploads;
use crate::service::{FirstAdmin, Services};
use crate::store::{Options, Store, StoreError};
use crate::transport::certificates::CertificateError;

use exchange::WaysOut;
use fitness::Unfit;
use lock::{DataLock, LockError};

/// Why a daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot make the folder {}: {source}; check its parent's rights, or name another with --data", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot listen on {address}: {source}; another program may use the port: choose one with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("cannot set up the mail: {0}")]
    Mail(String),
    #[error("cannot set up the HTTP client: {0}")]
    Http(String),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Service(#[from] crate::service::Error),
    #[error("cannot set up the executors: {0}")]
    Executors(String),
    #[error("cannot set up the store of files: {0}")]
    Blobs(String),
    #[error(transparent)]
    Marks(#[from] MarkError),
}

/// A running daemon.
pub struct Daemon {
    address: SocketAddr,
    first_admin: Option<FirstAdmin>,
    services: Services,
    engine: Engine,
    mark: MarkKeeper,
    listener: listener::Listener,
    wake: JoinHandle<()>,
    room: JoinHandle<()>,
    ways_out: WaysOut,
    store: Store,
    marks: Marks,
    _lock: DataLock,
}

/// The login made at the first start, when the data folder has no account.
const FIRST_ADMIN: &str = "admin@localhost";

/// The database of a data folder.
pub fn database(data: &std::path::Path) -> PathBuf {
    data.join("prepress.db")
}

/// What of a data folder its daemon has locked.
pub fn lock(data: &std::path::Path) -> PathBuf {
    lock::path(data)
}

/// The marks of files in work.
pub fn marks(data: &std::path::Path) -> PathBuf {
    data.join("work")
}

/// The file with the first login, for its owner only.
pub fn admin_login(data: &std::path::Path) -> PathBuf {
    data.join("admin-login")
}

/// Where the data folder says which configuration file it is served with.
fn config_note(data: &std::path::Path) -> std::path::PathBuf {
    data.join("config-file")
}

/// The configuration file that the daemon of a data folder was last started with; None when there was none.
pub fn config_file(data: &std::path::Path) -> Option<std::path::PathBuf> {
    let text = std::fs::read(config_note(data)).ok()?;
    let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&text);
    (!path.is_empty()).then(|| path.into())
}

/// Notes it for commands that are told of the data folder only.
pub fn note_config_file(data: &std::path::Path, file: Option<&std::path::Path>) -> std::io::Result<()> {
    let note = config_note(data);
    match file.map(std::path::absolute).transpose()? {
        Some(file) => write_whole(&note, std::os::unix::ffi::OsStrExt::as_bytes(file.as_os_str()), 0o644),
        None => match std::fs::remove_file(note) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

fn keep_login(data: &std::path::Path, admin: &FirstAdmin) -> Result<(), StartError> {
    let text = format!("user: {}\npassword: {}\n", admin.email, admin.password);
    let path = admin_login(data);
    write_whole(&path, &text, 0o600).map_err(|source| StartError::Write { path, source })
}

/// Removes the file of the first login when its password is no longer that of `email`. Whether there was one for it.
pub fn forget_login(data: &std::path::Path, email: &str) -> std::io::Result<bool> {
    let path = admin_login(data);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        text => text?,
    };
    let is_theirs =
        |line: &str| line.strip_prefix("user: ").is_some_and(|user| user.eq_ignore_ascii_case(email.trim()));
    if !text.lines().any(is_theirs) {
        return Ok(false);
    }
    std::fs::remove_file(path).map(|()| true)
}

/// Writes a file so that a reader sees the whole of it or none, also after a power cut.
pub fn write_whole(path: &std::path::Path, content: impl AsRef<[u8]>, mode: u32) -> std::io::Result<()> {
    let part = path.with_extension("part");
    // One that a start left behind keeps the rights that it has.
    let _ = std::fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&part)?;
    file.write_all(content.as_ref())?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

/// Makes the data folder, with its parents, closed to other users of the machine: it holds logins, and the files of every
/// company. One that is there keeps the rights that somebody gave it.
fn make_private(data: &std::path::Path) -> std::io::Result<()> {
    if data.is_dir() {
        return Ok(());
    }
    if let Some(parent) = data.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::DirBuilder::new().mode(0o750).create(data)
}

/// Learns from the mark beside the blobs, and from the trees, whether they have seen more than the database, and writes it.
async fn meet_mark(services: &Services, beside: &Beside, identity: String) -> Result<MarkKeeper, StartError> {
    if let Standing::Unreadable(reason) = services.standing(beside).await? {
        tracing::warn!(%reason, "the mark beside the stored files cannot be read; it is written anew");
    }
    let ahead = services.meet_mark(beside).await?;
    for number in &ahead.unbelievable {
        tracing::warn!(
            number,
            "a number beside the published files was not given by any daemon, and is not believed: the next publish, or \
             `prepress doctor --repair`, writes the manifest again"
        );
    }
    if let Some(what) = ahead.unlooked {
        let age = Age::Unlooked(what);
        tracing::warn!("the database {age}; {}", age.consequence().0);
    }
    if let Some(restored) = services.restored().await? {
        let (since, run, seen_run) = (restored.found_at, restored.run, restored.seen_run);
        let age = Age::from(restored);
        let follows = age.consequence().0;
        tracing::warn!(
            %since,
            run,
            seen_run,
            "the database {age}: {follows}; what ran or was mailed since the backup may be again"
        );
    }
    let mark = MarkKeeper::new(services.store().clone(), &beside.blobs, identity);
    // A disk that is full keeps nobody from starting.
    if let Err(error) = mark.keep().await {
        tracing::warn!(%error, "the mark beside the stored files was not written; it is tried again in a minute");
    }
    Ok(mark)
}

/// Who does the jobs.
enum Executors<'a> {
    /// Those of this version, whose children start as this binary.
    Own(&'a Path),
    Given(Arc<dyn Registry>),
}

impl Daemon {
    /// Starts with the executors of this version.
    pub async fn start(config: Arc<Config>, clock: SharedClock) -> Result<Self, StartError> {
        Self::start_as(config, clock, Path::new(RUNNING_BINARY)).await
    }

    /// The same in a process that is another program, such as a test: children start as `binary`.
    pub async fn start_as(config: Arc<Config>, clock: SharedClock, binary: &Path) -> Result<Self, StartError> {
        Self::start_locked(config, clock, Executors::Own(binary)).await
    }

    /// Starts with other executors: for tests.
    pub async fn start_with(
        config: Arc<Config>,
        clock: SharedClock,
        registry: Arc<dyn Registry>,
    ) -> Result<Self, StartError> {
        Self::start_locked(config, clock, Executors::Given(registry)).await
    }

    async fn start_locked(
        config: Arc<Config>,
        clock: SharedClock,
        executors: Executors<'_>,
    ) -> Result<Self, StartError> {
        let data = config.data();
        fitness::examine(&config).await?;
        let folder = |source| StartError::Folder { path: data.to_owned(), source };
        make_private(data).map_err(folder)?;
        let lock = DataLock::acquire(data)?;
        let blobs = parts::blobs(&config)?;
        let store = Store::open(Options::new(database(data), config.zone())).await?;
        let services = Services::new(store.clone(), clock.clone(), parts::service_settings(&config))?;
        let mark = meet_mark(&services, &parts::beside(&config), parts::installation(&store).await?).await?;
        let listener = listener::Listener::bind(&config, clock.clone())?;
        let address = listener.address();
        let (marks, is_explained) = crashes::take_stock(data, &store, clock.now()).await?;
        let registry = match executors {
            Executors::Given(registry) => registry,
            Executors::Own(binary) => parts::registry(&config, blobs.clone(), marks.clone(), address, binary)?,
        };
        let ways_out = WaysOut::new(parts::notify(&config, &store).await?);
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            policy: parts::engine_policy(&config),
            registry,
            notify: ways_out.as_notify(),
            mark: mark.clone(),
            owner: format!("{}:{}:{}", config.server_name(), std::process::id(), clock.now().timestamp_millis()),
        };
        let engine = Engine::start_after(parts, is_explained).await?;
        // Last of what can fail: a password is made, and told, only once. It is written down before it counts, so that a
        // start that breaks off here leaves no login that nobody knows.
        let first_admin = match services.is_empty().await? {
            true => Some(FirstAdmin::generate(FIRST_ADMIN)?),
            false => None,
        };
        if let Some(admin) = &first_admin {
            keep_login(data, admin)?;
            services.add_first_admin(admin).await?;
        }
        services.keep_cleanup(&config.retention.cleanup_schedule).await?;
        let wake = tokio::spawn(wake::listen(data.to_owned(), store.clone()));
        let room = tokio::spawn(room::watch(Disks::of(parts::written(&config)), clock.clone()));
        let uploads = Uploads::new(services.clone(), blobs, parts::upload_limits(&config));
        let listener = listener.serve(&config, services.clone(), uploads);
        Ok(Self {
            address,
            first_admin,
            services,
            engine,
            mark,
            listener,
            wake,
            room,
            ways_out,
            store,
            marks,
            _lock: lock,
        })
    }

    /// Where it listens, with the port that it was given.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub const fn first_admin(&self) -> Option<&FirstAdmin> {
        self.first_admin.as_ref()
    }

    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// Attempts that run just now.
    pub fn running(&self) -> usize {
        self.engine.running()
    }

    /// Takes over what of a configuration can change while the daemon runs: certificates, mail, completion URLs, bounds of
    /// requests, and what clients are told. All of it or, if anything cannot be used, nothing.
    pub async fn follow(&self, config: &Config) -> Result<(), StartError> {
        let listener = self.listener.prepare(config)?;
        let ways_out = parts::notify(config, &self.store).await?;
        let services = parts::service_settings(config);
        // From here on nothing can fail.
        self.listener.follow(listener).await;
        self.ways_out.follow(ways_out);
        self.services.follow(services);
        Ok(())
    }

    /// Stops in good order. Everything that was answered is on the disk; everything that ran is back in the queue.
    pub async fn shut_down(self) {
        let Self {
            address: _,
            first_admin: _,
            services,
            engine,
            mark,
            listener,
            wake,
            room,
            ways_out: _,
            store,
            marks,
            _lock,
        } = self;
        listener.close().await;
        engine.shut_down().await;
        if let Err(error) = marks.close() {
            tracing::warn!(%error, "files stay marked as in work; the next start takes them for suspects");
        }
        wake.abort();
        room.abort();
        if let Err(error) = mark.keep().await {
            tracing::warn!(%error, "the mark beside the stored files was not written at the end");
        }
        drop(services);
        store.close().await;
    }
}
