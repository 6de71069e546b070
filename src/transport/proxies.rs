//! Who is at the other end, when proxies stand between.
//!
//! `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `Forwarded` can be sent by anyone, so that they decide
//! nothing unless the connection comes from a proxy that the configuration trusts. Each proxy appends the address that it
//! was called from; read from the right, the first that is none of ours is the caller, and what stands left of it is the
//! caller's own tale. Everything behind this layer finds the caller in `ConnectInfo`, and looks at no such header.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::model::network::Network;

/// Most addresses of a header that are looked at, from the right: nobody has so many proxies.
const MOST_HOPS: usize = 32;

/// How a caller addressed this server, as a trusted proxy tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressed {
    pub scheme: Option<&'static str>,
    pub host: Option<String>,
}

/// Peers whose headers were not believed, and got a line in the log for it. Beyond these nobody gets one.
const MOST_TOLD: usize = 1000;

/// The headers of proxies.
const HEADERS: [&str; 4] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"];

struct Proxies {
    trusted: Vec<Network>,
    told: Mutex<HashSet<Network>>,
}

/// Puts the caller in the place of the proxies that it came through.
pub fn behind(router: Router, trusted: Vec<Network>) -> Router {
    let proxies = Proxies { trusted, told: Mutex::default() };
    router.layer(middleware::from_fn_with_state(Arc::new(proxies), resolve))
}

async fn resolve(State(proxies): State<Arc<Proxies>>, mut request: Request, next: Next) -> Response {
    if let Some(peer) = peer(request.extensions()) {
        if is_among(&proxies.trusted, peer) {
            let (caller, addressed) = tell(request.headers(), peer, &proxies.trusted);
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(caller, 0)));
            request.extensions_mut().insert(addressed);
        } else if let Some(NotBelieved { header, is_last }) = proxies.disbelieve(peer, request.headers()) {
            tracing::warn!(
                %peer,
                header,
                "a peer that is not in server.trusted_proxies says for whom it calls, and is not believed; if it is your \
                 proxy, add its address there and restart"
            );
            if is_last {
                tracing::warn!(peers = MOST_TOLD, "more such peers are not told of");
            }
        }
    }
    next.run(request).await
}

impl Proxies {
    /// What the log is to say of a peer whose headers are not believed, the first time that it sends any. An operator whose
    /// proxy is not in the list sees all callers as one, and learns so why.
    fn disbelieve(&self, peer: IpAddr, headers: &HeaderMap) -> Option<NotBelieved> {
        let header = HEADERS.into_iter().find(|header| headers.contains_key(*header))?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = told.len() < MOST_TOLD && told.insert(Network::of_caller(peer));
        is_new.then(|| NotBelieved { header, is_last: told.len() == MOST_TOLD })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct NotBelieved {
    header: &'static str,
    /// No further peer is told of.
    is_last: bool,
}

/// The address of the caller, if the server was set up to tell.
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())
}

/// What a trusted proxy says of how the caller addressed this server.
pub fn addressed(parts: &Parts) -> Option<&Addressed> {
    parts.extensions.get::<Addressed>()
}

fn is_among(trusted: &[Network], address: IpAddr) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// What the headers say that came through the trusted proxy `peer`. A proxy writes one kind of header and may let the other
/// pass as its client sent it; where they name different callers neither is believed.
fn tell(headers: &HeaderMap, peer: IpAddr, trusted: &[Network]) -> (IpAddr, Addressed) {
    let (listed, standard) = (listed(headers), standard(headers));
    match (listed.is_empty(), standard.is_empty()) {
        (true, true) => (peer, host_and_scheme(headers, 0)),
        (false, true) => {
            let (caller, hop) = caller(listed.iter().map(|text| address(text)), peer, trusted);
            (caller, host_and_scheme(headers, hop))
        }
        (true, false) => {
            let (caller, hop) = caller(standard.iter().map(Element::caller), peer, trusted);
            (caller, standard.get(hop).map(Element::addressed).unwrap_or_default())
        }
        (false, false) => {
            let (one, hop) = caller(listed.iter().map(|text| address(text)), peer, trusted);
            let (other, _) = caller(standard.iter().map(Element::caller), peer, trusted);
            if one != other {
                tracing::debug!(%peer, "X-Forwarded-For and Forwarded name different callers: the proxy is taken for the caller");
                return (peer, Addressed::default());
            }
            (one, host_and_scheme(headers, hop))
        }
    }
}

