//! What commands begin with: configuration, log, database.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{Common, Failure};
use crate::clock::SystemClock;
use crate::config::{Config, LogFormat, LogTarget, Overrides};
use crate::daemon;
use crate::service::Services;
use crate::store::{Options, Store};

pub fn config(common: &Common, listen: Option<SocketAddr>) -> Result<Arc<Config>, Failure> {
    let overrides = Overrides { data: common.data.clone(), listen };
    Ok(Arc::new(Config::load(common.config.as_deref(), overrides)?))
}

/// Log lines go to standard error or to the journal, as configured.
pub fn log(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log.level)
        .map_err(|e| Failure::new(format!("log.level \"{}\" cannot be read: {e}", config.log.level)))?;
    let registry = tracing_subscriber::registry().with(filter);
    let stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match (config.log.target, config.log.format) {
        (LogTarget::Journald, _) => {
            let journal = tracing_journald::layer().map_err(|e| {
                Failure::new(format!("cannot reach the journal: {e}")).hint("set log.target = \"stderr\"")
            })?;
            registry.with(journal).init();
        }
        (LogTarget::Stderr, LogFormat::Json) => registry.with(stderr.json()).init(),
        (LogTarget::Stderr, LogFormat::Text) => registry.with(stderr.with_target(false)).init(),
    }
    Ok(())
}

/// The services over a data folder that exists, beside its daemon if one runs.
pub async fn services(common: &Common) -> Result<(Arc<Config>, Services), Failure> {
    let config = config(common, None)?;
    let path = daemon::database(config.data());
    if !path.exists() {
        return Err(Failure::new(format!("there is no database in {}", config.data().display()))
            .hint("name the data folder with --data or --config, or make one with: prepress serve --data DIR"));
    }
    let store = Store::open(Options::new(path, config.zone())).await?;
    let services = Services::new(store, SystemClock::shared(), daemon::parts::service_settings(&config))?;
    Ok((config, services))
}
