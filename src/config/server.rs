//! `[server]`: the listener.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::{
    read::{Check, Section},
    units::{Period, Size, WebAddress},
};
use crate::model::network::Network;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Server {
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    pub public_url: Option<WebAddress>,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<Network>,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub max_request_bytes: Size,
    pub request_timeout: Period,
    pub max_connections: u32,
    pub max_bytes_before_login: Size,
    pub max_bytes_after_login: Size,
    pub gzip: Gzip,
    pub system_message: String,
}

/// When answers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gzip {
    Never,
    /// SOAP answers to clients that accept gzip.
    Soap,
    /// Every answer to clients that accept gzip.
    Accept,
    /// SOAP answers to all clients, as IPS does; everything else as `Accept`.
    Always,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            max_request_bytes: Size::mib(16),
            request_timeout: Period::minutes(1),
            max_connections: 1024,
            max_bytes_before_login: Size::mib(128),
            max_bytes_after_login: Size::mib(512),
            gzip: Gzip::Accept,
            system_message: String::new(),
        }
    }
}

impl Section for Server {
    const NAME: &'static str = "server";

    fn check(&self, check: &mut Check) {
        check.range("max_request_bytes", self.max_request_bytes, Size::kib(64), Size::gib(1));
        check.range("request_timeout", self.request_timeout, Period::seconds(1), Period::hours(1));
        check.range("max_connections", self.max_connections, 1, 65_536);
        check.range("max_bytes_before_login", self.max_bytes_before_login, Size::mib(1), Size::gib(1024));
        check.range("max_bytes_after_login", self.max_bytes_after_login, Size::mib(1), Size::gib(1024));
        for (key, file, other, other_key) in [
            ("tls_certificate", &self.tls_certificate, &self.tls_key, "tls_key"),
            ("tls_key", &self.tls_key, &self.tls_certificate, "tls_certificate"),
        ] {
            if let Some(file) = file {
                let rule = format!("needs server.{other_key} as well: TLS takes both");
                check.that(other.is_some(), key, file.display(), rule);
            }
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let rule = "must be an IP address and a port, such as \"127.0.0.1:8080\", \"0.0.0.0:80\" or \"[::]:8080\"";
    String::deserialize(deserializer)?.parse().map_err(|_| de::Error::custom(rule))
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| text.parse().map_err(|error| de::Error::custom(format!("{text:?} {error}")));
    texts.iter().map(read).collect()
}
