//! What every request passes before it comes to a route: its `Host` must be plain, and the slashes of its path are put in
//! order.

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
/// meant, and see another request in the bytes that follow.
pub(crate) fn with_host(router: Router) -> Router {
    router.layer(middleware::from_fn(check_host))
}

/// Puts the paths in order before they are routed.
pub(crate) fn with_plain_paths(router: Router) -> Router {
    Router::new().fallback_service(router.map_request(in_order))
}

async fn check_host(request: Request, next: Next) -> Response {
    match host_problem(request.version(), request.headers()) {
        None => next.run(request).await,
        Some(problem) => {
            let text = format!("{problem}: a request must name the host that it is for, once (RFC 9112, 3.2).\n");
            let mut response = (StatusCode::BAD_REQUEST, text).into_response();
            if request.version() <= Version::HTTP_11 {
                // What follows on this connection may not be what its sender thinks.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
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
