//! What the configuration makes of each part.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StartError;
use crate::assets::blobs::{BlobError, Blobs};
use crate::assets::marks::Marks;
use crate::assets::room::{Use, Written};
use crate::config::{Config, MailTls};
use crate::engine::{Backoff, EnginePolicy, HttpCompletion, JobLetters, Notify, Retention};
use crate::executors::{Registry, Settings, Standard};
use crate::mail::{EmlFolder, Login, MailTransport, Security, Sender, SmtpSettings, SmtpTransport};
use crate::media::child::Launcher;
use crate::model::firing;
use crate::outward::{self, Guard};
use crate::service;
use crate::service::doctor::{MarkFolder, Places};
use crate::service::jobs::Disks;
use crate::service::mark::Beside;
use crate::store::{Store, StoreError};

/// Most instants of one schedule decided about in one transaction.
const INSTANTS_AT_ONCE: usize = 10_000;

/// Longest that a login waits when others have failed before it. IPS clients wait a minute for an answer.
const MOST_LOGIN_WAIT: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// How often progress is written at most.
const PROGRESS_EVERY: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

pub fn engine_policy(config: &Config) -> EnginePolicy {
    let (dispatch, scheduler) = (&config.dispatch, &config.scheduler);
    EnginePolicy {
        firing: firing::Policy {
            misfire: scheduler.misfire,
            threshold: scheduler.misfire_threshold.delta(),
            max_catch_up: scheduler.max_catch_up as usize,
            overlap: scheduler.overlap,
        },
        instants_at_once: INSTANTS_AT_ONCE,
        slots: dispatch.slots().get() as usize,
        slots_by_kind: dispatch.slots_by_kind.iter().map(|(kind, slots)| (kind, slots.get() as usize)).collect(),
        max_attempts: i64::from(dispatch.max_attempts),
        retry: Backoff { base: dispatch.retry_base.delta(), max: dispatch.retry_max.delta() },
        lease: dispatch.lease.delta(),
        heartbeat: dispatch.heartbeat.delta(),
        stop_grace: dispatch.stop_grace.delta(),
        shutdown_grace: dispatch.shutdown_grace.delta(),
        job_timeout: dispatch.job_timeout.map(|limit| limit.delta()),
        progress_every: PROGRESS_EVERY,
        delivery_retry: Backoff { base: config.mail.retry_base.delta(), max: config.mail.retry_max.delta() },
        retention: Retention {
            logs: config.retention.logs.delta(),
            instances: config.retention.instances.delta(),
            outbox: config.retention.outbox.delta(),
        },
        client_timeout: config.upload.client_timeout.delta(),
        give_up_after: config.mail.give_up_after.delta(),
    }
}

/// What bounds the running jobs, for saying why one waits.
pub fn limits(config: &Config, daemon_runs: bool) -> service::jobs::Limits {
    let policy = engine_policy(config);
    service::jobs::Limits {
        slots: policy.slots,
        slots_by_kind: policy.slots_by_kind,
        max_attempts: policy.max_attempts,
        daemon_runs,
        disks: Arc::new(Disks::of(written(config))),
    }
}

/// Where a daemon writes.
pub fn written(config: &Config) -> Vec<Written> {
    let at = |what: Use, folder: PathBuf| Written { what, folder };
    // The database itself may lie elsewhere, behind a link.
    let database = std::fs::canonicalize(super::database(config.data())).ok();
    let database = database.and_then(|path| path.parent().map(Path::to_owned));
    let mut written = vec![
        at(Use::Database, database.unwrap_or_else(|| config.data().to_owned())),
        at(Use::Files, blob_root(config)),
        at(Use::Publish, config.publish_root()),
        at(Use::Exports, config.export_root()),
        at(Use::Scratch, Settings::new(config).scratch),
    ];
    if config.mail.smtp_host.is_none() {
        written.push(at(Use::Mails, config.eml_dir()));
    }
    written
}

pub fn service_settings(config: &Config) -> service::Settings {
    service::Settings {
        server_name: config.server_name().to_owned(),
        export_max_assets: config.export.max_assets as usize,
        upload_post_max_bytes: config.upload.max_file_bytes.get(),
        login: service::LoginSettings {
            remember: config.accounts.login_cache_ttl.delta(),
            remembered: config.accounts.login_cache_size as usize,
            // A request that waits is to be answered before it is given up.
            longest_wait: MOST_LOGIN_WAIT.min(config.server.request_timeout.delta() / 2),
            ..service::LoginSettings::default()
        },
        image_server_url: config.publish.image_server_url.as_ref().map(|url| url.as_str().to_owned()),
        video_root_url: config.publish.video_root_url.as_ref().map(|url| url.as_str().to_owned()),
        system_message: config.server.system_message.clone(),
        most_grouped: config.sets.max_assets as usize,
        overlap: config.scheduler.overlap,
        passwords: service::password::Rules {
            shortest: config.accounts.password_min_length as usize,
            memory_kib: u32::try_from(config.accounts.argon2_memory.get() >> 10).unwrap_or(u32::MAX),
            iterations: config.accounts.argon2_iterations,
        },
    }
}

