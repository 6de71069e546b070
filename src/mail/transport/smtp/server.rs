//! A small SMTP server on a real socket, which does as a test tells it and remembers what it was told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Clone)]
pub struct Delivered {
    pub from: String,
    pub to: String,
    pub data: Vec<u8>,
    pub login: Option<(String, String)>,
    pub tls: bool,
}

#[derive(Default)]
pub struct Orders {
    /// Answers to the next RCPT commands; then 250.
    pub recipients: VecDeque<&'static str>,
    /// Answers to the next whole mails; then 250.
    pub mails: VecDeque<&'static str>,
    /// The only login that is let in.
    pub login: Option<(&'static str, &'static str)>,
    pub offer_starttls: bool,
    pub tls_at_once: bool,
    /// Takes the mail and then says nothing, so many times.
    pub silences: usize,
}

#[derive(Default)]
struct Seen {
    delivered: Vec<Delivered>,
    connections: usize,
    commands: Vec<String>,
}

pub struct Server {
    pub address: SocketAddr,
    pub certificate: String,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    pub async fn start(orders: Orders) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let session = Session { seen: seen.clone(), orders: Arc::new(Mutex::new(orders)) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                session.seen.lock().unwrap().connections += 1;
                tokio::spawn(session.clone().serve(stream, acceptor.clone()));
            }
        });
        Self { address, certificate: cert.pem(), seen }
    }

    pub fn delivered(&self) -> Vec<Delivered> {
        self.seen.lock().unwrap().delivered.clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub fn commands(&self) -> Vec<String> {
        self.seen.lock().unwrap().commands.clone()
    }
}

#[derive(Clone)]
struct Session {
    seen: Arc<Mutex<Seen>>,
    orders: Arc<Mutex<Orders>>,
}

impl Session {
    async fn serve(self, stream: tokio::net::TcpStream, acceptor: TlsAcceptor) {
        if self.orders.lock().unwrap().tls_at_once {
            if let Ok(stream) = acceptor.accept(stream).await {
                self.talk(stream, true, true).await;
            }
            return;
        }
        if let Some(stream) = self.talk(stream, false, true).await
            && let Ok(stream) = acceptor.accept(stream).await
        {
            self.talk(stream, true, false).await;
        }
    }

    /// Gives the stream back when the client asks for TLS on it.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, tls: bool, greet: bool) -> Option<S> {
        let mut stream = BufReader::new(stream);
        let (mut from, mut to, mut login) = (String::new(), String::new(), None);
        if greet {
            say(&mut stream, "220 localhost ready").await?;
        }
        loop {
            let line = hear(&mut stream).await?;
            let command = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.seen.lock().unwrap().commands.push(command.clone());
            let (verb, rest) = command.split_once(' ').unwrap_or((&command, ""));
            match verb {
                "EHLO" => say(&mut stream, &self.extensions(tls)).await?,
                "STARTTLS" => {
                    say(&mut stream, "220 go ahead").await?;
                    return Some(stream.into_inner());
                }
                "AUTH" => {
                    login = plain_login(rest);
                    let wanted = self.orders.lock().unwrap().login;
                    let given = login.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
                    let answer = if given == wanted { "235 welcome" } else { "535 5.7.8 wrong password" };
                    say(&mut stream, answer).await?;
                }
                "MAIL" => {
                    rest.clone_into(&mut from);
                    let open = self.orders.lock().unwrap().login.is_none() || login.is_some();
                    say(&mut stream, if open { "250 ok" } else { "530 5.7.0 log in first" }).await?;
                }
                "RCPT" => {
                    rest.clone_into(&mut to);
                    let answer = self.orders.lock().unwrap().recipients.pop_front();
                    say(&mut stream, answer.unwrap_or("250 ok")).await?;
                }
                "DATA" => {
                    say(&mut stream, "354 go on").await?;
                    let data = content(&mut stream).await?;
                    let (answer, silent) = {
                        let mut orders = self.orders.lock().unwrap();
                        let silent = orders.silences > 0;
                        orders.silences = orders.silences.saturating_sub(1);
                        (orders.mails.pop_front().unwrap_or("250 2.0.0 queued as 4711"), silent)
                    };
                    if silent {
                        // The client has to give up; its hanging up ends the session.
                        hear(&mut stream).await?;
                        return None;
                    }
                    if answer.starts_with('2') {
                        let mail = Delivered { from: from.clone(), to: to.clone(), data, login: login.clone(), tls };
                        self.seen.lock().unwrap().delivered.push(mail);
                    }
                    say(&mut stream, answer).await?;
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await?;
                    return None;
                }
                _ => say(&mut stream, "250 ok").await?,
            }
        }
    }

    fn extensions(&self, tls: bool) -> String {
        let orders = self.orders.lock().unwrap();
        let mut lines = vec!["250-localhost"];
        if orders.offer_starttls && !tls {
            lines.push("250-STARTTLS");
        }
        if orders.login.is_some() {
            lines.push("250-AUTH PLAIN");
        }
        lines.push("250 8BITMIME");
        lines.join("\r\n")
    }
}

fn plain_login(rest: &str) -> Option<(String, String)> {
    let decoded = BASE64_STANDARD.decode(rest.strip_prefix("PLAIN ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let mut parts = text.split('\0').skip(1).map(str::to_owned);
    Some((parts.next()?, parts.next()?))
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, line: &str) -> Option<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

/// None when the client has hung up.
async fn hear<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = stream.read_until(b'\n', &mut line).await.ok()?;
    (read > 0).then_some(line)
}

async fn content<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line = hear(stream).await?;
        if line == b".\r\n" {
            return Some(data);
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
