//! The certificate that is served, and its key: read, held against each other, watched, and exchanged while the server
//! runs.
//!
//! The two files are looked at once a minute, and when the daemon is told to read its configuration again. What does not
//! fit together is told and not used, and the pair from before stays; so it does not matter in which order somebody
//! writes the two. Connections that are open keep the certificate that they began with.

mod validity;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use chrono::{DateTime, TimeDelta, Utc};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::{Mutex, watch};

use crate::clock::{self, SharedClock};
use crate::config::Server;

pub use validity::Validity;

/// How often the files are looked at.
const EVERY: TimeDelta = TimeDelta::minutes(1);

/// Warnings go out so long before the end, each once. Of a certificate that lives only for weeks, those that would come
/// before its last third do not count: it has not been forgotten by then.
const WARNINGS: [TimeDelta; 3] = [TimeDelta::days(30), TimeDelta::days(7), TimeDelta::days(1)];

/// Why a certificate and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{} cannot be read: {source}; check server.tls_certificate and server.tls_key", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate in PEM form; server.tls_certificate must name the chain, the server's own first", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds no private key in PEM form that can be read without a password; see server.tls_key", path.display())]
    NoKey { path: PathBuf },
    #[error("the key in {} is not that of the certificate in {}; put the two there that were made together", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("{} and {} cannot be used: {reason}", certificate.display(), key.display())]
    Unusable { certificate: PathBuf, key: PathBuf, reason: rustls::Error },
}

/// Where the two lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What the two files hold just now.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate and a key that go together.
pub struct Pair {
    files: Files,
    contents: Contents,
    server: Arc<ServerConfig>,
    pub validity: Validity,
}

impl Files {
    /// The two of the configuration, which names both or neither.
    pub fn of(server: &Server) -> Option<Self> {
        let (certificate, key) = (server.tls_certificate.clone()?, server.tls_key.clone()?);
        Some(Self { certificate, key })
    }

    fn read(&self) -> Result<Contents, CertificateError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
        };
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    /// Reads both, and sees whether they can be served.
    pub fn load(&self) -> Result<Pair, CertificateError> {
        self.pair(self.read()?)
    }

    fn pair(&self, contents: Contents) -> Result<Pair, CertificateError> {
        let (certificate, key) = (|| self.certificate.clone(), || self.key.clone());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| CertificateError::NoCertificate { path: certificate() })?;
        let validity = chain.first().and_then(|first| Validity::of(first));
        let validity = validity.ok_or_else(|| CertificateError::NoCertificate { path: certificate() })?;
        let secret = PrivateKeyDer::from_pem_slice(&contents.key);
        let secret = secret.map_err(|_| CertificateError::NoKey { path: key() })?;
        let server = server(chain, secret).map_err(|reason| match reason {
            rustls::Error::InconsistentKeys(_) => CertificateError::Mismatch { certificate: certificate(), key: key() },
            reason => CertificateError::Unusable { certificate: certificate(), key: key(), reason },
        })?;
        Ok(Pair { files: self.clone(), contents, server, validity })
    }
}

fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut server = builder.with_no_client_auth().with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

/// How near its end a certificate is: what has been warned of is not warned of again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    Far,
    /// So many of [`WARNINGS`] are due.
    Near(usize),
    Over,
}

impl Nearness {
    pub fn of(validity: &Validity, now: DateTime<Utc>) -> Self {
        let left = validity.until - now;
        if left <= TimeDelta::zero() {
            return Self::Over;
        }
        let third = (validity.until - validity.from) / 3;
        match WARNINGS.iter().filter(|before| **before <= third && left <= **before).count() {
            0 => Self::Far,
            due => Self::Near(due),
        }
    }
}

/// What is served now, and what was found in the files last.
struct Watched {
    files: Files,
    /// None when they could not be read, which is told once.
    seen: Option<Contents>,
    validity: Validity,
    warned: Nearness,
}

/// The certificate of a running server.
pub struct Certificates {
    served: RustlsConfig,
    clock: SharedClock,
    watched: Mutex<Watched>,
    expires: watch::Sender<DateTime<Utc>>,
}

impl Certificates {
    /// Serves this pair to begin with.
    pub fn new(pair: Pair, clock: SharedClock) -> Arc<Self> {
        let Pair { files, contents, server, validity } = pair;
        let watched = Watched { files, seen: Some(contents), validity, warned: Nearness::Far };
        Arc::new(Self {
            served: RustlsConfig::from_config(server),
            clock,
            watched: Mutex::new(watched),
            expires: watch::Sender::new(validity.until),
        })
    }

    /// What a listener is given; exchanges reach it.
    pub fn served(&self) -> RustlsConfig {
        self.served.clone()
    }

    /// When the certificate that is served ends.
    pub fn expires(&self) -> watch::Receiver<DateTime<Utc>> {
        self.expires.subscribe()
    }

    /// From now on this pair is served.
    pub async fn exchange(&self, pair: Pair) {
        self.take(&mut *self.watched.lock().await, pair);
    }

    /// Looks at the files, and at the time, for ever.
    pub async fn watch(self: Arc<Self>) {
        loop {
            self.look().await;
            clock::sleep(&*self.clock, EVERY).await;
        }
    }

    async fn look(&self) {
        let mut watched = self.watched.lock().await;
        let files = watched.files.clone();
        // Reading blocks for as long as the disk wants.
        let read = tokio::task::spawn_blocking(move || files.read()).await;
        match read {
            Ok(Ok(contents)) if watched.seen.as_ref() == Some(&contents) => {}
            Ok(Ok(contents)) => self.take_contents(&mut watched, contents),
            Ok(Err(error)) if watched.seen.is_some() => {
                watched.seen = None;
                tracing::error!(%error, "the certificate cannot be read any more; the one from before stays in use");
            }
            Ok(Err(_)) => {}
            Err(error) => tracing::error!(%error, "the certificate was not looked at"),
        }
        self.warn(&mut watched);
    }

    fn take_contents(&self, watched: &mut Watched, contents: Contents) {
        match watched.files.pair(contents.clone()) {
            Ok(pair) => self.take(watched, pair),
            Err(error) => {
                // It is told once, and tried again when the files change.
                watched.seen = Some(contents);
                tracing::error!(%error, "the certificate was changed and is not used; the one from before stays");
            }
        }
    }

    fn take(&self, watched: &mut Watched, pair: Pair) {
        let Pair { files, contents, server, validity } = pair;
        self.served.reload_from_config(server);
        self.expires.send_replace(validity.until);
        tracing::info!(certificate = %files.certificate.display(), expires = %validity.until, "a certificate is in use");
        *watched = Watched { files, seen: Some(contents), validity, warned: Nearness::Far };
        self.warn(watched);
    }

    fn warn(&self, watched: &mut Watched) {
        let now = self.clock.now();
        let nearness = Nearness::of(&watched.validity, now);
        if nearness <= watched.warned {
            return;
        }
        watched.warned = nearness;
        let (certificate, expires) = (watched.files.certificate.display(), watched.validity.until);
        match nearness {
            Nearness::Far => {}
            Nearness::Near(_) => {
                let days = (expires - now).num_days();
                tracing::warn!(%certificate, %expires, days, "the certificate of this server expires soon: renew it");
            }
            Nearness::Over => {
                tracing::error!(%certificate, %expires, "the certificate of this server has expired: clients refuse it");
            }
        }
    }
}

#[cfg(test)]
mod tests;
