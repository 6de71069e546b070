//! What the services share.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::watch;

use super::login::Logins;
use super::password;
use crate::clock::SharedClock;
use crate::model::trigger::Overlap;
use crate::store::Store;

/// What the configuration says about this server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What clients are told this server is called.
    pub server_name: String,
    /// Where the published pictures are served, without a slash at the end.
    pub image_server_url: Option<String>,
    /// Where the published videos are served.
    pub video_root_url: Option<String>,
    /// Largest file that UploadFile takes.
    pub upload_post_max_bytes: u64,
    /// Most assets in one export.
    pub export_max_assets: usize,
    /// What the administrator wants every user to read.
    pub system_message: String,
    /// Most assets in one automatedSetGenerationJob.
    pub most_grouped: usize,
    /// Whether runs of one job may meet.
    pub overlap: Overlap,
    pub login: LoginSettings,
    pub passwords: password::Rules,
}

#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// How long a verified login is remembered.
    pub remember: TimeDelta,
    /// Most logins remembered.
    pub remembered: usize,
    /// Most passwords verified at the same time; each takes a core and 19 MiB for a while.
    pub verifications: usize,
    /// Longest that a login waits when others have failed before it; one that would have to wait longer is refused at once.
    pub longest_wait: TimeDelta,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_name: "localhost".to_owned(),
            image_server_url: None,
            video_root_url: None,
            upload_post_max_bytes: 2 << 30,
            export_max_assets: 500,
            system_message: String::new(),
            most_grouped: 1000,
            overlap: Overlap::default(),
            login: LoginSettings::default(),
            passwords: password::Rules::default(),
        }
    }
}

impl Default for LoginSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            remember: TimeDelta::minutes(10),
            remembered: 10_000,
            verifications: cores,
            longest_wait: TimeDelta::seconds(10),
        }
    }
}

/// Everything a caller may ask for. Clones share it.
#[derive(Debug, Clone)]
pub struct Services {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    settings: Arc<watch::Sender<Arc<Settings>>>,
    pub(super) logins: Arc<Logins>,
}

impl Services {
    pub fn new(store: Store, clock: SharedClock, settings: Settings) -> Result<Self, super::Error> {
        let logins = Arc::new(Logins::new(settings.login.clone())?);
        Ok(Self { store, clock, settings: Arc::new(watch::Sender::new(Arc::new(settings))), logins })
    }

    /// What the configuration says just now.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    /// From now on these hold, but for what logins go by: that stays as it began.
    pub fn follow(&self, settings: Settings) {
        self.settings.send_replace(Arc::new(settings));
    }

    pub const fn store(&self) -> &Store {
        &self.store
    }

    pub const fn clock(&self) -> &SharedClock {
        &self.clock
    }
}
