//! Where a call comes from, and by which address it reached this server.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};
use url::Url;

/// The two ends of a call as far as HTTP tells.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The other end of the connection, if the server was set up to tell.
    pub peer: Option<SocketAddr>,
    /// What a proxy says the caller's address is. Anyone can send this header: only to be believed from a proxy.
    pub forwarded_for: Option<String>,
    /// This server as the caller addressed it, such as `http://127.0.0.1:8080`; without a path.
    pub base_url: String,
}

/// The address a caller used: what its proxy says, else its `Host`.
pub fn base_url(headers: &HeaderMap, authority: Option<&str>, https: bool) -> String {
    let forwarded = first(headers, "x-forwarded-proto").map(str::to_ascii_lowercase);
    let scheme = match forwarded.as_deref() {
        Some("https") => "https",
        Some("http") => "http",
        _ if https => "https",
        _ => "http",
    };
    let hosts = [first(headers, "x-forwarded-host"), first(headers, header::HOST.as_str()), authority];
    let host = hosts.into_iter().flatten().find(|host| is_host(host)).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

pub fn forwarded_for(headers: &HeaderMap) -> Option<String> {
    first(headers, "x-forwarded-for").map(str::to_owned)
}

/// The first entry of a header that proxies append to.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?;
    text.split(',').next().map(str::trim).filter(|text| !text.is_empty())
}

fn is_host(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
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
        for (pairs, https, expected) in [
            (&[("host", "127.0.0.1:8080")][..], false, "http://127.0.0.1:8080"),
            (&[("host", "[::1]:8080")][..], true, "https://[::1]:8080"),
            (
                &[("host", "in:1"), ("x-forwarded-host", "ips.example.com, in2"), ("x-forwarded-proto", "https")][..],
                false,
                "https://ips.example.com",
            ),
            (&[("host", "a\"><b"), ("x-forwarded-proto", "gopher")][..], false, "http://localhost"),
            (&[][..], false, "http://localhost"),
        ] {
            assert_eq!(base_url(&headers(pairs), None, https), expected);
        }
        assert_eq!(base_url(&HeaderMap::new(), Some("h2:443"), true), "https://h2:443");
    }

    #[test]
    fn only_web_addresses_are() {
        assert!(is_web_url("https://ips.example.com/scene7/services/IpsApiService?x=1"));
        for other in ["javascript:alert(1)", "ftp://a/", "//a/", "a", ""] {
            assert!(!is_web_url(other), "{other}");
        }
    }
}
