//! Where a link leads, as a page of the web can say it: nothing that a browser would run, and nothing of the computer
//! on which the document was written.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use url::Url;

/// More bytes, as they are written, are not kept of one address.
const LONGEST: usize = 2048;

/// Only what a reader can follow without harm.
const SCHEMES: [&str; 5] = ["http", "https", "mailto", "ftp", "tel"];

/// What does not stand in a URI as it is (RFC 3986, 2). A `%` that is there is taken for one of its own.
const FOREIGN: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// In the name of a file these are letters like others.
const FOREIGN_TO_FILES: &AsciiSet = &FOREIGN.add(b'%').add(b'#').add(b'?').add(b':');

/// Why an address is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its scheme is none of those that are kept.
    Scheme,
    /// It is of a file somewhere on the computer of a reader.
    Outside,
    /// It is to be started there.
    Program,
    TooLong,
    /// There is none.
    Empty,
}

/// A URI (ISO 32000-1, 12.6.4.7); one without a scheme is relative to `base`, if the document says what that is, or
/// stays relative.
pub fn of_uri(uri: &[u8], base: Option<&str>) -> Result<String, Refused> {
    let uri = plain(uri);
    if uri.is_empty() {
        return Err(Refused::Empty);
    }
    let encoded = percent_encode(&uri, FOREIGN).to_string();
    let address = match scheme(&uri) {
        Some(scheme) if is_kept(scheme) => encoded,
        Some(_) => return Err(Refused::Scheme),
        None => resolved(&encoded, base).unwrap_or(encoded),
    };
    within_bound(address)
}

/// What relative addresses are relative to (ISO 32000-1, table 205), if that is an address itself.
pub fn base(uri: &[u8]) -> Option<String> {
    let uri = plain(uri);
    is_kept(scheme(&uri)?).then(|| percent_encode(&uri, FOREIGN).to_string())
}

/// The relative address of a file (ISO 32000-1, 7.11.2). Absolute names are of another computer; `..` leads out of the
/// folder of the document, which only links between documents may do (`may_climb`), and there to no more than a server
/// hands out.
pub fn of_file(name: &str, may_climb: bool) -> Result<String, Refused> {
    let name = name.trim().replace('\\', "/");
    if name.is_empty() {
        return Err(Refused::Empty);
    }
    // Some programs write addresses into names of files.
    if name.contains("//") && scheme(name.as_bytes()).is_some() {
        return of_uri(name.as_bytes(), None);
    }
    let has_drive = matches!(name.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
    let climbs = name.split('/').any(|part| part == "..");
    if name.starts_with('/') || has_drive || climbs && !may_climb || name.contains(char::is_control) {
        return Err(Refused::Outside);
    }
    within_bound(percent_encode(name.as_bytes(), FOREIGN_TO_FILES).to_string())
}

fn within_bound(address: String) -> Result<String, Refused> {
    if address.len() > LONGEST { Err(Refused::TooLong) } else { Ok(address) }
}

fn resolved(relative: &str, base: Option<&str>) -> Option<String> {
    Some(Url::parse(base?).ok()?.join(relative).ok()?.into())
}

/// As browsers read it: without blanks around it, and without ends of lines and tabs inside, which else would hide a
/// scheme (WHATWG URL, 4.4).
fn plain(uri: &[u8]) -> Vec<u8> {
    let is_blank = |byte: &u8| *byte <= b' ';
    let start = uri.iter().position(|byte| !is_blank(byte)).unwrap_or(uri.len());
    let end = uri.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    uri[start..end].iter().copied().filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r')).collect()
}

/// What stands in front of the first colon, if that is the scheme (RFC 3986, 3.1).
fn scheme(uri: &[u8]) -> Option<&[u8]> {
    let scheme = &uri[..uri.iter().position(|byte| *byte == b':')?];
    let is_of_schemes = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    (scheme.first()?.is_ascii_alphabetic() && scheme.iter().all(is_of_schemes)).then_some(scheme)
}

fn is_kept(scheme: &[u8]) -> bool {
    SCHEMES.iter().any(|kept| kept.as_bytes().eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(uri: &str) -> Result<String, Refused> {
        of_uri(uri.as_bytes(), None)
    }

    #[test]
    fn addresses_are_kept_as_they_are() {
        for kept in [
            "https://shoes.example/red?a=1&b=%20#top",
            "MAILTO:a@b.example",
            "tel:+49-30-1",
            "prices.html",
            "../shop/index.html#a:b",
            "//shoes.example/",
            "?page=2",
        ] {
            assert_eq!(uri(kept).as_deref(), Ok(kept));
        }
        assert_eq!(uri(" https://a.example/x y\\z \n").unwrap(), "https://a.example/x%20y%5Cz");
        assert_eq!(uri("https://a.exa\r\nmple/").unwrap(), "https://a.example/");
        assert_eq!(uri("größe.html").unwrap(), "gr%C3%B6%C3%9Fe.html");
    }

    #[test]
    fn what_a_browser_would_run_is_no_address() {
        for harmful in [
            "javascript:alert(1)",
            " \u{1}JavaScript:alert(1)",
            "java\nscript:alert(1)",
            "java\tscript\r:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "C:\\Windows\\notepad.exe",
        ] {
            assert_eq!(uri(harmful), Err(Refused::Scheme), "{harmful:?}");
        }
        assert_eq!(uri(" \n"), Err(Refused::Empty));
        assert_eq!(uri(&"ä".repeat(400)), Err(Refused::TooLong));
        assert_eq!(uri("java\u{0}script:x").unwrap(), "java%00script:x", "no scheme for anybody");
    }

    #[test]
    fn relative_addresses_are_relative_to_what_the_document_says() {
        let base = base(b"https://shoes.example/summer/book.pdf").unwrap();
        let of = |uri: &str| of_uri(uri.as_bytes(), Some(&base)).unwrap();
        assert_eq!(of("red.html"), "https://shoes.example/summer/red.html");
        assert_eq!(of("../a b"), "https://shoes.example/a%20b");
        assert_eq!(of("mailto:a@b.example"), "mailto:a@b.example");
        assert_eq!(of_uri(b"javascript:x", Some(&base)), Err(Refused::Scheme));
        assert_eq!(super::base(b"javascript:x/"), None);
        assert_eq!(super::base(b"folder/"), None);
    }

    #[test]
    fn files_lie_beside_the_document() {
        for (name, address) in [
            ("terms.pdf", "terms.pdf"),
            ("2024\\Price list #3.pdf", "2024/Price%20list%20%233.pdf"),
            ("100%.pdf", "100%25.pdf"),
            ("Figure 1: a?.pdf", "Figure%201%3A%20a%3F.pdf"),
            ("javascript:alert(1)", "javascript%3Aalert(1)"),
            ("https://a.example/x.pdf", "https://a.example/x.pdf"),
        ] {
            assert_eq!(of_file(name, false).as_deref(), Ok(address));
        }
        for name in ["/etc/passwd", "C:\\x.pdf", "c:x.pdf", "\\\\server\\share\\x.exe", "//server/x", "a\u{0}b"] {
            assert_eq!(of_file(name, true), Err(Refused::Outside), "{name}");
        }
        for name in ["../x.pdf", "a\\..\\..\\x.exe", ".."] {
            assert_eq!(of_file(name, false), Err(Refused::Outside), "{name}");
            assert_eq!(of_file(name, true), Ok(name.replace('\\', "/")));
        }
        assert_eq!(of_file("javascript://%0aalert(1)", true), Err(Refused::Scheme));
    }
}
