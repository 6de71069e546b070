//! Delivery to a mail server over SMTP.
//!
//! One connection, kept open between mails and used by one at a time. It is taken out of its place for the length of a
//! conversation and put back only after a good end: a conversation that failed, took too long or was abandoned drops
//! its connection, so no later mail can read an answer that was meant for an earlier one. (lettre's pool keeps such
//! connections, and waits for answers without a limit.)

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{MailTransport, OutgoingMail, Receipt, SendError, Sender, SenderError};

/// A connection that was idle for longer is not trusted any more; servers close theirs after minutes.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<Login>,
    /// For a whole conversation, from connecting to the last answer.
    pub timeout: Duration,
    /// A PEM file of authorities to trust beside the public ones.
    pub extra_ca: Option<PathBuf>,
    /// The name to greet with; the machine's by default.
    pub hello_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// In the clear, login included: for a server on this machine.
    None,
    /// Begins in the clear and insists on TLS before anything is told (port 587).
    StartTls,
    /// TLS from the first byte (port 465).
    Tls,
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SmtpSetupError {
    #[error("cannot read the certificates of {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} holds no usable certificates: {reason}; it must be a PEM file", path.display())]
    NoCertificate { path: PathBuf, reason: String },
    #[error("{host:?} cannot be used as the name of a mail server: {reason}")]
    Host { host: String, reason: String },
    #[error(transparent)]
    Sender(#[from] SenderError),
}

pub struct SmtpTransport {
    settings: SmtpSettings,
    tls: TlsParameters,
    hello: ClientId,
    sender: Sender,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl SmtpTransport {
    pub fn new(settings: SmtpSettings, sender: Sender) -> Result<Self, SmtpSetupError> {
        let hello = settings.hello_name.clone().map(ClientId::Domain).unwrap_or_default();
        Ok(Self { tls: tls_parameters(&settings)?, hello, settings, sender, kept: Mutex::new(None) })
    }

    /// Connects, greets, logs in and leaves: says whether a mail could be sent.
    pub async fn check(&self) -> Result<(), SendError> {
        self.in_time(async {
            let mut connection = self.connect().await?;
            connection.abort().await;
            Ok(())
        })
        .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SendError>>) -> Result<T, SendError> {
        let waited = self.settings.timeout;
        match tokio::time::timeout(waited, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SendError::Timeout { server: self.server(), waited }),
        }
    }

    async fn deliver(&self, mail: &OutgoingMail, kept: &mut Option<Kept>) -> Result<Receipt, SendError> {
        let message = self.sender.address(mail)?;
        let mut connection = self.connection(kept.take()).await?;
        let response = connection
            .send(message.envelope(), &message.formatted())
            .await
            .map_err(|error| self.refusal(&error, &mail.to))?;
        *kept = Some(Kept { connection, since: Instant::now() });
        Ok(Receipt::Accepted { server: self.server(), reply: reply_text(&response) })
    }

    async fn connection(&self, kept: Option<Kept>) -> Result<AsyncSmtpConnection, SendError> {
        if let Some(mut kept) = kept.filter(|kept| kept.since.elapsed() < LONGEST_IDLE)
            && kept.connection.test_connected().await
        {
            return Ok(kept.connection);
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let mut connection = match self.settings.security {
            Security::Tls => self.greet_in_tls().await?,
            Security::None => self.greet_in_the_clear().await?,
            Security::StartTls => {
                let mut connection = self.greet_in_the_clear().await?;
                let upgraded = connection.starttls(self.tls.clone(), &self.hello).await;
                upgraded.map_err(|error| self.no_connection(&error))?;
                connection
            }
        };
        if let Some(Login { user, password }) = &self.settings.login {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection
                .auth(DEFAULT_MECHANISMS, &credentials)
                .await
                .map_err(|error| SendError::Login { server: self.server(), reply: error.to_string() })?;
        }
        Ok(connection)
    }

    /// The socket is ours to open, because lettre's waits 40 ms for an acknowledgement at the end of every mail.
    async fn greet_in_the_clear(&self) -> Result<AsyncSmtpConnection, SendError> {
        let address = (self.settings.host.as_str(), self.settings.port);
        let stream = TcpStream::connect(address).await.map_err(|error| self.no_connection(&error))?;
        stream.set_nodelay(true).map_err(|error| self.no_connection(&error))?;
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await;
        greeted.map_err(|error| self.no_connection(&error))
    }

    async fn greet_in_tls(&self) -> Result<AsyncSmtpConnection, SendError> {
        let address = (self.settings.host.as_str(), self.settings.port);
        let limit = Some(self.settings.timeout);
        let greeted =
            AsyncSmtpConnection::connect_tokio1(address, limit, &self.hello, Some(self.tls.clone()), None).await;
        greeted.map_err(|error| self.no_connection(&error))
    }

    fn server(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }

    fn no_connection(&self, error: &dyn std::error::Error) -> SendError {
        SendError::Connection { server: self.server(), reason: error.to_string() }
    }

    /// What the server's answer to a mail means.
    fn refusal(&self, error: &lettre::transport::smtp::Error, to: &str) -> SendError {
        let (server, to, reply) = (self.server(), to.to_owned(), error.to_string());
        match error.status().map(u16::from) {
            // The server wants a login, or a better one: that is not the mail's fault.
            Some(530 | 534 | 535 | 538) => SendError::Login { server, reply },
            _ if error.is_permanent() => SendError::Refused { server, to, reply },
            _ if error.is_transient() => SendError::Deferred { server, to, reply },
            // The server cannot take an address that is not ASCII.
            _ if error.is_client() => SendError::Refused { server, to, reply },
            _ => SendError::Connection { server, reason: reply },
        }
    }
}

#[async_trait]
impl MailTransport for SmtpTransport {
    async fn send(&self, mail: &OutgoingMail) -> Result<Receipt, SendError> {
        let mut kept = self.kept.lock().await;
        self.in_time(self.deliver(mail, &mut kept)).await
    }
}

fn reply_text(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}

fn tls_parameters(settings: &SmtpSettings) -> Result<TlsParameters, SmtpSetupError> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.extra_ca {
        builder = builder.add_root_certificate(certificate(path)?);
    }
    builder
        .build_rustls()
        .map_err(|error| SmtpSetupError::Host { host: settings.host.clone(), reason: error.to_string() })
}

fn certificate(path: &Path) -> Result<Certificate, SmtpSetupError> {
    let pem = std::fs::read(path).map_err(|source| SmtpSetupError::Unreadable { path: path.to_owned(), source })?;
    Certificate::from_pem(&pem)
        .map_err(|error| SmtpSetupError::NoCertificate { path: path.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
