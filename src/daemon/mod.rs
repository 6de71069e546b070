//! The composition root: what a daemon is made of, in which order it starts, and in which it stops.
//!
//! Start: lock the data folder, open the database, put back what an earlier process left (engine), listen. Stop: refuse
//! new requests, let running attempts come to a checkpoint and put them back, close the database.

pub mod lock;
pub mod parts;
pub mod wake;

mod listener;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::clock::SharedClock;
use crate::config::Config;
use crate::engine::{Engine, Parts};
use crate::executors::Registry;
use crate::service::{FirstAdmin, Services};
use crate::store::{Options, Store, StoreError};

use lock::{DataLock, LockError};

/// Why a daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot make the folder {}: {source}; check its parent's rights, or name another with --data", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot listen on {address}: {source}; another program may use the port: choose one with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot use the TLS certificate and key: {0}")]
    Tls(String),
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
}

/// A running daemon.
pub struct Daemon {
    address: SocketAddr,
    first_admin: Option<FirstAdmin>,
    services: Services,
    engine: Engine,
    listener: listener::Listener,
    wake: JoinHandle<()>,
    store: Store,
    _lock: DataLock,
}

/// The login made at the first start, when the data folder has no account.
const FIRST_ADMIN: &str = "admin@localhost";

/// The database of a data folder.
pub fn database(data: &std::path::Path) -> PathBuf {
    data.join("prepress.db")
}

impl Daemon {
    /// Starts with the executors of this version.
    pub async fn start(config: Arc<Config>, clock: SharedClock) -> Result<Self, StartError> {
        Self::start_locked(config, clock, None).await
    }

    /// Starts with other executors: for tests.
    pub async fn start_with(
        config: Arc<Config>,
        clock: SharedClock,
        registry: Arc<dyn Registry>,
    ) -> Result<Self, StartError> {
        Self::start_locked(config, clock, Some(registry)).await
    }

    async fn start_locked(
        config: Arc<Config>,
        clock: SharedClock,
        registry: Option<Arc<dyn Registry>>,
    ) -> Result<Self, StartError> {
        let data = config.data();
        let folder = |source| StartError::Folder { path: data.to_owned(), source };
        std::fs::create_dir_all(data).map_err(folder)?;
        let lock = DataLock::acquire(data)?;
        let store = Store::open(Options::new(database(data), config.zone())).await?;
        let services = Services::new(store.clone(), clock.clone(), parts::service_settings(&config))?;
        let listener = listener::Listener::bind(&config).await?;
        let address = listener.address();
        let registry = match registry {
            Some(registry) => registry,
            None => parts::registry(&config, address)?,
        };
        let engine = Engine::start(Parts {
            store: store.clone(),
            clock: clock.clone(),
            policy: parts::engine_policy(&config),
            registry,
            notify: parts::notify(&config, &store).await?,
            owner: format!("{}:{}:{}", config.server_name(), std::process::id(), clock.now().timestamp_millis()),
        })
        .await?;
        // Last of what can fail: a password is made, and told, only once.
        let first_admin = match services.is_empty().await? {
            true => Some(services.create_first_admin(FIRST_ADMIN).await?),
            false => None,
        };
        let wake = tokio::spawn(wake::listen(data.to_owned(), store.clone()));
        let listener = listener.serve(&config, services.clone());
        Ok(Self { address, first_admin, services, engine, listener, wake, store, _lock: lock })
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

    /// Stops in good order. Everything that was answered is on the disk; everything that ran is back in the queue.
    pub async fn shut_down(self) {
        let Self { address: _, first_admin: _, services, engine, listener, wake, store, _lock } = self;
        listener.close().await;
        engine.shut_down().await;
        wake.abort();
        drop(services);
        store.close().await;
    }
}