/// The caller, and how many proxies beyond the first it came through. `told` is what each was called from, the nearest
/// first; what cannot be read ends it, for nothing beyond it can be trusted.
fn caller(told: impl Iterator<Item = Option<IpAddr>>, peer: IpAddr, trusted: &[Network]) -> (IpAddr, usize) {
    let mut caller = (peer, 0);
    for (hop, address) in told.enumerate() {
        let Some(address) = address else { break };
        caller = (address, hop);
        if !is_among(trusted, address) {
            break;
        }
    }
    caller
}

/// The entries of `X-Forwarded-For`, the last first.
fn listed(headers: &HeaderMap) -> Vec<&str> {
    entries(headers, "x-forwarded-for")
}

/// The entries of a list, the last first.
fn entries<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    let entries = lines.into_iter().rev().flat_map(|line| parts_from_the_right(line, b',')).map(str::trim);
    entries.filter(|entry| !entry.is_empty()).take(MOST_HOPS).collect()
}

/// What stands between separators that are not in a quoted string (RFC 9110, 5.6.4), the last first. It is read from the
/// right because what a proxy has appended stands there: a quote that a caller opens and leaves open swallows nothing of it.
fn parts_from_the_right(line: &str, separator: u8) -> Vec<&str> {
    let bytes = line.as_bytes();
    let (mut parts, mut end, mut is_quoted) = (Vec::new(), line.len(), false);
    for (at, byte) in bytes.iter().enumerate().rev() {
        if *byte == b'"' && !is_escaped(bytes, at) {
            is_quoted = !is_quoted;
        } else if *byte == separator && !is_quoted {
            parts.push(&line[at + 1..end]);
            end = at;
        }
    }
    parts.push(&line[..end]);
    parts
}

/// Whether an odd number of backslashes stands before it.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// A value without its quotes, and without the backslashes in them.
fn plain(value: &str) -> String {
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let Some(text) = quoted else { return value.to_owned() };
    let mut escaped = false;
    let kept = text.chars().filter(|char| {
        escaped = *char == '\\' && !escaped;
        !escaped
    });
    kept.collect()
}

/// An address, with or without a port: `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let whole = bare.parse::<IpAddr>().ok();
    whole.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|address| address.to_canonical())
}

/// Scheme and host beside `X-Forwarded-For`. Where there is an entry for each proxy the one of `hop` counts, else the last.
fn host_and_scheme(headers: &HeaderMap, hop: usize) -> Addressed {
    let entry = |name| {
        let entries = entries(headers, name);
        entries.get(hop).or_else(|| entries.first()).copied()
    };
    Addressed {
        scheme: entry("x-forwarded-proto").and_then(scheme),
        host: entry("x-forwarded-host").map(str::to_owned),
    }
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|known| text.eq_ignore_ascii_case(known))
}

/// One proxy's element of `Forwarded` (RFC 7239).
#[derive(Default)]
struct Element {
    from: Option<String>,
    proto: Option<String>,
    host: Option<String>,
}

impl Element {
    fn caller(&self) -> Option<IpAddr> {
        address(self.from.as_deref()?)
    }

    fn addressed(&self) -> Addressed {
        Addressed { scheme: self.proto.as_deref().and_then(scheme), host: self.host.clone() }
    }
}

