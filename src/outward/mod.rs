//! HTTP to servers that are not trusted: which of them may be talked to.
//!
//! A request goes only to addresses that the guard lets through. Each hop of a redirect is a new request and is checked
//! anew; the addresses checked are those that are connected to, not those of an earlier look-up; proxies of the
//! environment are not used.

pub mod addresses;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use url::{Host, Url};

/// Says which servers may be talked to.
#[derive(Debug, Clone)]
pub struct Guard {
    pub reachable: fn(IpAddr) -> bool,
    /// All ports if none are named.
    pub ports: Option<Vec<u16>>,
}

/// Why a server may not be talked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0} is not an http or https address")]
    Scheme(String),
    #[error("{0} names no host")]
    NoHost(String),
    #[error("port {0} is not among those the configuration allows")]
    Port(u16),
    #[error("{host} is at {address}, which may not be connected to")]
    Address { host: String, address: IpAddr },
}

impl Guard {
    /// A client that looks names up through the guard and follows no redirect by itself.
    pub fn client(&self) -> reqwest::ClientBuilder {
        // Somebody else may have installed one: any will do.
        drop(rustls::crypto::ring::default_provider().install_default());
        reqwest::Client::builder()
            .user_agent(concat!("Prepress/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(Resolver { reachable: self.reachable }))
    }

    /// What can be told of an address before its name is looked up.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(shown(url)));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if self.ports.as_ref().is_some_and(|ports| !ports.contains(&port)) {
            return Err(Refusal::Port(port));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Refusal::NoHost(shown(url))),
        };
        if (self.reachable)(address) { Ok(()) } else { Err(Refusal::Address { host: address.to_string(), address }) }
    }
}

/// An address without its user, password and fragment.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither fails for addresses that have a host, and others are refused.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url.into()
}

/// The same of a text that should be an address.
pub fn shown_text(address: &str) -> String {
    Url::parse(address.trim()).map_or_else(|_| "(no address)".to_owned(), |url| shown(&url))
}

/// The same of the text of an address, which stays as it was written if it holds no credentials.
pub fn without_credentials(address: &str) -> String {
    match Url::parse(address.trim()) {
        Ok(url) if url.has_host() && url.username().is_empty() && url.password().is_none() => address.to_owned(),
        Ok(url) if url.has_host() => shown(&url),
        Ok(_) | Err(_) => "(no address)".to_owned(),
    }
}

/// The refusal at the bottom of a failed request, if it was the guard's.
pub fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Refusal> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref() {
            return Some(refusal);
        }
        next = error.source();
    }
    None
}

/// An error with all its causes. Take the address out first: it may hold a password.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// Looks names up, and leaves out the addresses that may not be connected to.
struct Resolver {
    reachable: fn(IpAddr) -> bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reachable = self.reachable;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.iter().copied().filter(|address| reachable(address.ip())).collect();
            match (allowed.is_empty(), found.first()) {
                (true, Some(address)) => Err(Refusal::Address { host, address: address.ip() }.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let url = "https://ann:secret@h.example/a.jpg?x=1#part".parse().unwrap();
        assert_eq!(shown(&url), "https://h.example/a.jpg?x=1");
        assert_eq!(without_credentials(" https://:secret@h.example"), "https://h.example/");
        assert_eq!(
            without_credentials("https://h.example?x=ann:secret@y#part"),
            "https://h.example?x=ann:secret@y#part"
        );
        assert_eq!(without_credentials("ann:secret@ h"), "(no address)");
    }
}
