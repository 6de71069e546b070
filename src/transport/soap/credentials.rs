//! Who calls, and how the reply is wanted: `authHeader`, the header elements before it, HTTP Basic.

use std::fmt;

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;

use crate::contract::Scalar;

use super::{fault::Fault, lexical, xml::Element};

const STATUS_RULE: &str = "must be a status between 200 and 599 whose reply has a body";

/// A name and a password, not yet looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What the header elements of a request say.
#[derive(Debug, Default)]
pub struct AuthHeader {
    pub credentials: Option<Credentials>,
    pub locale: Option<String>,
    pub app_name: Option<String>,
    pub app_version: Option<String>,
    pub gzip_response: Option<bool>,
    pub fault_status: Option<u16>,
    /// What could not be read. Kept, not returned, because the status of its fault is in this header too.
    pub problem: Option<Fault>,
}

impl AuthHeader {
    /// Reads header elements by local name alone: clients put them, and their children, in any namespace and order.
    pub fn read(elements: &[Element]) -> AuthHeader {
        let mut header = AuthHeader::default();
        if let Some(element) = elements.iter().find(|element| element.name == "authHeader") {
            header.credentials = credentials(text(element, "user"), text(element, "password"));
            header.locale = text(element, "locale").filter(|locale| !locale.is_empty());
            header.app_name = text(element, "appName");
            header.app_version = text(element, "appVersion");
            header.gzip_response =
                header.scalar(element, "gzipResponse", Scalar::Boolean).and_then(|flag| flag.as_bool());
            let status = header.scalar(element, "faultHttpStatusCode", Scalar::Int).and_then(|status| status.as_i64());
            header.fault_status = status.and_then(|status| header.check_status(status));
        }
        if header.credentials.is_none() {
            let named = |name| elements.iter().find(|element| element.name == name).map(own_text);
            header.credentials = credentials(named("AuthUser"), named("AuthPassword"));
        }
        header
    }

    fn scalar(&mut self, element: &Element, name: &str, scalar: Scalar) -> Option<Value> {
        let text = text(element, name).filter(|text| !text.is_empty())?;
        match lexical::read(scalar, &text) {
            Ok(value) => Some(value),
            Err(rule) => {
                self.problem = Some(Fault::invalid(&format!("authHeader/{name}"), rule));
                None
            }
        }
    }

    fn check_status(&mut self, status: i64) -> Option<u16> {
        // A reply with one of these statuses has no body, and a fault without a body says nothing.
        let is_bodiless = matches!(status, 204 | 205 | 304);
        let status = u16::try_from(status).ok().filter(|status| (200..600).contains(status) && !is_bodiless);
        if status.is_none() {
            self.problem = Some(Fault::invalid("authHeader/faultHttpStatusCode", STATUS_RULE));
        }
        status
    }
}

/// A user with no password is a login that fails, not the lack of one.
fn credentials(user: Option<String>, password: Option<String>) -> Option<Credentials> {
    let user = user.filter(|user| !user.is_empty())?;
    Some(Credentials { user, password: password.unwrap_or_default() })
}

fn text(element: &Element, name: &str) -> Option<String> {
    element
        .child(name)
        .filter(|child| !child.is_nil)
        .map(|child| if name == "password" { child.text.clone() } else { own_text(child) })
}

fn own_text(element: &Element) -> String {
    element.text.trim().to_owned()
}

/// HTTP Basic authentication. Anything else in the header, or a broken form of it, is no login at all.
pub fn basic(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    credentials(Some(user.to_owned()), Some(password.to_owned()))
}

/// The language a browser or client likes best, by its `Accept-Language`.
pub fn accepted_language(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(&str, f32)> = None;
    for (tag, quality) in weighted(text) {
        let is_tag = tag.len() <= 35 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_tag && !tag.is_empty() && quality > best.map_or(0.0, |(_, quality)| quality) {
            best = Some((tag, quality));
        }
    }
    best.map(|(tag, _)| tag.to_owned())
}