/// The elements of `Forwarded`, the last first.
fn standard(headers: &HeaderMap) -> Vec<Element> {
    let read = |text: &str| {
        let mut element = Element::default();
        let pairs = parts_from_the_right(text, b';');
        for (name, value) in pairs.into_iter().filter_map(|pair| pair.split_once('=')) {
            let value = Some(plain(value.trim()));
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => element.from = value,
                "proto" => element.proto = value,
                "host" => element.host = value,
                _ => {}
            }
        }
        element
    };
    entries(headers, "forwarded").into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&'static str, &str)]) -> (String, Addressed) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let trusted = ["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let (caller, addressed) = tell(&headers, IpAddr::from([127, 0, 0, 1]), &trusted);
        (caller.to_string(), addressed)
    }

    #[test]
    fn the_rightmost_address_that_is_not_trusted_is_the_caller() {
        for (pairs, caller) in [
            (&[][..], "127.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
            (&[("x-forwarded-for", "1.1.1.1, 192.0.2.7, 10.0.0.3")], "192.0.2.7"),
            (
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "10.0.0.3")],
                "192.0.2.7",
            ),
            (&[("x-forwarded-for", "192.0.2.7:4711,[::ffff:10.0.0.3]:80")], "192.0.2.7"),
            (&[("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1"),
            (&[("x-forwarded-for", "10.0.0.4, 10.0.0.3")], "10.0.0.4"),
            (&[("x-forwarded-for", "192.0.2.7, unknown, 10.0.0.3")], "10.0.0.3"),
            (&[("x-forwarded-for", "unknown")], "127.0.0.1"),
            (&[("forwarded", "for=1.1.1.1, for=\"[2001:db8::1]:4711\";proto=https, for=10.0.0.3")], "2001:db8::1"),
            (&[("forwarded", "for=_hidden")], "127.0.0.1"),
            (&[("forwarded", "for=192.0.2.7;host=\"a, for=1.1.1.1\"")], "192.0.2.7"),
            (&[("forwarded", "for=192.0.2.7;host=\"a\\\", for=1.1.1.1\", for=10.0.0.3")], "192.0.2.7"),
            (&[("forwarded", "for=192.0.2.7;x=\";for=1.1.1.1\"")], "192.0.2.7"),
            (&[("forwarded", "for=\"192.0.2.\\7\"")], "192.0.2.7"),
            // What a caller makes up swallows nothing that a proxy has appended.
            (&[("forwarded", "for=\"1.1.1.1, for=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
            (&[("forwarded", "for=\"1.1.1.1\\, for=192.0.2.7;proto=https")], "192.0.2.7"),
            (&[("forwarded", "for=192.0.2.7"), ("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
            (&[("forwarded", "for=192.0.2.7"), ("x-forwarded-for", "192.0.2.8")], "127.0.0.1"),
        ] {
            assert_eq!(told(pairs).0, caller, "{pairs:?}");
        }
    }

    #[test]
    fn each_peer_that_is_not_believed_is_told_of_once() {
        let proxies = Proxies { trusted: Vec::new(), told: Mutex::default() };
        let headers = |names: &[&'static str]| -> HeaderMap {
            names.iter().map(|name| (name.parse().unwrap(), "192.0.2.7".parse().unwrap())).collect()
        };
        let said = |peer: &str, names: &[&'static str]| proxies.disbelieve(peer.parse().unwrap(), &headers(names));
        assert_eq!(said("198.51.100.1", &["host"]), None);
        let told = |header| Some(NotBelieved { header, is_last: false });
        assert_eq!(said("198.51.100.1", &["forwarded", "host"]), told("forwarded"));
        assert_eq!(said("198.51.100.1", &["x-forwarded-for"]), None);
        assert_eq!(said("2001:db8::1", &["x-forwarded-proto"]), told("x-forwarded-proto"));
        assert_eq!(said("2001:db8::2", &["x-forwarded-proto"]), None, "the same line");
        let more: Vec<_> = (0..2000_u32)
            .filter_map(|n| said(&IpAddr::from(n.to_be_bytes()).to_string(), &["x-forwarded-host"]))
            .collect();
        assert_eq!(more.len(), MOST_TOLD - 2);
        assert_eq!(more.iter().filter(|told| told.is_last).count(), 1);
    }

    #[test]
    fn a_trusted_proxy_says_how_it_was_addressed() {
        let addressed = |scheme, host: &str| Addressed { scheme, host: Some(host.to_owned()) };
        let (outer, inner) = (("x-forwarded-for", "192.0.2.7, 10.0.0.3"), ("x-forwarded-host", "a.example, b.example"));
        assert_eq!(told(&[outer, inner, ("x-forwarded-proto", "HTTPS")]).1, addressed(Some("https"), "a.example"));
        let made_up = ("x-forwarded-host", "evil.example, a.example");
        assert_eq!(told(&[("x-forwarded-for", "192.0.2.7"), made_up]).1, addressed(None, "a.example"));
        let standard = ("forwarded", "for=192.0.2.7;host=\"a.example:8443\";proto=https");
        assert_eq!(told(&[standard]).1, addressed(Some("https"), "a.example:8443"));
        assert_eq!(told(&[("x-forwarded-proto", "gopher")]).1, Addressed::default());
        let at_odds = [standard, ("x-forwarded-for", "192.0.2.8"), ("x-forwarded-host", "evil.example")];
        assert_eq!(told(&at_odds).1, Addressed::default());
    }
}
