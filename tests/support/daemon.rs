//! An engine in a runtime of its own, so that it can be killed: dropped with everything it was doing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use prepress::engine::{Backoff, Engine, EnginePolicy, Notify, Parts};
use prepress::executors::Registry;
use prepress::model::firing;
use prepress::model::trigger::{Misfire, Overlap};
use prepress::service::mark::MarkKeeper;
use prepress::store::Store;
use tokio::runtime::{Builder, Runtime};

use super::database::options;
use super::{Wire, World};

/// What most tests use.
pub fn policy() -> EnginePolicy {
    EnginePolicy {
        firing: firing::Policy {
            misfire: Misfire::FireOnce,
            threshold: TimeDelta::seconds(60),
            max_catch_up: 100,
            overlap: Overlap::Skip,
        },
        instants_at_once: 100,
        slots: 4,
        slots_by_kind: BTreeMap::new(),
        max_attempts: 3,
        retry: Backoff { base: TimeDelta::seconds(10), max: TimeDelta::minutes(5) },
        lease: TimeDelta::seconds(60),
        heartbeat: TimeDelta::seconds(15),
        stop_grace: TimeDelta::seconds(30),
        shutdown_grace: TimeDelta::seconds(20),
        job_timeout: None,
        progress_every: TimeDelta::seconds(1),
        delivery_retry: Backoff { base: TimeDelta::seconds(30), max: TimeDelta::hours(1) },
        retention: prepress::engine::Retention {
            logs: TimeDelta::days(90),
            instances: TimeDelta::days(90),
            outbox: TimeDelta::days(30),
        },
        client_timeout: TimeDelta::minutes(30),
        give_up_after: TimeDelta::hours(6),
    }
}

pub struct Daemon<'w> {
    world: &'w World,
    runtime: Option<Runtime>,
    engine: Option<Engine>,
    /// The daemon's own: its writer lives and dies with it.
    pub store: Store,
}

static STARTED: AtomicU32 = AtomicU32::new(0);

impl<'w> Daemon<'w> {
    pub async fn start(world: &'w World, policy: EnginePolicy, registry: impl Registry + 'static) -> Self {
        Self::start_with(world, policy, registry, Wire::open().notify()).await
    }

    pub async fn start_with(
        world: &'w World,
        policy: EnginePolicy,
        registry: impl Registry + 'static,
        notify: Notify,
    ) -> Self {
        Self::start_after(world, policy, registry, notify, false).await
    }

    /// After a process that was ended by a file that is known, if so.
    pub async fn start_after(
        world: &'w World,
        policy: EnginePolicy,
        registry: impl Registry + 'static,
        notify: Notify,
        is_explained: bool,
    ) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let owner = format!("daemon-{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let options = options(world.dir.path(), world.zone);
        let clock = world.clock.clone();
        let blobs = world.dir.path().join("blobs");
        std::fs::create_dir_all(&blobs).unwrap();
        let started = runtime.spawn(async move {
            let store = Store::open(options).await.unwrap();
            let mark = MarkKeeper::new(store.clone(), &blobs, "a test".to_owned());
            let parts =
                Parts { store: store.clone(), clock, policy, registry: Arc::new(registry), notify, mark, owner };
            (Engine::start_after(parts, is_explained).await.unwrap(), store)
        });
        let (engine, store) = started.await.unwrap();
        world.attach(Some(store.clone()));
        Self { world, runtime: Some(runtime), engine: Some(engine), store }
    }

    /// Attempts that run just now.
    pub fn running(&self) -> usize {
        self.engine.as_ref().map_or(0, Engine::running)
    }

    /// Another process (the command line, here the test) changed the database.
    pub fn look(&self) {
        self.store.signals().all();
    }

    /// SIGTERM: returns when the engine has ended.
    pub async fn shut_down(mut self) {
        let engine = self.engine.take().unwrap();
        let runtime = self.runtime.take().unwrap();
        runtime.spawn(engine.shut_down()).await.unwrap();
        close(runtime).await;
    }

    /// kill -9: whatever it does, it does not come to its end.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        close(runtime).await;
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.world.attach(None);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn close(runtime: Runtime) {
    tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(30))).await.unwrap();
}