/// The entries of a header such as `gzip;q=1.0, identity;q=0.5` with their weights; 1 where none is given.
pub fn weighted(text: &str) -> impl Iterator<Item = (&str, f32)> {
    text.split(',').map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        // A weight that is no number is nothing to rely on.
        (name, weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::soap::xml;

    fn read(header: &str) -> AuthHeader {
        let header = xml::parse(&format!("<h>{header}</h>"), &xml::Limits::default()).unwrap();
        AuthHeader::read(&header.children)
    }

    fn login(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials { user: user.to_owned(), password: password.to_owned() })
    }

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_header_is_read_in_every_namespace_and_order() {
        for header in [
            "<authHeader xmlns='http://www.scene7.com/IpsApi/xsd'><user>a@b</user><password> p </password><locale>EN</locale></authHeader>",
            "<p:authHeader xmlns:p='http://www.scene7.com/IpsApi/xsd/2014-04-03'><p:password> p </p:password>
                <p:locale>EN</p:locale><p:user>a@b</p:user></p:authHeader>",
            "<authHeader xmlns='http://www.scene7.com/IpsApi/xsd' xmlns:n='http://www.scene7.com/IpsApi/xsd/2014-04-03'
                xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='n:authHeader'>
                <n:user>a@b</n:user><n:password> p </n:password><n:locale>EN</n:locale></authHeader>",
        ] {
            let read = read(header);
            assert_eq!(read.credentials, login("a@b", " p "), "{header}");
            assert_eq!(read.locale.as_deref(), Some("EN"));
            assert_eq!(read.problem, None);
        }
    }

    #[test]
    fn the_header_says_how_to_reply() {
        let header = read(
            "<authHeader><user>u</user><appName>tervis</appName><appVersion>1.0</appVersion>
            <gzipResponse>1</gzipResponse><faultHttpStatusCode>200</faultHttpStatusCode></authHeader>",
        );
        assert_eq!(header.credentials, login("u", ""));
        assert_eq!((header.gzip_response, header.fault_status), (Some(true), Some(200)));
        assert_eq!((header.app_name.as_deref(), header.app_version.as_deref()), (Some("tervis"), Some("1.0")));
        let empty = read("<authHeader><user/><gzipResponse/><faultHttpStatusCode/><locale/></authHeader>");
        assert_eq!((empty.credentials, empty.gzip_response, empty.fault_status), (None, None, None));
        assert_eq!((empty.locale, empty.problem), (None, None));
    }

    #[test]
    fn a_bad_header_field_is_a_fault_that_names_it() {
        for (field, name) in [
            ("<gzipResponse>maybe</gzipResponse>", "gzipResponse"),
            ("<faultHttpStatusCode>ok</faultHttpStatusCode>", "faultHttpStatusCode"),
            ("<faultHttpStatusCode>199</faultHttpStatusCode>", "faultHttpStatusCode"),
            ("<faultHttpStatusCode>600</faultHttpStatusCode>", "faultHttpStatusCode"),
            ("<faultHttpStatusCode>204</faultHttpStatusCode>", "faultHttpStatusCode"),
            ("<faultHttpStatusCode>-1</faultHttpStatusCode>", "faultHttpStatusCode"),
        ] {
            let header = read(&format!("<authHeader>{field}</authHeader>"));
            assert!(header.problem.unwrap().reason.starts_with(&format!("authHeader/{name} must be")), "{field}");
            assert_eq!((header.gzip_response, header.fault_status), (None, None));
        }
    }

    #[test]
    fn the_oldest_header_elements_are_still_read() {
        let header = read(
            "<AuthUser xmlns='http://www.scene7.com/IpsApi'>a@b</AuthUser><AuthPassword xmlns='http://www.scene7.com/IpsApi'>p</AuthPassword>",
        );
        assert_eq!(header.credentials, login("a@b", "p"));
    }

    #[test]
    fn basic_authentication_is_read() {
        let basic = |value| basic(&with(header::AUTHORIZATION, value));
        assert_eq!(basic("Basic YUBiOnA6dw=="), login("a@b", "p:w"));
        assert_eq!(basic("basic YUBiOg=="), login("a@b", ""));
        for broken in ["Basic ???", "Basic YUBi", "Bearer YUBiOnA6dw==", "Basic", "Basic OnA="] {
            assert_eq!(basic(broken), None, "{broken}");
        }
    }

    #[test]
    fn passwords_stay_out_of_logs() {
        assert!(!format!("{:?}", login("user", "secret")).contains("secret"));
    }

    #[test]
    fn the_preferred_language_wins() {
        let language = |value| accepted_language(&with(header::ACCEPT_LANGUAGE, value));
        assert_eq!(language("de-DE,de;q=0.9,en;q=0.8").as_deref(), Some("de-DE"));
        assert_eq!(language("en;q=0.5, fr;q=0.7").as_deref(), Some("fr"));
        assert_eq!(language("*, <x>;q=1, ja;q=0.1").as_deref(), Some("ja"));
        assert_eq!(language("*"), None);
        assert_eq!(language("en;q=0"), None);
    }
}
