//! `prepress serve`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::{Exit, Failure};
use super::logging;
use super::place::PlaceArgs;
use super::reload::Reload;
use super::screen::{Paint, Screen};
use crate::clock::SystemClock;
use crate::config::{Config, Overrides};
use crate::daemon::{self, Daemon};
use crate::service::FirstAdmin;

/// What was acknowledged in between is in a file that nobody reads any more.
const LOOK_AT_DATABASE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one (default: 127.0.0.1:8080)
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub async fn run(args: ServeArgs, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let overrides = Overrides { data: place.data.clone(), listen: args.listen };
    let (config, document) = Config::load_with_document(place.config.as_deref(), overrides.clone())?;
    let config = Arc::new(config);
    let level = logging::start(&config.log)?;
    // From here on a signal ends the daemon in good order, even while it starts; or has the configuration read again.
    let (mut signals, mut hang_ups) = (Signals::listen()?, listen_to(SignalKind::hangup())?);
    let daemon = Daemon::start(config.clone(), SystemClock::shared()).await?;
    if let Err(failure) = announce_place(&daemon, config.data(), place.config.as_deref()) {
        shut_down(daemon, &mut signals).await;
        return Err(failure);
    }
    // A daemon does not end because nobody can read its greeting.
    match greet(&daemon, &config, screen) {
        Ok(()) | Err(Failure::NobodyReads) => {}
        Err(failure) => {
            tracing::warn!(reason = failure.what(), "the greeting was not written; the daemon runs without it")
        }
    }
    tell_systemd(&[NotifyState::Ready, NotifyState::Status(&format!("Listening on {}", daemon.address()))]);
    let watchdog = tokio::spawn(feed_watchdog(daemon.services().store().clone()));
    let file = place.config.clone();
    let mut again = Reload { file, overrides, document, config: (*config).clone(), level };
    let mut lost = pin!(lost(daemon::database(config.data())));
    let name = loop {
        tokio::select! {
            name = signals.next() => break name,
            path = &mut lost => {
                tracing::error!(
                    database = %path.display(),
                    "the database was moved away, removed or replaced while this daemon worked on it: it ends at once and writes \
                     nothing more; put the file back, or restore a backup as a whole, and start again"
                );
                // An end in good order would write to whatever lies there now.
                std::process::exit(i32::from(Exit::Unfit.code()));
            }
            _ = hang_ups.recv() => again.run(&daemon).await,
        }
    };
    tracing::info!(signal = name, running = daemon.running(), "shutting down; a second signal ends it at once");
    tell_systemd(&[NotifyState::Stopping]);
    shut_down(daemon, &mut signals).await;
    watchdog.abort();
    tracing::info!("ended in good order");
    Ok(Exit::Done)
}

/// Ends a daemon in good order, unless a further signal says that it is to end at once.
pub async fn shut_down(daemon: Daemon, signals: &mut Signals) {
    tokio::select! {
        () = daemon.shut_down() => {}
        name = signals.next() => {
            tracing::warn!(signal = name, "ended at once; what ran continues at the next start");
            std::process::exit(1);
        }
    }
}

/// Ends when another file, or none, lies where the database was.
async fn lost(path: PathBuf) -> PathBuf {
    // On another thread: a disk that hangs is not to hold up what waits for signals.
    let identity = async || {
        let path = path.clone();
        let found = tokio::task::spawn_blocking(move || fs::metadata(path)).await.map_err(io::Error::other)??;
        Ok::<_, io::Error>((found.dev(), found.ino()))
    };
    let Ok(own) = identity().await else { std::future::pending().await };
    loop {
        tokio::time::sleep(LOOK_AT_DATABASE).await;
        let is_lost = match identity().await {
            Ok(found) => found != own,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_lost {
            return path;
        }
    }
}

/// SIGTERM and SIGINT.
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    pub fn listen() -> Result<Self, Failure> {
        Ok(Self { term: listen_to(SignalKind::terminate())?, int: listen_to(SignalKind::interrupt())? })
    }

    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

fn listen_to(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error: io::Error| Failure::new(format!("cannot listen to signals: {error}")))
}

fn greet(daemon: &Daemon, config: &Config, screen: &Screen) -> Result<(), Failure> {
    let data = config.data();
    let scheme = if config.server.tls_certificate.is_some() { "https" } else { "http" };
    let mails = match &config.mail.smtp_host {
        Some(host) => format!("to the mail server {host}:{}", config.mail.smtp_port()),
        None => format!("as .eml files into {} (no mail.smtp_host is set)", config.eml_dir().display()),
    };
    let version = env!("CARGO_PKG_VERSION");
    let greeting = format!("Prepress {version} listens on {scheme}://{}", daemon.address());
    screen.line(screen.paint(Paint::Bold, greeting))?;
    screen.facts([
        ("SOAP", format!("{scheme}://{}{}", daemon.address(), crate::transport::soap::SOAP_PATH)),
        ("data", data.display().to_string()),
        ("uploads from", config.ingest_root().display().to_string()),
        ("publishes to", config.publish_root().display().to_string()),
        ("mails go", mails),
        ("zone", format!("{} ({})", config.zone(), config.local_zone().origin)),
    ])?;
    if let Some(FirstAdmin { email, password }) = daemon.first_admin() {
        screen.line("\nThe data folder is new. A login was made for its administrator:")?;
        screen.facts([
            ("user", screen.paint(Paint::Bold, email)),
            ("password", screen.paint(Paint::Bold, password)),
            ("kept in", daemon::admin_login(data).display().to_string()),
            ("next", format!("prepress company add NAME --data {}", data.display())),
        ])?;
    }
    Ok(())
}

/// For programs that want to know where the daemon listens, and commands that want to know how it is run.
pub fn announce_place(daemon: &Daemon, data: &Path, file: Option<&Path>) -> Result<(), Failure> {
    let listen = daemon::write_whole(&data.join("listen"), format!("{}\n", daemon.address()), 0o644);
    listen.and_then(|()| daemon::note_config_file(data, file)).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space, nothing was lost",
            _ => "check the rights of the data folder",
        };
        Failure::new(format!("cannot write to {}: {error}", data.display())).hint(hint)
    })
}

pub(super) fn tell_systemd(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Says twice in each period that the daemon lives, as long as its database answers.
async fn feed_watchdog(store: crate::store::Store) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut tick = tokio::time::interval((period / 2).max(Duration::from_millis(100)));
    loop {
        tick.tick().await;
        match store.ping().await {
            Ok(()) => tell_systemd(&[NotifyState::Watchdog]),
            Err(error) => tracing::error!(%error, "the database does not answer"),
        }
    }
}
