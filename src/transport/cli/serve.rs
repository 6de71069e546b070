//! `prepress serve`: the daemon in the foreground, as systemd wants it.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Common, Failure, setup};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::service::FirstAdmin;

/// When a second signal ends the process at once.
const IMPATIENT: i32 = 130;

pub async fn run(common: &Common, listen: Option<SocketAddr>) -> Result<ExitCode, Failure> {
    let config = setup::config(common, listen)?;
    setup::log(&config)?;
    let mut signals = Signals::new()?;
    let daemon = Daemon::start(config.clone(), SystemClock::shared()).await?;
    announce(&config, &daemon)?;
    tell_systemd(&[NotifyState::Ready]);
    let watchdog = tokio::spawn(watchdog());
    signals.next().await;
    tell_systemd(&[NotifyState::Stopping]);
    watchdog.abort();
    eprintln!("Stopping: {} running; a second signal ends it at once.", plural(daemon.running(), "job"));
    tokio::select! {
        () = daemon.shut_down() => {}
        () = signals.next() => std::process::exit(IMPATIENT),
    }
    Ok(ExitCode::SUCCESS)
}

fn plural(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Says where everything is, and writes the address down for programs.
fn announce(config: &Config, daemon: &Daemon) -> Result<(), Failure> {
    let scheme = if config.server.tls_certificate.is_some() { "https" } else { "http" };
    let mut out = std::io::stdout().lock();
    writeln!(out, "Prepress {} listens on {scheme}://{}", env!("CARGO_PKG_VERSION"), daemon.address())?;
    writeln!(out, "  data   {}", config.data().display())?;
    writeln!(out, "  ingest {}", config.ingest_root().display())?;
    writeln!(out, "  trees  {}", config.publish_root().display())?;
    match &config.mail.smtp_host {
        Some(host) => writeln!(out, "  mail   by {host}:{}", config.mail.smtp_port())?,
        None => {
            writeln!(out, "  mail   as .eml files in {} (no SMTP server is configured)", config.eml_dir().display())?
        }
    }
    writeln!(out, "  zone   {}", config.zone())?;
    if let Some(admin) = daemon.first_admin() {
        let file = config.data().join("admin-login");
        write_login(&file, admin)?;
        writeln!(out, "First start: made the administrator {} with the password {}", admin.email, admin.password)?;
        writeln!(out, "  (kept in {}; change it with: prepress user password {})", file.display(), admin.email)?;
    }
    out.flush()?;
    write_address(&config.data().join("listen"), daemon.address())
}

fn write_login(file: &Path, admin: &FirstAdmin) -> Result<(), Failure> {
    let write = || {
        let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
        writeln!(out, "{} {}", admin.email, admin.password)?;
        out.sync_all()
    };
    write().map_err(|e| Failure::new(format!("cannot write {}: {e}", file.display())))
}

/// Whoever reads it sees the old address or the new one, never half of it.
fn write_address(file: &Path, address: SocketAddr) -> Result<(), Failure> {
    let draft = file.with_extension("new");
    std::fs::write(&draft, format!("{address}\n"))
        .and_then(|()| std::fs::rename(&draft, file))
        .map_err(|e| Failure::new(format!("cannot write {}: {e}", file.display())))
}

fn tell_systemd(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// Tells systemd that the process is alive, twice in each of its periods. That this task runs is the proof.
async fn watchdog() {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut beat = tokio::time::interval((period / 2).max(Duration::from_millis(100)));
    loop {
        beat.tick().await;
        tell_systemd(&[NotifyState::Watchdog]);
    }
}

pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|e| Failure::new(format!("cannot listen for signals: {e}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
