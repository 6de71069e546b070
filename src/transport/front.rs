//! What every request passes before it comes to a route: its head must say plainly whom it is for and where its body ends, and
//! the slashes of its path are put in order.

use axum::Router;
use axum::extract::Request;
use axum::http::uri::{Authority, PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

/// Below here a client's base address may end with a slash or not, and what it appends may begin with one or not.
const TOLERANT: &str = "/scene7/";

/// Refuses requests that do not say, or say twice, whom they are for: two servers in a row could each take another for
/// meant, and see another request in the bytes that follow. And those whose body is wrapped in more than pieces: nobody here
/// unwraps it, and what is in it would be read as it is.
pub(crate) fn with_plain_heads(router: Router) -> Router {
    router.layer(middleware::from_fn(check_head))
}

/// Puts the paths in order before they are routed.
pub(crate) fn with_plain_paths(router: Router) -> Router {
    Router::new().fallback_service(router.map_request(in_order))
}

async fn check_head(request: Request, next: Next) -> Response {
    let has_connection = request.version() <= Version::HTTP_11;
    let (status, text) = if let Some(problem) = host_problem(request.version(), request.headers()) {
        let rule = "a request must name the host that it is for, once (RFC 9112, 3.2)";
        (StatusCode::BAD_REQUEST, format!("{problem}: {rule}.\n"))
    } else if is_wrapped(request.headers()) {
        let rule = "send it as chunked or with a length; a compressed one says so as its Content-Encoding";
        (StatusCode::NOT_IMPLEMENTED, format!("Of Transfer-Encoding only chunked is known here: {rule}.\n"))
    } else {
        return next.run(request).await;
    };
    let mut response = (status, text).into_response();
    if has_connection {
        // What follows on this connection may not be what its sender thinks.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the body comes in another wrapping than pieces.
fn is_wrapped(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter().map(|value| value.as_bytes().trim_ascii());
    let mut codings = values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    // Of several the last one is chunked: HTTP has seen to that.
    codings.next().is_some_and(|first| !first.eq_ignore_ascii_case(b"chunked")) || codings.next().is_some()
}

fn host_problem(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Some("There is more than one Host"),
        (Some(host), None) if !is_host(host) => Some("The Host is not the name of a host"),
        // Older clients have none, and HTTP/2 has an authority instead.
        (None, None) if version == Version::HTTP_11 => Some("There is no Host"),
        _ => None,
    }
}

/// A name or address, perhaps with a port; or nothing, as RFC 9112 has it for addresses without a host.
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
}

fn in_order(mut request: Request) -> Request {
    if let Some(uri) = plain(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// The address with single slashes, and none at the end; None if it is so already, or none of ours.
fn plain(uri: &Uri) -> Option<Uri> {
    let segments: Vec<_> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let path = format!("/{}", segments.join("/"));
    if path == uri.path() || !path.starts_with(TOLERANT) {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_api_are_put_in_order() {
        for (given, expected) in [
            ("/scene7/services/IpsApiService/", "/scene7/services/IpsApiService"),
            ("/scene7//services//IpsApiService?wsdl", "/scene7/services/IpsApiService?wsdl"),
            ("//scene7/api/IpsApiService//?a=//", "/scene7/api/IpsApiService?a=//"),
            ("http://host:80/scene7/UploadFile/", "http://host:80/scene7/UploadFile"),
            ("/scene7/webservice/IpsApi.wsdl/", "/scene7/webservice/IpsApi.wsdl"),
        ] {
            assert_eq!(plain(&given.parse().unwrap()).unwrap().to_string(), expected, "{given}");
        }
        for given in ["/scene7/services/IpsApiService", "/", "//", "/api/jobs/", "/scene7", "*", "/Exports//1/a.zip"] {
            assert_eq!(plain(&given.parse().unwrap()), None, "{given}");
        }
    }

    #[test]
    fn a_body_may_only_be_in_pieces() {
        let is_wrapped = |values: &[&str]| {
            let headers = values.iter().map(|value| (header::TRANSFER_ENCODING, value.parse().unwrap()));
            is_wrapped(&headers.collect())
        };
        for values in [&[][..], &["chunked"], &[" Chunked "]] {
            assert!(!is_wrapped(values), "{values:?}");
        }
        for values in [&["gzip, chunked"][..], &["gzip", "chunked"], &["chunked, chunked"], &["identity,chunked"]] {
            assert!(is_wrapped(values), "{values:?}");
        }
    }

    #[test]
    fn hosts_are_looked_at() {
        let problem = |version, hosts: &[&str]| {
            let headers = hosts.iter().map(|host| (header::HOST, host.parse().unwrap()));
            host_problem(version, &headers.collect())
        };
        for host in ["localhost", "ips.example.com:8080", "[::1]:80", "my_host", "127.0.0.1", ""] {
            assert_eq!(problem(Version::HTTP_11, &[host]), None, "{host}");
        }
        for host in ["a b", "a/b", "u@a", "a, b", "<a>"] {
            assert_eq!(problem(Version::HTTP_11, &[host]), Some("The Host is not the name of a host"), "{host}");
        }
        assert_eq!(problem(Version::HTTP_11, &[]), Some("There is no Host"));
        assert_eq!(problem(Version::HTTP_10, &[]), None);
        assert_eq!(problem(Version::HTTP_2, &[]), None);
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(problem(version, &["a", "a"]), Some("There is more than one Host"));
        }
    }
}
