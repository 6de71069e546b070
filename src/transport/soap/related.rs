//! Envelopes that come as the root of `multipart/related`: from clients that would send attachments (SOAP with
//! Attachments, or MTOM with XOP), and have none to send.
//!
//! No operation takes an attachment: fields of Base64 hold their bytes themselves. One that comes all the same is
//! refused, not left out.

use std::borrow::Cow;

use super::xml::shorten;
use crate::transport::multipart::{Event, Limits, MediaType, Parser};

/// So much is given to the parser at a time, so that it holds no second copy of the request.
const PIECE: usize = 64 << 10;

/// A request without what it was wrapped in.
pub(super) struct Root<'a> {
    pub bytes: Cow<'a, [u8]>,
    pub content_type: Option<Cow<'a, str>>,
}

/// The envelope, whether it came alone or in parts. An error is in words for whoever sent it.
pub(super) fn root<'a>(content_type: Option<&'a str>, bytes: &'a [u8]) -> Result<Root<'a>, String> {
    match content_type.and_then(related) {
        None => Ok(Root { bytes: bytes.into(), content_type: content_type.map(Cow::Borrowed) }),
        Some(media_type) => {
            let media_type = media_type.map_err(|problem| format!("its Content-Type cannot be read: {problem}"))?;
            only_part(&media_type.boundary, bytes)
        }
    }
}

/// The most bytes that the envelope takes beside what it came in.
pub(super) fn room(content_type: Option<&str>, bytes: &[u8]) -> usize {
    if content_type.and_then(related).is_some() { bytes.len() } else { 0 }
}

/// True if the root of this media type is an envelope of SOAP 1.2, so that the reply is one too.
pub(super) fn is_soap_12(content_type: &str) -> bool {
    let root_type = related(content_type).and_then(Result::ok).and_then(|media_type| media_type.root_type);
    root_type.is_some_and(|root_type| root_type.to_ascii_lowercase().starts_with("application/soap+xml"))
}

fn related(content_type: &str) -> Option<Result<MediaType, String>> {
    let media_type = MediaType::read(content_type.as_bytes())?;
    match media_type {
        Ok(media_type) if media_type.subtype != "related" => None,
        media_type => Some(media_type),
    }
}

fn only_part<'a>(boundary: &str, bytes: &[u8]) -> Result<Root<'a>, String> {
    let mut parser = Parser::new(boundary, Limits::DEFAULT);
    let mut pieces = bytes.chunks(PIECE);
    // It is a part of what is there, so that it never has to grow.
    let (mut content, mut content_type, mut is_over) = (Vec::with_capacity(bytes.len()), None, false);
    loop {
        match parser.next_event().map_err(|problem| problem.to_string())? {
            Some(Event::Begin(head)) if parser.part() > 1 => {
                let id = head.content_id.map(|id| format!(" ({})", shorten(&id, 60))).unwrap_or_default();
                return Err(format!(
                    "part {}{id} is an attachment, and no operation takes one: send what is in it as Base64 in its field",
                    parser.part()
                ));
            }
            Some(Event::Begin(head)) => content_type = head.content_type,
            Some(Event::Data(data)) => content.extend_from_slice(&data),
            Some(Event::End) => {}
            None if is_over => break,
            None => match pieces.next() {
                Some(piece) => parser.feed(piece),
                None => {
                    parser.end();
                    is_over = true;
                }
            },
        }
    }
    if parser.part() == 0 {
        return Err("it has no part".to_owned());
    }
    Ok(Root { bytes: content.into(), content_type: content_type.map(Cow::Owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, body: &str) -> Result<(String, Option<String>), String> {
        let root = root(Some(content_type), body.as_bytes())?;
        let text = String::from_utf8(root.bytes.into_owned()).unwrap();
        Ok((text, root.content_type.map(Cow::into_owned)))
    }

    #[test]
    fn the_root_is_the_request() {
        let related =
            "multipart/related; type=\"application/xop+xml\"; start=\"<r@c>\"; start-info=\"text/xml\"; boundary=\"b\"";
        let part = "--b\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\n\
            Content-Transfer-Encoding: binary\r\nContent-ID: <r@c>\r\n\r\n<a/>\r\n";
        let content_type = "application/xop+xml; charset=UTF-8; type=\"text/xml\"";
        let expected = Ok(("<a/>".to_owned(), Some(content_type.to_owned())));
        assert_eq!(read(related, &format!("{part}--b--\r\n")), expected);
        assert_eq!(read(related, &format!("\r\n{part}--b--")), expected);
        // Alone it is what it is.
        let alone = Ok(("<a/>".to_owned(), Some("text/xml".to_owned())));
        assert_eq!(read("text/xml", "<a/>"), alone);
        assert_eq!(root(None, b"<a/>").unwrap().bytes.as_ref(), b"<a/>");
        assert_eq!(read("multipart/form-data; boundary=b", part).unwrap().0, part, "and no other body of parts is one");
        let long = "x".repeat(3 * PIECE);
        let encoded = format!("--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41{long}\r\n--b--");
        assert_eq!(read(related, &encoded), Ok((format!("A{long}"), None)));
    }

    #[test]
    fn what_is_more_than_a_root_is_refused() {
        let related = "multipart/related; boundary=b";
        for (body, word) in [
            ("--b\r\n\r\n<a/>\r\n--b\r\nContent-ID: <pic@c>\r\n\r\nx\r\n--b--", "part 2 (<pic@c>) is an attachment"),
            ("--b\r\n\r\n<a/>\r\n--b\r\n\r\nx", "part 2 is an attachment"),
            ("--b--", "no part"),
            ("<a/>", "ends before its first part"),
            ("--b\r\n\r\n<a/>", "ends in the middle"),
        ] {
            let problem = read(related, body).unwrap_err();
            assert!(problem.contains(word), "{body:?}: {problem}");
        }
        assert!(read("multipart/related", "<a/>").unwrap_err().contains("boundary"));
    }

    #[test]
    fn the_version_of_the_envelope_is_told() {
        assert!(is_soap_12(
            "multipart/related; boundary=b; type=\"application/xop+xml\"; start-info=\"application/soap+xml\""
        ));
        assert!(is_soap_12("multipart/related; boundary=b; type=\"application/soap+xml; action=x\""));
        assert!(!is_soap_12("multipart/related; boundary=b; type=\"application/xop+xml\"; start-info=\"text/xml\""));
        assert!(!is_soap_12("multipart/related; boundary=b; type=\"text/xml\""));
        assert!(!is_soap_12("text/xml"));
    }
}
