//! The data folder that a command works on, beside a running daemon or without one.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use clap::Args;
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::failure::{Failure, warn};
use super::times::Times;
use crate::clock::SystemClock;
use crate::config::{Config, Overrides};
use crate::daemon::lock::DataLock;
use crate::daemon::{self, database, fitness, parts, wake};
use crate::service::jobs::Limits;
use crate::service::mark::Age;
use crate::service::{Caller, Services};
use crate::store::{Options, Store, StoreError};

/// Which data folder, and how it is run.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Configuration file (TOML); without one, every setting has its default
    #[arg(long, global = true, value_name = "FILE", env = "PREPRESS_CONFIG")]
    pub config: Option<PathBuf>,
    /// Data folder; comes before the one of the configuration (default: ./data)
    #[arg(long, global = true, value_name = "DIR", env = "PREPRESS_DATA")]
    pub data: Option<PathBuf>,
}

impl PlaceArgs {
    /// The configuration that is named, or else the one that the daemon of the data folder was last started with: its
    /// zone and its folders are those of the data.
    pub fn config(&self) -> Result<Config, Failure> {
        let overrides = |data: Option<&Path>| Overrides { data: data.map(Path::to_owned), listen: None };
        let named = Config::load(self.config.as_deref(), overrides(self.data.as_deref()))?;
        match self.noted(&named) {
            Some(file) => Ok(Config::load(Some(&file), overrides(Some(named.data())))?),
            None => Ok(named),
        }
    }

    /// The file that the daemon of the data folder left word of, unless one is named.
    pub fn noted(&self, config: &Config) -> Option<PathBuf> {
        if self.config.is_some() { None } else { daemon::config_file(config.data()) }
    }

    /// That there is a database, and that it may be read.
    pub fn require_database(&self, config: &Config) -> Result<(), Failure> {
        let path = database(config.data());
        match access(&path, Access::READ_OK) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT | Errno::NOTDIR) => {
                let what = format!("there is no Prepress database in {}", config.data().display());
                Err(Failure::new(what)
                    .hint("name the data folder with --data, or make one by starting the daemon: prepress serve"))
            }
            Err(error) => {
                let what = format!("{} cannot be read: {error}", path.display());
                Err(Failure::new(what).hint("run the command as the daemon's user, or as a member of its group"))
            }
        }
    }

    /// Opens the database of an existing data folder: to read only, if the folder may not be written. It takes no lock:
    /// SQLite keeps writers apart. A database that is older than its files is one of which not everything can be told.
    pub async fn open(&self) -> Result<Place, Failure> {
        let place = self.open_to_repair().await?;
        let age = match place.daemon_runs() {
            // It has looked at the files when it started. A look at a disk that hangs could keep this command for good, where
            // that of the daemon waits for the same file.
            true => place.services.restored().await?.map(Age::from),
            false => place.services.age(&parts::beside(&place.config)).await?,
        };
        if let Some(age) = age {
            let (follows, _) = age.consequence();
            warn(&match age {
                Age::Older | Age::Unknown => format!("the database {age}: what came since is not in it, and {follows}"),
                Age::Unlooked(_) => format!("the database {age}; {follows}"),
            });
        }
        Ok(place)
    }

    /// The same, and says nothing.
    pub async fn open_to_repair(&self) -> Result<Place, Failure> {
        let config = self.existing().await?;
        let place = Place::of(open_store(&config).await?, config)?;
        let config = &place.config;
        // Numbers that the files have seen are not given again, even before the daemon has started.
        if may_write(config) && DataLock::holder(config.data()).is_none_or(|holder| holder == std::process::id()) {
            place.services.meet_mark(&parts::beside(config)).await?;
        }
        Ok(place)
    }

    /// Opens it for who only looks: it stays as it is, also where it is older than its files or of an earlier version.
    pub async fn open_to_look(&self) -> Result<Place, Failure> {
        let config = self.existing().await?;
        Place::of(open_to_read(&config).await?, config)
    }

    /// The zone of the data folder, or without a database the one that a daemon would begin with here.
    pub async fn zone(&self) -> Result<Tz, Failure> {
        let config = self.config()?;
        match access(database(config.data()), Access::EXISTS) {
            Ok(()) => Ok(self.open_to_look().await?.services.zone()),
            Err(_) => Ok(config.zone()),
        }
    }

    /// The configuration of a data folder that may be worked on.
    async fn existing(&self) -> Result<Config, Failure> {
        let config = self.config()?;
        fitness::examine(&config).await.map_err(Failure::Unfit)?;
        self.require_database(&config)?;
        Ok(config)
    }
}

fn options(config: &Config) -> Options {
    Options {
        readers: 2,
        keeps_statistics: false,
        follows_data: true,
        ..Options::new(database(config.data()), config.zone())
    }
}

/// Opens the database: to read only, if it or its folder may not be written.
async fn open_store(config: &Config) -> Result<Store, StoreError> {
    if may_write(config) { Store::open(options(config)).await } else { open_to_read(config).await }
}

/// Opens the database, and changes nothing in it.
pub async fn open_to_read(config: &Config) -> Result<Store, StoreError> {
    Store::open_read_only(options(config)).await
}

fn may_write(config: &Config) -> bool {
    [config.data(), &database(config.data())].iter().all(|path| access(*path, Access::WRITE_OK).is_ok())
}

/// A zone goes by several names (UTC and Etc/UTC): what matters is whether its clocks show the same, for ten years to come.
pub fn agree(one: Tz, other: Tz, now: DateTime<Utc>) -> bool {
    let offset = |zone: Tz, at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    (0..520).map(|week| now + TimeDelta::weeks(week)).all(|at| offset(one, at) == offset(other, at))
}

/// An open data folder.
pub struct Place {
    pub config: Config,
    pub services: Services,
}

impl Place {
    pub fn of(store: Store, config: Config) -> Result<Self, Failure> {
        let services = Services::new(store, SystemClock::shared(), parts::service_settings(&config))?;
        let (zone, here) = (services.zone(), config.local_zone());
        if !agree(zone, here.zone, services.clock().now()) {
            warn(&format!(
                "the zone of the data is {zone}, in which times are read and shown; here it is {} ({}), which the daemon of the \
                 data would take over when it starts with it",
                here.zone, here.origin
            ));
        }
        Ok(Self { config, services })
    }

    pub fn data(&self) -> &Path {
        self.config.data()
    }

    pub fn daemon_runs(&self) -> bool {
        DataLock::holder(self.data()).is_some()
    }

    pub fn limits(&self) -> Limits {
        parts::limits(&self.config, self.daemon_runs())
    }

    pub fn times(&self) -> Times {
        Times { now: self.services.clock().now(), zone: self.services.zone() }
    }

    /// Who the command acts as.
    pub async fn operator(&self) -> Result<Caller, Failure> {
        Ok(self.services.operator().await?)
    }

    /// Makes a running daemon look at what was written.
    pub fn ring(&self) {
        wake::ring(self.data());
    }
}
