//! Where a call comes from, and by which address it reached this server.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use url::Url;

use crate::transport::proxies::Addressed;

/// The two ends of a call.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The caller, in front of all trusted proxies, if the server was set up to tell.
    pub peer: Option<IpAddr>,
    /// This server as the caller addressed it, such as `http://127.0.0.1:8080`; without a path.
    pub base_url: String,
}

/// The address a caller used: what a trusted proxy says, else its `Host`. Who names none, or none that could be one, is told of
/// the port at least.
pub fn base_url(
    headers: &HeaderMap,
    authority: Option<&str>,
    (https, port): (bool, u16),
    proxy: Option<&Addressed>,
) -> String {
    let scheme = proxy.and_then(|proxy| proxy.scheme).unwrap_or(if https { "https" } else { "http" });
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::trim);
    let hosts = [proxy.and_then(|proxy| proxy.host.as_deref()), own, authority];
    match hosts.into_iter().flatten().find(|host| is_host(host)) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://localhost:{port}"),
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

pub fn is_web_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_callers_own_address_is_used() {
        let proxy = Addressed { scheme: Some("https"), host: Some("ips.example.com".to_owned()) };
        let odd = Addressed { scheme: None, host: Some("a\"><b".to_owned()) };
        let untrusted = [("host", "in:1"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")];
        for (pairs, https, proxy, expected) in [
            (&[("host", "127.0.0.1:8080")][..], false, None, "http://127.0.0.1:8080"),
            (&[("host", "[::1]:8080")][..], true, None, "https://[::1]:8080"),
            (&untrusted[..], false, None, "http://in:1"),
            (&untrusted[..], false, Some(&proxy), "https://ips.example.com"),
            (&untrusted[..], true, Some(&odd), "https://in:1"),
            (&[("host", "a\"><b")][..], false, None, "http://localhost:8080"),
            (&[("host", "")][..], false, None, "http://localhost:8080"),
            (&[][..], false, None, "http://localhost:8080"),
        ] {
            assert_eq!(base_url(&headers(pairs), None, (https, 8080), proxy), expected);
        }
        assert_eq!(base_url(&HeaderMap::new(), Some("h2:443"), (true, 8080), None), "https://h2:443");
    }

    #[test]
    fn only_web_addresses_are() {
        assert!(is_web_url("https://ips.example.com/scene7/services/IpsApiService?x=1"));
        for other in ["javascript:alert(1)", "ftp://a/", "//a/", "a", ""] {
            assert!(!is_web_url(other), "{other}");
        }
    }
}