/// rustls asks for its cryptography once a process; whoever comes first sets it.
pub fn install_crypto() {
    // An error only says that it is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// SMTP, or `.eml` files where no server is configured.
pub fn mail_transport(config: &Config, sender: Sender) -> Result<Arc<dyn MailTransport>, StartError> {
    match config.mail.smtp_host {
        None => Ok(Arc::new(EmlFolder::new(config.eml_dir(), sender))),
        Some(_) => Ok(Arc::new(smtp(config, sender)?)),
    }
}

/// The SMTP server of the configuration.
pub fn smtp(config: &Config, sender: Sender) -> Result<SmtpTransport, StartError> {
    let mail = &config.mail;
    let failed = |error: &dyn std::fmt::Display| StartError::Mail(error.to_string());
    let password = mail.password().map_err(|e| failed(&e))?;
    let login = match (&mail.user, password) {
        (Some(user), Some(password)) => Some(Login { user: user.clone(), password: password.expose().to_owned() }),
        _ => None,
    };
    let settings = SmtpSettings {
        host: mail.smtp_host.clone().unwrap_or_default(),
        port: mail.smtp_port(),
        security: match mail.tls {
            MailTls::None => Security::None,
            MailTls::Starttls => Security::StartTls,
            MailTls::Tls => Security::Tls,
        },
        login,
        timeout: mail.timeout.duration(),
        extra_ca: None,
        hello_name: None,
    };
    SmtpTransport::new(settings, sender).map_err(|e| failed(&e))
}

/// Who the mails come from. The installation's mark keeps their identities apart from those of every other data folder.
pub fn mail_sender(config: &Config, installation: &str) -> Result<Sender, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Mail(error.to_string());
    let from: lettre::message::Mailbox = config.mail.from.parse().map_err(|e| failed(&e))?;
    let name = from.name.clone().unwrap_or_default();
    Sender::new(&name, from.email.as_ref(), None, installation).map_err(|e| failed(&e))
}

pub async fn notify(config: &Config, store: &Store) -> Result<Notify, StartError> {
    let sender = mail_sender(config, &installation(store).await?)?;
    let guard = Guard {
        reachable: if config.fetch.allow_private { |_| true } else { outward::addresses::is_public },
        ports: config.fetch.allowed_ports.clone(),
    };
    let timeout = config.publish.completion_timeout.duration();
    let urls =
        HttpCompletion::new(guard, timeout, config.fetch.max_redirects).map_err(|e| StartError::Http(e.to_string()))?;
    Ok(Notify {
        letters: Arc::new(JobLetters {
            store: store.clone(),
            transport: mail_transport(config, sender)?,
            max_attempts: i64::from(config.dispatch.max_attempts),
            console_url: config.mail.console_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            public_url: config.server.public_url.as_ref().map(|url| url.as_str().to_owned()),
            publish_root: config.publish_root(),
        }),
        urls: Arc::new(urls),
    })
}

/// The random name of this data folder's database, which never changes.
pub async fn installation(store: &Store) -> Result<String, StartError> {
    let mut random = [0_u8; 12];
    getrandom::fill(&mut random).map_err(|e| StartError::Mail(e.to_string()))?;
    let fresh: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(store.identity_or(fresh).await.map_err(|e: StoreError| e)?)
}

/// The blobs of the data folder, without what an earlier process left half written.
pub fn blobs(config: &Config) -> Result<Blobs, StartError> {
    let failed = |error: BlobError| StartError::Blobs(error.to_string());
    let blobs = Blobs::open(&blob_root(config)).map_err(failed)?;
    let swept = blobs.sweep().map_err(failed)?;
    if swept > 0 {
        tracing::info!(files = swept, "unfinished files of an earlier process were removed");
    }
    match blobs.make_read_only() {
        Ok(0) => {}
        Ok(files) => tracing::info!(files, "stored files may only be read from now on"),
        // They are safe from those who have no right to write to them; it is tried again at the next start.
        Err(error) => tracing::warn!(%error, "not all stored files could be made read-only"),
    }
    Ok(blobs)
}

/// Where the files of the data folder are. Nothing is made.
pub fn places(config: &Config, daemon_runs: bool) -> Places {
    Places {
        blobs: Blobs::at(&blob_root(config)),
        export_root: config.export_root(),
        publish_root: config.publish_root(),
        marks: mark_folder(config, daemon_runs),
    }
}

/// Where the marks of files in work lie.
pub fn mark_folder(config: &Config, daemon_runs: bool) -> MarkFolder {
    MarkFolder { path: super::marks(config.data()), daemon_runs }
}

/// The folder of the blob store.
pub fn blob_root(config: &Config) -> PathBuf {
    config.data().join("blobs")
}

/// What lies beside the database and may be newer.
pub fn beside(config: &Config) -> Beside {
    Beside { blobs: blob_root(config), publish: config.publish_root(), exports: config.export_root() }
}

/// The executors of this version, over the blobs of the data folder.
pub fn registry(
    config: &Config,
    blobs: Blobs,
    marks: Marks,
    address: SocketAddr,
    binary: &Path,
) -> Result<Arc<dyn Registry>, StartError> {
    install_crypto();
    let scheme = if config.server.tls_certificate.is_some() { "https" } else { "http" };
    let settings = Settings::new(config).read_files().map_err(|e| StartError::Executors(e.to_string()))?;
    let settings = Settings { own_url: format!("{scheme}://{address}"), binary: binary.to_owned(), ..settings };
    Launcher::new(&settings.binary, &settings.scratch).sweep().map_err(|e| StartError::Executors(e.to_string()))?;
    Ok(Arc::new(Standard::new(settings, blobs).with_marks(marks)))
}

pub fn upload_limits(config: &Config) -> service::uploads::Limits {
    service::uploads::Limits {
        max_file_bytes: config.upload.max_file_bytes.get(),
        max_post_bytes: config.upload.max_post_bytes(),
        max_files: config.upload.max_files as usize,
        client_timeout: config.upload.client_timeout.delta(),
    }
}
